"""The rows of the page *Data*: each table that somebody may see, what is late, and its days as a chart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from include.monitoring.airflow_facts import AirflowFacts, LastRun
from include.monitoring.facts import (
    GitHubRun,
    Published,
    PublishedTable,
    Synced,
    due,
    last_days,
    late_by,
    share_of_week_before,
)
from include.monitoring.limits import SHARE, SYNC_BEHIND
from include.text import duration

CHART_HEIGHT = 32
_BAR, _GAP = 5, 8  # two bars and a gap a day
WEEK = 7


class Bar(NamedTuple):
    """A bar of the chart, in pixels. Attributes: is_now: of the last week, not of the one before."""

    x: int
    y: float
    height: float
    is_now: bool


class Chart(NamedTuple):
    """Rows of the last week, each day beside the same weekday before. Attributes: says, for who sees none."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    says: str


class TableRow(NamedTuple):
    """A table as the page shows it, or the tables that are copied as of one instant.

    Attributes: names, of the tables copied; covers, the newest whole day or that instant, "" where neither is
    known; late, in words, "" in time; fewer: where yesterday has far fewer rows than the week before, their
    share in words; next_due, when what follows has to be there; last_run, of its DAG; cost, in words.
    """

    table: str
    dag_id: str
    covers: str
    published_at: datetime
    run_id: str
    chart: Chart | None
    late: str
    next_due: datetime | None
    last_run: LastRun | None
    cost: str
    fewer: str = ""
    names: tuple[str, ...] = ()


def table_rows(
    published: Published,
    hours: Mapping[str, int],
    airflow: AirflowFacts | None,
    now: datetime,
    may_read: Collection[str],
) -> list[TableRow]:
    """Return the tables of the DAGs that may be read: late ones first, then those with few rows."""
    last_runs = airflow.last_runs if airflow else {}
    rows = [
        _row(table, hours.get(table.dag_id), last_runs.get(table.dag_id), published.github, now)
        for table in published.tables
        if table.dag_id in may_read
    ]
    for synced in published.synced:
        if synced.dag_id in may_read:
            paused = airflow is not None and airflow.paused.get(synced.dag_id, False)
            rows.append(_synced_row(synced, last_runs.get(synced.dag_id), now, paused=paused))
    return sorted(rows, key=lambda row: (not row.late, not row.fewer, row.dag_id, row.table))


def _row(
    table: PublishedTable, hour: int | None, last_run: LastRun | None, github: GitHubRun | None, now: datetime
) -> TableRow:
    late, share = late_by(table, hour, now), share_of_week_before(table, now)
    return TableRow(
        table.table,
        table.dag_id,
        (table.covered_until - timedelta(days=1)).date().isoformat() if table.covered_until else "",
        table.published_at,
        table.run_id,
        chart(table.rows, now),
        duration(late.total_seconds()) if late else "",
        due(table, hour) if hour is not None else None,
        last_run,
        _cost(last_run, github),
        fewer=f"{share:.0%}" if share is not None and share < SHARE else "",
    )


def _synced_row(synced: Synced, last_run: LastRun | None, now: datetime, *, paused: bool) -> TableRow:
    """Return the row of tables that are copied every hour; who has paused the DAG waits for none."""
    next_due = None if paused else synced.taken_at + SYNC_BEHIND
    return TableRow(
        f"{synced.source}_*",
        synced.dag_id,
        f"{synced.taken_at:%Y-%m-%d %H:%M}",
        synced.taken_at,
        synced.run_id,
        None,
        duration((now - next_due).total_seconds()) if next_due and now > next_due else "",
        next_due,
        last_run,
        _cost(last_run, None),
        names=synced.names,
    )


def chart(rows: Mapping[date, int], now: datetime) -> Chart | None:
    """Return the chart of the last seven days; None where none of fourteen has rows."""
    days = last_days(now)
    most = max((rows.get(day, 0) for day in days), default=0)
    if not most:
        return None
    bars, texts = list[Bar](), list[str]()
    for number, day in enumerate(days[-WEEK:]):
        x = number * (2 * _BAR + _GAP)
        before = day - timedelta(days=WEEK)
        for offset, each in ((0, before), (_BAR, day)):
            height = round(CHART_HEIGHT * rows.get(each, 0) / most, 1)
            bars.append(Bar(x + offset, CHART_HEIGHT - height, height, each == day))
        texts.append(f"{day}: {_count(rows, day)} rows, a week before {_count(rows, before)}")
    return Chart(WEEK * (2 * _BAR + _GAP) - _GAP, CHART_HEIGHT, tuple(bars), "\n".join(texts))


def _count(rows: Mapping[date, int], day: date) -> str:
    return f"{rows[day]:,}" if day in rows else "no"


def _cost(run: LastRun | None, github: GitHubRun | None) -> str:
    if run is None:
        return ""
    took = duration(run.seconds)
    if github is None or (github.dag_id, github.run_id) != (run.dag_id, run.run_id):
        return took
    asked = f"{took}, {github.requests:,} requests"
    return f"{asked}, {github.points:,} points" if github.points else asked
