"""Replaces a day of a table: readers see the old day or the new one, never a part of it.

Why this way and no other (tested on 18.16 and 26.9): DROP PARTITION and INSERT shows readers an empty day;
ATTACH PARTITION FROM doubles the day when it is repeated; REPLACE PARTITION is atomic and may be repeated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import NamedTuple

import stamina

from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.cluster import await_replicas, each_server, rows_database, rows_of
from include.clickhouse.errors import DayMismatch, OutcomeUnknown, UnusableConnection
from include.clickhouse.fingerprint import Fingerprint, expected_fingerprint, fingerprint
from include.clickhouse.schema_compat import fingerprint_as_published
from include.staging.tables import StagedTable

log = logging.getLogger(__name__)

OLD_PARTS_WAIT_S = 60.0  # 10 s were measured on 18.16
ANSWER_WAIT_S = 120.0  # long enough for a server to restart
_LOADS = ("table", "date", "rows", "checksum", "run_id", "published_at")


class RecordedLoad(NamedTuple):
    """A row of `loads`: what of a day is published. published_at is aware, UTC."""

    rows: int
    checksum: int
    run_id: str
    published_at: datetime


def replace_day(
    clickhouse: ClickHouse,
    table: StagedTable,
    day: date,
    source: str | None,
    expected: Fingerprint,
    next_step: str,
    *,
    check_lease: Callable[[], None] = lambda: None,
) -> None:
    """Put the rows of the staging table `source` in the place of the day; `source` keeps its rows.

    Args: expected, what `source` holds: proved before and after; with 0 rows, `source` may be None and the
        day is emptied. next_step, for the error. check_lease, called right before the change, and again
        before it is repeated.
    Raises: DayMismatch; ClickHouseError; what `check_lease` raises.
    """
    partition = day.isoformat()
    if expected.rows and source:
        _require(clickhouse, table, partition, expected, next_step, source=source)
        # One part, so that a crash inside REPLACE leaves all of the day or nothing of it.
        clickhouse.execute(f"OPTIMIZE TABLE {quoted(source)} PARTITION '{partition}' FINAL")
        change = f"REPLACE PARTITION '{partition}' FROM {quoted(source)}"
    else:  # REPLACE from a table without the partition wipes the day on 18.16 and is refused on 26.9
        change = f"DROP PARTITION '{partition}'"
    execute_until_confirmed(
        clickhouse, f"ALTER TABLE {rows_of(clickhouse, table.name)} {change}", check_lease
    )
    await_replicas(clickhouse, table.name)
    _require(clickhouse, table, partition, expected, next_step)
    log.info("%s: table %s, day %s: %d rows published", clickhouse.where, table.name, day, expected.rows)


@stamina.retry(on=(OutcomeUnknown, UnusableConnection), attempts=None, timeout=ANSWER_WAIT_S, wait_max=10.0)
def execute_until_confirmed(
    clickhouse: ClickHouse, idempotent_statement: str, check_lease: Callable[[], None]
) -> None:
    """Run a statement until the server says that it is done: after a lost answer, once more.

    `check_lease` is asked each time: while the answer was away, another may have taken the lease.
    """
    check_lease()
    clickhouse.execute(idempotent_statement)


def check_published_day(
    clickhouse: ClickHouse, table: StagedTable, day: date, expected: Fingerprint, run_id: str, next_step: str
) -> int:
    """Compare what readers see of the day, and its row in `loads`, with what this run published.

    A day that another run has published since must be what that run recorded. Returns the rows.

    Raises: DayMismatch.
    """
    published = (expected.rows, expected.checksum)
    recorded = recorded_load(clickhouse, table.name, day)
    if recorded and recorded[2] != run_id and recorded[:2] != published:
        log.warning("table %s, day %s: run %s has published it since", table.name, day, recorded[2])
        published = recorded[:2]
    elif recorded is None or recorded[:2] != published:
        reason = f"loads says {recorded}, this run published {published}"
        raise DayMismatch(clickhouse.where, table.name, day.isoformat(), reason, next_step)
    _require_published(clickhouse, table, day, recorded, next_step)
    return published[0]


def require_recorded(clickhouse: ClickHouse, table: StagedTable, day: date, next_step: str) -> RecordedLoad:
    """Require the day to be what its row in `loads` says, before something is made from it; return that row.

    Raises: DayMismatch.
    """
    recorded = recorded_load(clickhouse, table.name, day)
    if recorded is None:
        reason = "loads has no row of it"
        raise DayMismatch(clickhouse.where, table.name, day.isoformat(), reason, next_step)
    _require_published(clickhouse, table, day, recorded, next_step)
    return recorded


def record_load(
    clickhouse: ClickHouse,
    table: str,
    day: date,
    published: Fingerprint,
    run_id: str,
    published_at: datetime,
    *,
    newest_of_all_days: bool = False,
) -> None:
    """Write the day's row in `loads`; written twice, it counts once.

    The newest `published_at` counts, of the day or of all days of the table, so it is made later than those
    that are there: clocks differ. A statement that arrives when another has published since writes nothing.
    """
    condition, newest = unless_published_since(clickhouse, table, None if newest_of_all_days else day)
    later = max(int(published_at.timestamp()), newest + 1)
    row = (table, day.isoformat(), published.rows, published.checksum, run_id, later)
    columns = ", ".join(map(quoted, _LOADS))
    clickhouse.execute(
        f"INSERT INTO {quoted('loads')} ({columns}) SELECT %(table)s, toDate(%(date)s), %(rows)s, "
        f"%(checksum)s, %(run_id)s, toDateTime(%(published_at)s, 'UTC') WHERE {condition}",
        dict(zip(_LOADS, row, strict=True)),
    )
    await_replicas(clickhouse, "loads")


def recorded_load(clickhouse: ClickHouse, table: str, day: date) -> RecordedLoad | None:
    """Return what `loads` says is published, None where nothing is."""
    found = clickhouse.execute(
        "SELECT rows, checksum, run_id, toUnixTimestamp(published_at) FROM loads FINAL "
        "WHERE `table` = %(table)s AND date = %(day)s",
        {"table": table, "day": day},
    )
    if not found:
        return None
    rows, checksum, run_id, published_at = found[0]
    return RecordedLoad(rows, checksum, run_id, datetime.fromtimestamp(published_at, UTC))


def last_publisher(clickhouse: ClickHouse, table: str) -> str | None:
    """Return the run_id of the newest row in `loads` for `table`, None where there is none."""
    found = clickhouse.execute(
        "SELECT run_id FROM loads FINAL WHERE `table` = %(table)s "
        "ORDER BY published_at DESC, date DESC LIMIT 1",
        {"table": table},
    )
    return str(found[0][0]) if found else None


def unless_published_since(clickhouse: ClickHouse, table: str, day: date | None = None) -> tuple[str, int]:
    """Return a condition, for a statement, and the newest `published_at` it stands for, as Unix seconds.

    The condition: no run has recorded the day of `table`, or any of its days, in `loads` from now on. The
    server asks it when it begins with the statement. Who sent it may have lost the lease by then.
    """
    newest = f"SELECT toUnixTimestamp(max(published_at)) FROM loads WHERE `table` = '{table}'"
    newest += f" AND date = '{day}'" if day else ""
    ((seconds,),) = clickhouse.execute(newest)
    return f"({newest}) = {seconds}", seconds


def await_removal_of_old_parts(
    clickhouse: ClickHouse, tables: Iterable[str], wait_s: float = OLD_PARTS_WAIT_S
) -> None:
    """Wait until replaced parts are off the disk: a server that restarts before brings them back.

    Source: https://github.com/ClickHouse/ClickHouse/issues/107605
    """
    bound = {"database": rows_database(clickhouse), "tables": tuple(tables)}
    if not clickhouse.is_server or not bound["tables"]:
        return
    old_parts = (
        "SELECT count() FROM system.parts "
        "WHERE database = %(database)s AND table IN %(tables)s AND NOT active"
    )
    until = time.monotonic() + wait_s
    while left := sum(each.execute(old_parts, bound)[0][0] for each in each_server(clickhouse)):
        if time.monotonic() > until:
            log.warning(
                "%s: %d replaced parts are still on disk; after a restart of the server run task check again",
                clickhouse.where,
                left,
            )
            return
        time.sleep(0.5)


def _require(
    clickhouse: ClickHouse,
    table: StagedTable,
    day: str,
    expected: Fingerprint,
    next_step: str,
    source: str | None = None,
) -> None:
    found = fingerprint(clickhouse, table, day, source=source)
    if found != expected:
        reason = f"{source or 'it'} holds {found}, expected {expected}"
        raise DayMismatch(clickhouse.where, table.name, day, reason, next_step)


def _require_published(
    clickhouse: ClickHouse, table: StagedTable, day: date, recorded: RecordedLoad, next_step: str
) -> None:
    expected = expected_fingerprint(recorded)
    found = fingerprint_as_published(clickhouse, table, day.isoformat(), expected)
    if found != expected:
        reason = f"it holds {found}, expected {expected}"
        raise DayMismatch(clickhouse.where, table.name, day.isoformat(), reason, next_step)
