"""The facts that the page *Data* and the metrics show. Times are aware, UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from statistics import mean
from typing import NamedTuple

SHOWN_DAYS = 14
FEWEST_DAYS = 3  # that a day is compared with


class PublishedTable(NamedTuple):
    """A table that is published.

    Attributes: dag_id: "" where no DAG of ours is known for it; covered_until: the end of the newest whole
    day, None where there is none; published_at and run_id, of the newest publication; rows by day, of the
    last days; by_day: whether days are published, which can be late; first_day that was ever published.
    """

    table: str
    dag_id: str
    covered_until: datetime | None
    published_at: datetime
    run_id: str
    rows: Mapping[date, int]
    by_day: bool = False
    first_day: date | None = None


class GitHubRun(NamedTuple):
    """The newest row of `runs`: its columns. quota_left is -1 where none is told; 1970 is never."""

    dag_id: str
    run_id: str
    planned_at: datetime
    finished_at: datetime
    requests_planned: int
    requests: int
    points_planned: int
    points: int
    seconds_planned: int
    seconds: int
    seconds_waited: int
    retries: int
    unchanged: int
    quota_left: int
    fits: int


class Ledger(NamedTuple):
    """How far a topic is read. Attributes: next_offsets, by partition, of the topic's last epoch."""

    dag_id: str
    topic: str
    next_offsets: Mapping[int, int]


class Synced(NamedTuple):
    """A source whose tables are copied as of one instant. Attributes: names of its tables, as it has them."""

    dag_id: str
    source: str
    taken_at: datetime
    run_id: str
    names: tuple[str, ...]


class Published(NamedTuple):
    """What ClickHouse knows."""

    tables: tuple[PublishedTable, ...] = ()
    github: GitHubRun | None = None
    ledgers: tuple[Ledger, ...] = ()
    synced: tuple[Synced, ...] = ()


class Staging(NamedTuple):
    """Files below `staging_root`. Attributes: bytes and files by DAG; is_whole: all was seen in time."""

    bytes: Mapping[str, int]
    files: Mapping[str, int]
    free_bytes: int
    is_whole: bool


def due(table: PublishedTable, hour: int) -> datetime | None:
    """Return when the first day that is missing has to be published; None of a table without days.

    Args: hour: (UTC) by which the day before has to be there.
    """
    if not table.by_day or table.covered_until is None:
        return None
    return table.covered_until + timedelta(days=1, hours=hour)


def late_by(table: PublishedTable, hour: int | None, now: datetime) -> timedelta:
    """Return how long the first day that is missing is overdue; zero where none is, or nobody watches."""
    expected = due(table, hour) if hour is not None else None
    return max(now - expected, timedelta()) if expected else timedelta()


def unpublished_days(table: PublishedTable, now: datetime) -> int:
    """Return how many of the last days before today have no rows recorded, from the table's first one on."""
    days = last_days(now)
    begun = table.first_day or min(table.rows, default=now.date())
    return sum(day not in table.rows for day in days if day >= begun)


def share_of_week_before(table: PublishedTable, now: datetime) -> float | None:
    """Return yesterday's rows as a share of a day of the week before; None where too few days are known."""
    yesterday, *before = (now.date() - timedelta(days=ago) for ago in range(1, 9))
    known = [table.rows[day] for day in before if day in table.rows]
    if not table.by_day or yesterday not in table.rows or len(known) < FEWEST_DAYS or not any(known):
        return None
    return table.rows[yesterday] / mean(known)


def last_days(now: datetime) -> tuple[date, ...]:
    """Return the last days before today, oldest first."""
    return tuple(now.date() - timedelta(days=ago) for ago in range(SHOWN_DAYS, 0, -1))


def midnight_after(day: date) -> datetime:
    """Return the end of a day (UTC)."""
    return datetime.combine(day + timedelta(days=1), time.min, UTC)
