"""The page of the shop: nine reports as charts and tables, with where they come from, and each as a CSV."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from datetime import date, datetime

from include.pages.day_index import READABLE, withdraw_index_of_another, write_index
from include.pages.self_contained import self_contained_page
from include.pages.shop_sections import ROWS_SHOWN, sections, text
from include.shop.reports import ShopReports
from include.staging.files import StagingPath, write_atomically
from include.text import bytes_of

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
    shown = sections(reports)
    page = self_contained_page(
        "shop.html",
        styles=("page.css", "phrase_views.css", "shop.css"),
        scripts=(),
        reports=reports,
        sections=shown,
        rows_shown=ROWS_SHOWN,
        text=text,
        failed=sum(check.outcome == "failed" for check in reports.checks),
        warned=sum(check.outcome == "warning" for check in reports.checks),
        run_id=run_id,
        published_at=published_at,
    )
    facts = {
        "day": day.isoformat(),
        "run_id": run_id,
        "published_at": published_at.isoformat(),
        "reports": [section.slug for section in shown],
        "sha256": hashlib.sha256(page).hexdigest(),
    }
    check_lease()
    withdraw_index_of_another(directory, facts)
    write_atomically(directory / "index.html", page, mode=READABLE)
    for section in shown:
        heads = [column.name for column in section.columns]
        write_atomically(directory / f"{section.slug}.csv", _csv([heads, *section.rows]), mode=READABLE)
    check_lease()
    write_index(directory, facts)
    return directory


def _csv(lines: Sequence[Sequence[object]]) -> bytes:
    # Names are written as they are: whoever reads the file back must find them unchanged.
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return bytes_of(text.getvalue())
