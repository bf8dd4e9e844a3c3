"""Shop: a day to choose, its reports in place, each of them to keep."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from stagehouse.ui.access import may_read
from stagehouse.ui.archive import RenderedReports
from stagehouse.ui.day_pages import rendered_index, report_csv, show_day
from stagehouse.ui.sections import SHOP

router = APIRouter(prefix=f"/{SHOP.slug}", dependencies=[may_read(SHOP.dag_id)])


@router.get("/")
def show(request: Request, day: str = "") -> Response:
    """Return the page of a day, the newest unless told."""
    return show_day(request, SHOP, RenderedReports, "reports.html", day, others=())


@router.get("/{day}/index.html")
def html(day: str, *, keep: bool = False) -> Response:
    """Return a day's rendered page, to be shown or, with `keep`, as a download."""
    return rendered_index(SHOP, day, keep=keep)


@router.get("/{day}/{report}.csv")
def csv(day: str, report: str) -> Response:
    """Return a report of a day as a download."""
    return report_csv(SHOP, day, report)
