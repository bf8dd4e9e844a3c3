"""Top repositories: a day to choose, the ranking in place."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from stagehouse.hooks.storage_roots import reports_root
from stagehouse.ui.access import may_read
from stagehouse.ui.archive import Archive, RenderedRanking, read_day
from stagehouse.ui.days import neighbours
from stagehouse.ui.responses import download, page, rendered_page
from stagehouse.ui.sections import TOP_REPOSITORIES

router = APIRouter(prefix=f"/{TOP_REPOSITORIES.slug}", dependencies=[may_read(TOP_REPOSITORIES.dag_id)])


@router.get("/")
def show(request: Request, day: str = "") -> Response:
    """Return the page of a day, the newest unless told."""
    archive = _archive()
    index = archive.index(read_day(day), RenderedRanking) if day else archive.newest(RenderedRanking)
    if index is None:
        return page(request, "empty.html", section=TOP_REPOSITORIES)
    days = archive.days()
    return page(
        request,
        "top_repositories.html",
        section=TOP_REPOSITORIES,
        index=index,
        days=days,
        neighbours=neighbours(days, index.day),
    )


@router.get("/{day}/index.html")
def html(day: str, *, keep: bool = False) -> Response:
    """Return a day's rendered page, to be shown or, with `keep`, as a download."""
    wanted = read_day(day)
    file = _archive().open(wanted, "index.html")
    return download(file, f"top-repositories-{wanted}.html") if keep else rendered_page(file)


@router.get("/{day}/repositories.csv")
def repositories(day: str) -> Response:
    """Return a day's repositories, with their movement and commits, as a download."""
    wanted = read_day(day)
    return download(_archive().open(wanted, "repositories.csv"), f"top-repositories-{wanted}.csv")


def _archive() -> Archive:
    return Archive(reports_root(), TOP_REPOSITORIES.folder)
