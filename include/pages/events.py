"""The page of a topic's DAG: what came in, what is left, what was no row, and each report as a CSV."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from include.kafka.reports import TopicReports
from include.pages.events_sections import sections
from include.pages.sections import ROWS_SHOWN, text, write_page
from include.pages.self_contained import self_contained_page
from include.staging.files import StagingPath

TITLES = {"user_events": "Events", "user_sessions": "Sessions"}


def render_events(
    root: StagingPath,
    reports: TopicReports,
    day: date,
    *,
    dag_id: str,
    run_id: str,
    published_at: datetime,
    check_lease: Callable[[], None] = lambda: None,
) -> StagingPath:
    """Write the files of a day below `<root>/<dag_id>/<day>`, index.json last; return that directory.

    A later run of the day writes them anew. The same arguments give the same bytes.

    Args: check_lease: called before each change in sight; what it raises ends the rendering.
    Raises: OSError with the path in it.
    """
    directory = root / dag_id / day.isoformat()
    shown = sections(reports)
    page = self_contained_page(
        "events.html",
        styles=("page.css", "phrase_views.css", "shop.css", "events.css"),
        scripts=(),
        title=TITLES.get(reports.table, reports.table),
        reports=reports,
        sections=shown,
        rows_shown=ROWS_SHOWN,
        text=text,
        rejected=sum(each.rejected for each in reports.partitions),
        lost=sum(each.lost for each in reports.partitions),
        behind=sum(each.behind or 0 for each in reports.partitions),
        run_id=run_id,
        published_at=published_at,
    )
    facts = {"day": day.isoformat(), "run_id": run_id, "published_at": published_at.isoformat()}
    write_page(directory, page, shown, facts, check_lease)
    return directory
