"""Phrase views: a day and a campaign to choose, the report in place, files to keep."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from stagehouse.hooks.storage_roots import reports_root
from stagehouse.ui.access import may_read
from stagehouse.ui.archive import Archive, RenderedPhraseViews, read_campaign, read_day
from stagehouse.ui.days import neighbours
from stagehouse.ui.responses import download, page, rendered_page
from stagehouse.ui.sections import PHRASE_VIEWS

ALL = "all"
router = APIRouter(prefix=f"/{PHRASE_VIEWS.slug}", dependencies=[may_read(PHRASE_VIEWS.dag_id)])


@router.get("/")
def show(request: Request, day: str = "", campaign: str = "") -> Response:
    """Return the page of a day and a campaign or `all`; the newest day and its first campaign unless told."""
    archive = _archive()
    index = archive.index(read_day(day), RenderedPhraseViews) if day else archive.newest(RenderedPhraseViews)
    if index is None:
        return page(request, "empty.html", section=PHRASE_VIEWS)
    days, known = archive.days(), {rendered.campaign_id: rendered for rendered in index.campaigns}
    asked_for = read_campaign(campaign) if campaign not in ("", ALL) else None
    shown = known.get(next(iter(known), 0) if asked_for is None else asked_for) if campaign != ALL else None
    return page(
        request,
        "phrase_views.html",
        section=PHRASE_VIEWS,
        index=index,
        days=days,
        neighbours=neighbours(days, index.day),
        campaign=shown,
        absent=asked_for if shown is None else None,
        listed=bool(known) and shown is None,
    )


@router.get("/{day}/index.html")
def overview(day: str) -> Response:
    """Return the rendered list of a day's campaigns, which says so where there is none."""
    return rendered_page(_archive().open(read_day(day), "index.html"))


@router.get("/{day}/rows.csv")
def rows(day: str) -> Response:
    """Return all rows of a day, of all campaigns, as a download."""
    wanted = read_day(day)
    return download(_archive().open(wanted, "rows.csv"), f"phrase-views-{wanted}.csv")


@router.get("/{day}/{campaign}.tsv")
def tsv(day: str, campaign: str) -> Response:
    """Return a campaign's `phrase<TAB>views_by_hour` as a download."""
    wanted, number = read_day(day), read_campaign(campaign)
    return download(_archive().open(wanted, f"{number}.tsv"), f"phrase-views-{wanted}-{number}.tsv")


@router.get("/{day}/{campaign}.html")
def html(day: str, campaign: str, *, keep: bool = False) -> Response:
    """Return a campaign's rendered page, to be shown or, with `keep`, as a download."""
    wanted, number = read_day(day), read_campaign(campaign)
    file = _archive().open(wanted, f"{number}.html")
    return download(file, f"phrase-views-{wanted}-{number}.html") if keep else rendered_page(file)


def _archive() -> Archive:
    return Archive(reports_root(), PHRASE_VIEWS.folder)
