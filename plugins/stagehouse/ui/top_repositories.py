"""Top repositories: a day to choose, the ranking in place."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from stagehouse.ui.access import may_read
from stagehouse.ui.archive import RenderedRanking, read_day
from stagehouse.ui.day_pages import archive_of, file_name, rendered_index, show_day
from stagehouse.ui.responses import download
from stagehouse.ui.sections import TOP_REPOSITORIES

router = APIRouter(prefix=f"/{TOP_REPOSITORIES.slug}", dependencies=[may_read(TOP_REPOSITORIES.dag_id)])


@router.get("/")
def show(request: Request, day: str = "") -> Response:
    """Return the page of a day, the newest unless told."""
    return show_day(request, TOP_REPOSITORIES, RenderedRanking, "top_repositories.html", day)


@router.get("/{day}/index.html")
def html(day: str, *, keep: bool = False) -> Response:
    """Return a day's rendered page, to be shown or, with `keep`, as a download."""
    return rendered_index(TOP_REPOSITORIES, day, keep=keep)


@router.get("/{day}/repositories.csv")
def repositories(day: str) -> Response:
    """Return a day's repositories, with their movement and commits, as a download."""
    wanted = read_day(day)
    file = archive_of(TOP_REPOSITORIES).open(wanted, "repositories.csv")
    return download(file, file_name(TOP_REPOSITORIES, f"{wanted}.csv"))
