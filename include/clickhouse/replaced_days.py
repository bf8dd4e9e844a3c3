"""Replaces many days of a table from one staging table that has them all: each day in one step of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime

from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.cluster import await_replicas, connect_to_unit
from include.clickhouse.fingerprint import Fingerprint, fingerprints_by_day
from include.clickhouse.loads import record_load
from include.clickhouse.partitions import replace_proved_partition
from include.clickhouse.publication import Publication
from include.clickhouse.staging_tables import create_staging_table, staging_table_name
from include.staging.tables import StagedTable
from include.staging.units import Unit

log = logging.getLogger(__name__)

DAYS_AT_ONCE = 90  # an INSERT may make 100 partitions
NOTHING = Fingerprint(rows=0, keys=0, checksum=0)


def replace_days(
    clickhouse: ClickHouse,
    table: StagedTable,
    days: Iterable[date],
    select: Callable[[Sequence[date]], tuple[str, dict[str, object]]],
    *,
    run_id: str,
    attempt: str,
    now: Callable[[], datetime],
    check_lease: Callable[[], None],
    next_step: str,
) -> dict[date, int]:
    """Put the rows that `select` returns for days into the place of theirs; return rows by day.

    A day without rows is emptied. Safe to repeat at any point: a day is the old one or the new one, and its
    row in `loads` follows. On a cluster the rows are made on the shard that has the day.

    Args: select: returns a SELECT of the table's columns for some days, and its params.
    Raises: DayMismatch, naming the day; ClickHouseError; what `check_lease` raises, right before each change
        in sight.
    """
    replaced = {}
    for group in _by_server(clickhouse, table, sorted(days)):
        connect_to_unit(clickhouse, [table], Unit.of_day(group[0]))
        source = staging_table_name(table.name, run_id, f"{attempt} {group[0]}")
        create_staging_table(clickhouse, table.name, source)
        columns = ", ".join(map(quoted, table.columns))
        for start in range(0, len(group), DAYS_AT_ONCE):
            query, params = select(group[start : start + DAYS_AT_ONCE])
            clickhouse.execute(f"INSERT INTO {quoted(source)} ({columns}) {query}", params)
        staged = fingerprints_by_day(clickhouse, table, source=source)
        # One part a day, so that a crash inside REPLACE leaves all of the partition or nothing of it.
        clickhouse.execute(f"OPTIMIZE TABLE {quoted(source)} FINAL")
        publications = [
            Publication(clickhouse, Unit.of_day(day), run_id, attempt, check_lease, next_step)
            for day in group
        ]
        for publication in publications:
            expected = staged.get(publication.unit.day, NOTHING)
            _require(
                publication, table, source, expected, expected.model_copy(update={"keys": expected.rows})
            )
            replace_proved_partition(publication, table, source, expected)
        await_replicas(clickhouse, table.name)
        found = fingerprints_by_day(clickhouse, table, group)
        for publication in publications:
            expected = staged.get(day := publication.unit.day, NOTHING)
            _require(publication, table, table.name, found.get(day, NOTHING), expected)
            check_lease()
            record_load(clickhouse, table.name, publication.unit, expected, run_id, now())
            replaced[day] = expected.rows
        clickhouse.execute(f"DROP TABLE IF EXISTS {quoted(source)}")
    return replaced


def _require(
    publication: Publication, table: StagedTable, place: str, found: Fingerprint, expected: Fingerprint
) -> None:
    if found != expected:
        raise publication.mismatch(table.name, f"{place} holds {found}, expected {expected}")


def _by_server(clickhouse: ClickHouse, table: StagedTable, days: Sequence[date]) -> list[list[date]]:
    """Return the days in groups: on a cluster, those of one shard together."""
    groups: dict[str, list[date]] = {}
    for day in days:
        connect_to_unit(clickhouse, [table], Unit.of_day(day))
        groups.setdefault(getattr(clickhouse, "address", ""), []).append(day)
    return list(groups.values())
