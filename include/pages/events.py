"""The page of a topic's DAG: what came in, what is left, what was no row, and each report as a CSV."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from include.kafka.reports import TopicReports
from include.pages.events_sections import sections
from include.pages.sections import render_sections
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
    render_sections(
        directory,
        "events.html",
        sections(reports),
        styles=("events.css",),
        run_id=run_id,
        published_at=published_at,
        check_lease=check_lease,
        reports=reports,
        title=TITLES.get(reports.table, reports.table),
        rejected=sum(each.rejected for each in reports.partitions),
        lost=sum(each.lost for each in reports.partitions),
        behind=sum(each.behind or 0 for each in reports.partitions),
    )
    return directory
