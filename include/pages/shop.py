"""The page of the shop: nine reports as charts and tables, with where they come from, and each as a CSV."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from include.pages.sections import render_sections
from include.pages.shop_sections import sections
from include.shop.reports import ShopReports
from include.staging.files import StagingPath

PAGES = "shop"  # the directory of all days below reports_root


def render_shop(
    root: StagingPath,
    reports: ShopReports,
    day: date,
    *,
    run_id: str,
    published_at: datetime,
    check_lease: Callable[[], None] = lambda: None,
) -> StagingPath:
    """Write the files of a day below `<root>/shop/<day>`, index.json last; return that directory.

    A later run of the day writes them anew. The same arguments give the same bytes.

    Args: check_lease: called before each change in sight; what it raises ends the rendering.
    Raises: OSError with the path in it.
    """
    directory = root / PAGES / day.isoformat()
    render_sections(
        directory,
        "shop.html",
        sections(reports),
        styles=(),
        run_id=run_id,
        published_at=published_at,
        check_lease=check_lease,
        reports=reports,
        failed=sum(check.outcome == "failed" for check in reports.checks),
        warned=sum(check.outcome == "warning" for check in reports.checks),
    )
    return directory
