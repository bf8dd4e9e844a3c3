"""The rows of the page *Data*: each table that somebody may see, what is late, and its days as a chart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from include.monitoring.airflow_facts import LastRun
from include.monitoring.facts import GitHubRun, PublishedTable, due, last_days, late_by

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
    """A table as the page shows it.

    Attributes: covers, the newest whole day, "" where no days are published; late, in words, "" in time;
    next_due, when the day that follows has to be there; last_run, of its DAG; cost, in words.
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


def table_rows(
    tables: Iterable[PublishedTable],
    hours: Mapping[str, int],
    last_runs: Mapping[str, LastRun],
    github: GitHubRun | None,
    now: datetime,
    may_read: Collection[str],
) -> list[TableRow]:
    """Return the tables of the DAGs that may be read, late ones first."""
    rows = []
    for table in tables:
        if table.dag_id not in may_read:
            continue
        hour, last_run = hours.get(table.dag_id), last_runs.get(table.dag_id)
        late = late_by(table, hour, now)
        rows.append(
            TableRow(
                table.table,
                table.dag_id,
                (table.covered_until - timedelta(days=1)).date().isoformat() if table.covered_until else "",
                table.published_at,
                table.run_id,
                chart(table.rows, now),
                in_words(late.total_seconds()) if late else "",
                due(table, hour) if hour is not None else None,
                last_run,
                _cost(last_run, github),
            )
        )
    return sorted(rows, key=lambda row: (not row.late, row.dag_id, row.table))


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


def in_words(seconds: float) -> str:
    """Return a duration as people say it."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{max(0, round(seconds))} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 min"


def _count(rows: Mapping[date, int], day: date) -> str:
    return f"{rows[day]:,}" if day in rows else "no"


def _cost(run: LastRun | None, github: GitHubRun | None) -> str:
    if run is None:
        return ""
    took = in_words(run.seconds)
    if github is None or (github.dag_id, github.run_id) != (run.dag_id, run.run_id):
        return took
    asked = f"{took}, {github.requests:,} requests"
    return f"{asked}, {github.points:,} points" if github.points else asked
