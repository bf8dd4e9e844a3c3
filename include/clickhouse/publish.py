"""Publishes what a run staged: each table whole, and a row in `loads` for each day in sight."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.cluster import await_replicas, connect_to_day, each_server
from include.clickhouse.columns import has_columns_of
from include.clickhouse.contents import Contents, contents, contents_in_sight
from include.clickhouse.day import (
    ANSWER_WAIT_S,
    OLD_PARTS_WAIT_S,
    await_removal_of_old_parts,
    check_published_day,
    last_publisher,
    record_load,
    recorded_load,
    replace_day,
    settle,
    unless_published_since,
)
from include.clickhouse.errors import DayMismatch
from include.clickhouse.load import StagedPart, load_part
from include.clickhouse.staging_tables import (
    MARK,
    create_staging_table,
    drop_abandoned_staging_tables,
    drop_staging_tables,
    staging_table_name,
    staging_tables,
)
from include.staging.files import StagingPath
from include.staging.manifest import Manifest
from include.staging.tables import TableParts

log = logging.getLogger(__name__)

NEXT_STEP = "clear task load with all after it"


def publish_day(
    clickhouse: ClickHouse,
    manifest: Manifest,
    staged: Sequence[StagedPart],
    *,
    attempt: str,
    now: Callable[[], datetime],
    still_allowed: Callable[[], None] = lambda: None,
    old_parts_wait_s: float = OLD_PARTS_WAIT_S,
) -> dict[str, int]:
    """Bring the staged rows of every table of `manifest` into sight; return rows by table.

    Safe to repeat at any point, also after its end. Tables without days first, so that the rows of
    `loads`, written last, stand for all of it. `still_allowed` is called right before each change in sight;
    what it raises (a lost lease) ends the publication.

    Raises: DayMismatch; ClickHouseError.
    """
    connect_to_day(clickhouse, [parts.table for parts in manifest.tables.values()], manifest.day)
    gone = _missing_staging_table(clickhouse, manifest, staged)
    if gone and _published_by_this_run(clickhouse, manifest):
        log.info("%s: this run has already published %s", clickhouse.where, manifest.day)
    elif gone:
        raise gone
    else:
        tables = sorted(manifest.tables.values(), key=lambda parts: parts.table.day_column is not None)
        for parts in tables:
            loaded = [part for part in staged if part.table == parts.table.name]
            if parts.table.day_column:
                source = _gathered(clickhouse, manifest, parts, loaded, attempt)
                replace_day(
                    clickhouse,
                    parts.table,
                    manifest.day,
                    source,
                    _expected(parts),
                    NEXT_STEP,
                    still_allowed=still_allowed,
                )
            else:
                _upsert(clickhouse, manifest, parts, loaded, still_allowed)
        for parts in _recorded_tables(manifest):
            still_allowed()
            name, published = parts.table.name, _expected(parts)
            record_load(
                clickhouse,
                name,
                manifest.day,
                published,
                manifest.run_id,
                now(),
                newest_of_all_days=parts.table.last_insert_counts,
            )
        for parts in tables:
            if parts.table.last_insert_counts:
                _require_last(clickhouse, manifest, parts, staged)
    replaced = [parts.table.name for parts in manifest.tables.values() if parts.table.day_column]
    await_removal_of_old_parts(clickhouse, replaced, old_parts_wait_s)
    _require_days(clickhouse, manifest)
    drop_staging_tables(clickhouse, manifest.tables, manifest.run_id)
    drop_abandoned_staging_tables(clickhouse)
    return {table: parts.rows for table, parts in manifest.tables.items()}


def check_day(
    clickhouse: ClickHouse, directory: StagingPath, manifest: Manifest, attempt: str
) -> dict[str, int]:
    """Compare what readers see with what the run staged; return rows by table.

    Tables by day are compared with the manifest. Of the others, the parts in `directory` are loaded once more
    beside it to look: every staged key must be there, and every value where no other run may have put a newer
    one since.

    Raises: DayMismatch, naming table, day and the next step; as load_part().
    """
    rows = {}
    for name, parts in manifest.tables.items():
        rows[name] = parts.rows
        if parts.table.day_column:
            rows[name] = check_published_day(
                clickhouse, parts.table, manifest.day, _expected(parts), manifest.run_id, NEXT_STEP
            )
            continue
        sources = [
            load_part(
                clickhouse, directory, manifest, table=name, file=part.file, attempt=f"check {attempt}"
            ).staging_table
            for part in parts.parts
        ]
        _require_staged(clickhouse, manifest, parts, sources)
    drop_staging_tables(clickhouse, manifest.tables, manifest.run_id)
    return rows


def _recorded_tables(manifest: Manifest) -> list[TableParts]:
    """Return those with a row in `loads`; of a table without days it says which run published last."""
    tables = manifest.tables.values()
    return [parts for parts in tables if parts.table.day_column or parts.table.last_insert_counts]


def _require_days(clickhouse: ClickHouse, manifest: Manifest) -> None:
    """Prove what readers see once more, while the staging tables to mend it with are still there.

    A server that restarts meanwhile brings replaced rows back, of tables that were proved already.
    """
    for parts in manifest.tables.values():
        if not parts.table.day_column:
            continue
        found = contents(clickhouse, parts.table, manifest.day.isoformat())
        if found != _expected(parts):
            reason = f"it holds {found}, expected {_expected(parts)} (did the server restart?)"
            raise _mismatch(clickhouse, manifest, parts.table.name, reason)


def _published_by_this_run(clickhouse: ClickHouse, manifest: Manifest) -> bool:
    tables = _recorded_tables(manifest)
    recorded = [recorded_load(clickhouse, parts.table.name, manifest.day) for parts in tables]
    return bool(tables) and [load and load[:3] for load in recorded] == [
        (parts.rows, parts.checksum, manifest.run_id) for parts in tables
    ]


def _missing_staging_table(
    clickhouse: ClickHouse, manifest: Manifest, staged: Sequence[StagedPart]
) -> DayMismatch | None:
    loaded = {(part.table, part.file) for part in staged}
    wanted = {(name, part.file) for name, parts in manifest.tables.items() for part in parts.parts}
    if loaded != wanted:
        table, file = min(wanted ^ loaded)
        return _mismatch(clickhouse, manifest, table, f"part {file} is loaded or staged, but not both")
    existing = staging_tables(clickhouse)
    for part in staged:
        if part.staging_table not in existing:
            return _mismatch(clickhouse, manifest, part.table, f"staging table {part.staging_table} is gone")
    return None


def _gathered(
    clickhouse: ClickHouse, manifest: Manifest, parts: TableParts, loaded: Sequence[StagedPart], attempt: str
) -> str | None:
    if not loaded:
        return None
    table, columns = parts.table.name, ", ".join(map(quoted, parts.table.columns))
    fits = {part.file: has_columns_of(clickhouse, table, part.staging_table) for part in loaded}
    if len(loaded) == 1 and fits[loaded[0].file]:
        return loaded[0].staging_table
    name = staging_table_name(table, manifest.run_id, f"publish {attempt}")
    create_staging_table(clickhouse, table, name)
    for part in loaded:  # in a table of this try, as both ways append
        source = quoted(part.staging_table)
        if fits[part.file]:  # hard links, no copy
            partition = f"ATTACH PARTITION '{manifest.day.isoformat()}' FROM {source}"
            clickhouse.execute(f"ALTER TABLE {quoted(name)} {partition}")
        else:
            log.info("%s: table %s was migrated after %s was loaded", clickhouse.where, table, part.file)
            clickhouse.execute(f"INSERT INTO {quoted(name)} ({columns}) SELECT {columns} FROM {source}")
    return name


def _upsert(
    clickhouse: ClickHouse,
    manifest: Manifest,
    parts: TableParts,
    loaded: Sequence[StagedPart],
    still_allowed: Callable[[], None],
) -> None:
    table, columns = quoted(parts.table.name), ", ".join(map(quoted, parts.table.columns))
    condition = ""
    if parts.table.last_insert_counts:
        _await_other_inserts(clickhouse, manifest, parts.table.name)
        condition = f" WHERE {unless_published_since(clickhouse, parts.table.name)}"
    for each in loaded:
        part = manifest.part(each.table, each.file)
        expected = Contents(rows=part.rows, keys=part.rows, checksum=part.checksum)
        found = contents(clickhouse, parts.table, manifest.day.isoformat(), source=each.staging_table)
        if found != expected:
            reason = f"{each.staging_table} holds {found}, expected {expected}"
            raise _mismatch(clickhouse, manifest, parts.table.name, reason)
        source = quoted(each.staging_table)
        insert = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {source}{condition}"
        settle(clickhouse, insert, still_allowed)
    still_allowed()  # else it was another's publication that kept the rows away
    await_replicas(clickhouse, parts.table.name)
    require = _require_rows if parts.table.last_insert_counts else _require_keys
    require(clickhouse, manifest, parts, [each.staging_table for each in loaded])


def _require_last(
    clickhouse: ClickHouse, manifest: Manifest, parts: TableParts, staged: Sequence[StagedPart]
) -> None:
    """Prove once more that readers see this run's rows, now that no other's can come after them.

    A statement of another, whose lease is gone, may have begun before the row in `loads` was there. From then
    on none inserts anything.
    """
    if (last := last_publisher(clickhouse, parts.table.name)) != manifest.run_id:
        raise _mismatch(clickhouse, manifest, parts.table.name, f"loads says that run {last} was the last")
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
            raise _mismatch(clickhouse, manifest, table, reason)
        time.sleep(0.1)


def _require_staged(
    clickhouse: ClickHouse, manifest: Manifest, parts: TableParts, sources: Sequence[str]
) -> None:
    if not parts.table.last_insert_counts:
        _require_keys(clickhouse, manifest, parts, sources)
        return
    newest = last_publisher(clickhouse, parts.table.name)
    if newest is None:
        raise _mismatch(clickhouse, manifest, parts.table.name, "loads says that no run has published it")
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
    expected = _expected(parts)
    numbers = [column for column in parts.table.key if parts.table.columns[column] != "String"]
    # Without the texts first: many times faster, and enough where no other rows lie between these.
    for columns in filter(None, (numbers, parts.table.key)):
        found = contents_in_sight(clickhouse, parts.table, sources, columns)
        if found == expected:
            return
    reason = f"readers see {found} of this run, expected {expected}"
    raise _mismatch(clickhouse, manifest, parts.table.name, reason)


def _require_keys(
    clickhouse: ClickHouse, manifest: Manifest, parts: TableParts, sources: Sequence[str]
) -> None:
    """Prove that readers see each staged key, whatever newer runs have put there."""
    if not sources:
        return
    found = contents_in_sight(clickhouse, parts.table, sources, parts.table.key)
    if found.rows != parts.rows:
        reason = f"{parts.rows - found.rows} rows of this run are not there"
        raise _mismatch(clickhouse, manifest, parts.table.name, reason)


def _expected(parts: TableParts) -> Contents:
    return Contents(rows=parts.rows, keys=parts.rows, checksum=parts.checksum)


def _mismatch(clickhouse: ClickHouse, manifest: Manifest, table: str, reason: str) -> DayMismatch:
    return DayMismatch(clickhouse.where, table, manifest.day.isoformat(), reason, NEXT_STEP)
