"""Shop: a day to choose, its reports in place, each of them to keep."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from stagehouse.hooks.storage_roots import reports_root
from stagehouse.ui.access import may_read
from stagehouse.ui.archive import Archive, NotPublished, RenderedReports, read_day
from stagehouse.ui.days import neighbours
from stagehouse.ui.responses import download, page, rendered_page
from stagehouse.ui.sections import SHOP

router = APIRouter(prefix=f"/{SHOP.slug}", dependencies=[may_read(SHOP.dag_id)])


@router.get("/")
def show(request: Request, day: str = "") -> Response:
    """Return the page of a day, the newest unless told."""
    archive = _archive()
    index = archive.index(read_day(day), RenderedReports) if day else archive.newest(RenderedReports)
    if index is None:
        return page(request, "empty.html", section=SHOP)
    days = archive.days()
    return page(
        request,
        "reports.html",
        section=SHOP,
        index=index,
        days=days,
        neighbours=neighbours(days, index.day),
        others=(),
    )


@router.get("/{day}/index.html")
def html(day: str, *, keep: bool = False) -> Response:
    """Return a day's rendered page, to be shown or, with `keep`, as a download."""
    wanted = read_day(day)
    file = _archive().open(wanted, "index.html")
    return download(file, f"shop-{wanted}.html") if keep else rendered_page(file)


@router.get("/{day}/{report}.csv")
def csv(day: str, report: str) -> Response:
    """Return a report of a day as a download."""
    archive, wanted = _archive(), read_day(day)
    known = {each: each for each in archive.index(wanted, RenderedReports).reports}
    if report not in known:
        raise NotPublished(f"The shop has no such report of {wanted}")
    name = known[report].replace("_", "-")
    return download(archive.open(wanted, f"{known[report]}.csv"), f"shop-{wanted}-{name}.csv")


def _archive() -> Archive:
    return Archive(reports_root(), SHOP.folder)
