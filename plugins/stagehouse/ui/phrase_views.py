"""Phrase views: a day and a campaign to choose, the report in place, files to keep."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from stagehouse.ui.access import may_read
from stagehouse.ui.archive import RenderedPhraseViews, read_campaign, read_day
from stagehouse.ui.day_pages import archive_of, show_day
from stagehouse.ui.responses import download, rendered_page
from stagehouse.ui.sections import PHRASE_VIEWS

ALL = "all"
router = APIRouter(prefix=f"/{PHRASE_VIEWS.slug}", dependencies=[may_read(PHRASE_VIEWS.dag_id)])


@router.get("/")
def show(request: Request, day: str = "", campaign: str = "") -> Response:
    """Return the page of a day and a campaign or `all`; the newest day and its first campaign unless told."""

    def of_index(index: RenderedPhraseViews) -> dict[str, object]:
        known = {rendered.campaign_id: rendered for rendered in index.campaigns}
        asked_for = read_campaign(campaign) if campaign not in ("", ALL) else None
        wanted = next(iter(known), 0) if asked_for is None else asked_for
        shown = known.get(wanted) if campaign != ALL else None
        absent = asked_for if shown is None else None
        return {"campaign": shown, "absent": absent, "listed": bool(known) and shown is None}

    template = "phrase_views.html"
    return show_day(request, PHRASE_VIEWS, RenderedPhraseViews, template, day, of_index=of_index)


@router.get("/{day}/index.html")
def overview(day: str) -> Response:
    """Return the rendered list of a day's campaigns, which says so where there is none."""
    return rendered_page(archive_of(PHRASE_VIEWS).open(read_day(day), "index.html"))


@router.get("/{day}/rows.csv")
def rows(day: str) -> Response:
    """Return all rows of a day, of all campaigns, as a download."""
    wanted = read_day(day)
    return download(archive_of(PHRASE_VIEWS).open(wanted, "rows.csv"), f"phrase-views-{wanted}.csv")


@router.get("/{day}/{campaign}.tsv")
def tsv(day: str, campaign: str) -> Response:
    """Return a campaign's `phrase<TAB>views_by_hour` as a download."""
    wanted, number = read_day(day), read_campaign(campaign)
    return download(
        archive_of(PHRASE_VIEWS).open(wanted, f"{number}.tsv"), f"phrase-views-{wanted}-{number}.tsv"
    )


@router.get("/{day}/{campaign}.html")
def html(day: str, campaign: str, *, keep: bool = False) -> Response:
    """Return a campaign's rendered page, to be shown or, with `keep`, as a download."""
    wanted, number = read_day(day), read_campaign(campaign)
    file = archive_of(PHRASE_VIEWS).open(wanted, f"{number}.html")
    return download(file, f"phrase-views-{wanted}-{number}.html") if keep else rendered_page(file)
