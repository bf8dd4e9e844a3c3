"""Brings rows into tables that are not kept by day: by key, where the newest row of a key counts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.cluster import await_replicas, each_server
from include.clickhouse.errors import DayMismatch
from include.clickhouse.fingerprint import expected_fingerprint, fingerprint, visible_fingerprint
from include.clickhouse.load import StagedPart
from include.clickhouse.partitions import (
    ANSWER_WAIT_S,
    execute_until_confirmed,
    last_publisher,
    unless_published_since,
)
from include.clickhouse.staging_tables import MARK
from include.staging.errors import Superseded
from include.staging.manifest import Manifest
from include.staging.tables import TableParts

log = logging.getLogger(__name__)

NEXT_STEP = "clear task load with all after it"


def upsert(
    clickhouse: ClickHouse,
    manifest: Manifest,
    parts: TableParts,
    loaded: Sequence[StagedPart],
    check_lease: Callable[[], None],
) -> None:
    """Insert the staged rows of a table, and prove that they are in sight.

    Raises: DayMismatch; ClickHouseError; what `check_lease` raises.
    """
    table, columns = quoted(parts.table.name), ", ".join(map(quoted, parts.table.columns))
    condition = ""
    if parts.table.last_insert_counts:
        _await_other_inserts(clickhouse, manifest, parts.table.name)
        unchanged, _ = unless_published_since(clickhouse, parts.table.name)
        condition = f" WHERE {unchanged}"
    for each in loaded:
        part = manifest.part(each.table, each.file)
        expected = expected_fingerprint(part)
        found = fingerprint(clickhouse, parts.table, manifest.day.isoformat(), source=each.staging_table)
        if found != expected:
            reason = f"{each.staging_table} holds {found}, expected {expected}"
            raise mismatch(clickhouse, manifest, parts.table.name, reason)
        source = quoted(each.staging_table)
        insert = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {source}{condition}"
        execute_until_confirmed(clickhouse, insert, check_lease)
    check_lease()  # else it was another's publication that kept the rows away
    await_replicas(clickhouse, parts.table.name)
    require = _require_rows if parts.table.last_insert_counts else _require_keys
    require(clickhouse, manifest, parts, [each.staging_table for each in loaded])


def require_last(
    clickhouse: ClickHouse, manifest: Manifest, parts: TableParts, staged: Sequence[StagedPart]
) -> None:
    """Prove once more that readers see this run's rows, now that no other's can come after them.

    A statement of another, whose lease is gone, may have begun before the row in `loads` was there. From then
    on none inserts anything.
    """
    if (last := last_publisher(clickhouse, parts.table.name)) != manifest.run_id:
        raise Superseded(clickhouse.where, parts.table.name, str(last))
    _await_other_inserts(clickhouse, manifest, parts.table.name)
    _require_rows(clickhouse, manifest, parts, [each.staging_table for each in staged])


def _await_other_inserts(clickhouse: ClickHouse, manifest: Manifest, table: str) -> None:
    """Wait until no statement brings staged rows into `table`: the server goes on when its client is gone."""
    running = (
        "SELECT query FROM system.processes "
        "WHERE position(query, %(insert)s) = 1 AND position(query, %(staged)s) > 0"
    )
    bound = {"insert": f"INSERT INTO {quoted(table)} ", "staged": MARK}
    until = time.monotonic() + ANSWER_WAIT_S
    while found := [query for each in each_server(clickhouse) for (query,) in each.execute(running, bound)]:
        if time.monotonic() > until:
            reason = f"the server still carries out {found[0][:200]!r}, by a try that has ended"
            next_step = "wait until it is over (system.processes) or KILL QUERY, then clear task publish"
            raise DayMismatch(clickhouse.where, table, manifest.day.isoformat(), reason, next_step)
        time.sleep(0.1)


def require_staged(
    clickhouse: ClickHouse, manifest: Manifest, parts: TableParts, sources: Sequence[str]
) -> None:
    """Prove that readers see the rows of `sources`: the values too, where no newer ones may be there."""
    if not parts.table.last_insert_counts:
        _require_keys(clickhouse, manifest, parts, sources)
        return
    newest = last_publisher(clickhouse, parts.table.name)
    if newest is None:
        raise mismatch(clickhouse, manifest, parts.table.name, "loads says that no run has published it")
    if newest == manifest.run_id:
        _require_rows(clickhouse, manifest, parts, sources)
    else:
        log.warning("table %s: run %s has published since: only keys are compared", parts.table.name, newest)
        _require_keys(clickhouse, manifest, parts, sources)


def _require_rows(
    clickhouse: ClickHouse, manifest: Manifest, parts: TableParts, sources: Sequence[str]
) -> None:
    """Prove that readers see each staged row, with the value of every column."""
    if not sources:
        return
    expected = expected_fingerprint(parts)
    numbers = [column for column in parts.table.key if parts.table.columns[column] != "String"]
    # Without the texts first: many times faster, and enough where no other rows lie between these.
    for columns in filter(None, (numbers, parts.table.key)):
        found = visible_fingerprint(clickhouse, parts.table, sources, columns)
        if found == expected:
            return
    reason = f"readers see {found} of this run, expected {expected}"
    raise mismatch(clickhouse, manifest, parts.table.name, reason)


def _require_keys(
    clickhouse: ClickHouse, manifest: Manifest, parts: TableParts, sources: Sequence[str]
) -> None:
    """Prove that readers see each staged key, whatever newer runs have put there."""
    if not sources:
        return
    found = visible_fingerprint(clickhouse, parts.table, sources, parts.table.key)
    if found.rows != parts.rows:
        reason = f"{parts.rows - found.rows} rows of this run are not there"
        raise mismatch(clickhouse, manifest, parts.table.name, reason)


def mismatch(clickhouse: ClickHouse, manifest: Manifest, table: str, reason: str) -> DayMismatch:
    """Return the error of a table that does not hold what was staged."""
    return DayMismatch(clickhouse.where, table, manifest.day.isoformat(), reason, NEXT_STEP)
