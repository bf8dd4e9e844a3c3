"""Publishes a staged day: readers see the old day or the new one, never a part of it.

Why this way and no other (tested on 18.16 and 26.9): DROP PARTITION and INSERT shows readers an empty day;
ATTACH PARTITION FROM doubles the day when it is repeated; REPLACE PARTITION is atomic and may be repeated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import stamina

from include.clickhouse.client import ClickHouse, insert_rows, quoted
from include.clickhouse.errors import ConnectionMistake, DayMismatch, OutcomeUnknown
from include.clickhouse.load import Contents, StagedPart, contents
from include.clickhouse.staging_tables import (
    create_staging_table,
    drop_abandoned_staging_tables,
    drop_staging_tables,
    staging_table_name,
)
from include.staging.manifest import Manifest
from include.staging.tables import TableParts

log = logging.getLogger(__name__)

OLD_PARTS_WAIT_S = 60.0  # 10 s were measured on 18.16
ANSWER_WAIT_S = 120.0  # long enough for a server to restart
_LOADS = ("table", "date", "rows", "checksum", "run_id", "published_at")


def publish_day(
    clickhouse: ClickHouse,
    manifest: Manifest,
    staged: Sequence[StagedPart],
    *,
    attempt: str,
    now: Callable[[], datetime],
    old_parts_wait_s: float = OLD_PARTS_WAIT_S,
) -> dict[str, int]:
    """Bring the staged rows of every table of `manifest` into sight; return rows by table.

    Safe to repeat at any point, also after its end. Tables without days first, so that the rows of
    `loads`, written last, stand for all of it.

    Raises: DayMismatch; ClickHouseError.
    """
    if _published_by_this_run(clickhouse, manifest):
        log.info("%s: this run has already published %s", clickhouse.where, manifest.day)
    else:
        _require_staging_tables(clickhouse, manifest, staged)
        by_day = sorted(manifest.tables.values(), key=lambda parts: parts.table.day_column is not None)
        for parts in by_day:
            sources = [part.staging_table for part in staged if part.table == parts.table.name]
            if parts.table.day_column:
                _replace_day(clickhouse, manifest, parts, sources, attempt)
            else:
                _upsert(clickhouse, manifest, parts, sources)
        for parts in by_day:
            if parts.table.day_column:
                _record_load(clickhouse, manifest, parts, now())
    _await_removal_of_old_parts(clickhouse, manifest, old_parts_wait_s)
    drop_staging_tables(clickhouse, manifest.run_id)
    drop_abandoned_staging_tables(clickhouse)
    return {table: parts.rows for table, parts in manifest.tables.items()}


def check_day(clickhouse: ClickHouse, manifest: Manifest) -> dict[str, int]:
    """Compare what readers see of the day with the manifest; return rows by table.

    A day that another run has published since must be what that run recorded in `loads`.

    Raises: DayMismatch, naming table, day and the next step.
    """
    day, rows = manifest.day.isoformat(), {}
    for parts in _tables_by_day(manifest):
        name = parts.table.name
        recorded = recorded_load(clickhouse, name, day)
        expected = (parts.rows, parts.checksum)
        if recorded and recorded[2] != manifest.run_id:
            log.warning("table %s, day %s: run %s has published it since", name, day, recorded[2])
            expected = recorded[:2]
        elif recorded is None or recorded[:2] != expected:
            raise _mismatch(clickhouse, manifest, name, f"loads says {recorded}, the manifest {expected}")
        found = contents(clickhouse, parts.table, day)
        if (found.rows, found.checksum) != expected or found.keys != found.rows:
            raise _mismatch(
                clickhouse, manifest, name, f"holds {found}, expected rows and checksum {expected}"
            )
        rows[name] = found.rows
    return rows


def recorded_load(clickhouse: ClickHouse, table: str, day: str) -> tuple[int, int, str] | None:
    """Return (rows, checksum, run_id) of what `loads` says is published, None where nothing is."""
    found = clickhouse.execute(
        "SELECT rows, checksum, run_id FROM loads FINAL WHERE `table` = %(table)s AND date = %(day)s",
        {"table": table, "day": day},
    )
    return found[0] if found else None


def _tables_by_day(manifest: Manifest) -> list[TableParts]:
    return [parts for parts in manifest.tables.values() if parts.table.day_column]


def _published_by_this_run(clickhouse: ClickHouse, manifest: Manifest) -> bool:
    day, tables = manifest.day.isoformat(), _tables_by_day(manifest)
    return bool(tables) and all(
        recorded_load(clickhouse, parts.table.name, day) == (parts.rows, parts.checksum, manifest.run_id)
        and contents(clickhouse, parts.table, day) == _expected(parts)
        for parts in tables
    )


def _require_staging_tables(clickhouse: ClickHouse, manifest: Manifest, staged: Sequence[StagedPart]) -> None:
    loaded = {(part.table, part.file) for part in staged}
    wanted = {(name, part.file) for name, parts in manifest.tables.items() for part in parts.parts}
    if loaded != wanted:
        table, file = min(wanted ^ loaded)
        raise _mismatch(clickhouse, manifest, table, f"part {file} is loaded or staged, but not both")
    existing = {name for (name,) in clickhouse.execute("SHOW TABLES")}
    for part in staged:
        if part.staging_table not in existing:
            raise _mismatch(clickhouse, manifest, part.table, f"staging table {part.staging_table} is gone")


def _replace_day(
    clickhouse: ClickHouse, manifest: Manifest, parts: TableParts, sources: Sequence[str], attempt: str
) -> None:
    table, day = quoted(parts.table.name), manifest.day.isoformat()
    if not parts.rows:  # REPLACE from a table without the partition: wipes the day on 18.16, refused on 26.9
        _settle(clickhouse, f"ALTER TABLE {table} DROP PARTITION '{day}'")
    else:
        source = _gathered(clickhouse, manifest, parts, sources, attempt)
        staged = contents(clickhouse, parts.table, day, source=source)
        if staged != _expected(parts):
            reason = f"{source} holds {staged}, expected {_expected(parts)}"
            raise _mismatch(clickhouse, manifest, parts.table.name, reason)
        # One part, so that a crash inside REPLACE leaves all of the day or nothing of it.
        clickhouse.execute(f"OPTIMIZE TABLE {quoted(source)} PARTITION '{day}' FINAL")
        _settle(clickhouse, f"ALTER TABLE {table} REPLACE PARTITION '{day}' FROM {quoted(source)}")
    published = contents(clickhouse, parts.table, day)
    if published != _expected(parts):
        reason = f"holds {published} after publishing, expected {_expected(parts)}"
        raise _mismatch(clickhouse, manifest, parts.table.name, reason)
    log.info("%s: table %s, day %s: %d rows published", clickhouse.where, parts.table.name, day, parts.rows)


def _gathered(
    clickhouse: ClickHouse, manifest: Manifest, parts: TableParts, sources: Sequence[str], attempt: str
) -> str:
    if len(sources) == 1:
        return sources[0]
    name = staging_table_name(parts.table.name, manifest.run_id, f"publish {attempt}")
    create_staging_table(clickhouse, parts.table.name, name)
    for source in sources:  # hard links, no copy; in a table of this try, as it appends
        partition = f"ATTACH PARTITION '{manifest.day.isoformat()}' FROM {quoted(source)}"
        clickhouse.execute(f"ALTER TABLE {quoted(name)} {partition}")
    return name


def _upsert(clickhouse: ClickHouse, manifest: Manifest, parts: TableParts, sources: Sequence[str]) -> None:
    table = quoted(parts.table.name)
    columns, key = (", ".join(map(quoted, names)) for names in (parts.table.columns, parts.table.key))
    for source in map(quoted, sources):
        _settle(clickhouse, f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {source}")
        missing = f"SELECT count() FROM {source} WHERE ({key}) NOT IN (SELECT {key} FROM {table} FINAL)"
        if lost := clickhouse.execute(missing)[0][0]:
            raise _mismatch(clickhouse, manifest, parts.table.name, f"{lost} rows are missing after INSERT")


@stamina.retry(on=(OutcomeUnknown, ConnectionMistake), attempts=None, timeout=ANSWER_WAIT_S, wait_max=10.0)
def _settle(clickhouse: ClickHouse, idempotent_statement: str) -> None:
    clickhouse.execute(idempotent_statement)


def _record_load(
    clickhouse: ClickHouse, manifest: Manifest, parts: TableParts, published_at: datetime
) -> None:
    row = (parts.table.name, manifest.day, parts.rows, parts.checksum, manifest.run_id, published_at)
    insert_rows(clickhouse, "loads", _LOADS, [[row]])


def _await_removal_of_old_parts(clickhouse: ClickHouse, manifest: Manifest, wait_s: float) -> None:
    """Wait until replaced parts are off the disk: a server that restarts before brings them back.

    Source: https://github.com/ClickHouse/ClickHouse/issues/107605
    """
    if not clickhouse.is_server:
        return
    tables = tuple(manifest.tables)
    old_parts = (
        "SELECT count() FROM system.parts "
        "WHERE database = %(database)s AND table IN %(tables)s AND NOT active"
    )
    until = time.monotonic() + wait_s
    while left := clickhouse.execute(old_parts, {"database": clickhouse.database, "tables": tables})[0][0]:
        if time.monotonic() > until:
            log.warning(
                "%s: %d replaced parts are still on disk; run task check again after a restart of the server",
                clickhouse.where,
                left,
            )
            return
        time.sleep(0.5)


def _expected(parts: TableParts) -> Contents:
    return Contents(rows=parts.rows, keys=parts.rows, checksum=parts.checksum)


def _mismatch(clickhouse: ClickHouse, manifest: Manifest, table: str, reason: str) -> DayMismatch:
    return DayMismatch(
        clickhouse.where, table, manifest.day.isoformat(), reason, "clear task load with all after it"
    )
