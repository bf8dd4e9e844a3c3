"""Publishes what a run staged: each table whole, and a row in `loads` for each day in sight."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.cluster import connect_to_day
from include.clickhouse.errors import DayMismatch
from include.clickhouse.fingerprint import expected_fingerprint, fingerprint
from include.clickhouse.load import StagedPart, load_part
from include.clickhouse.partitions import (
    OLD_PARTS_WAIT_S,
    await_removal_of_old_parts,
    check_published_day,
    record_load,
    recorded_load,
    replace_day,
)
from include.clickhouse.schema_compat import has_columns_of
from include.clickhouse.staging_tables import (
    connect_to_staged,
    create_staging_table,
    drop_abandoned_staging_tables,
    drop_staging_tables,
    staging_table_name,
    staging_tables,
)
from include.clickhouse.upsert import (
    NEXT_STEP,
    mismatch,
    require_last,
    require_staged,
    upsert,
)
from include.staging.files import StagingPath
from include.staging.manifest import Manifest
from include.staging.tables import TableParts

log = logging.getLogger(__name__)


def publish_day(
    clickhouse: ClickHouse,
    manifest: Manifest,
    staged: Sequence[StagedPart],
    *,
    attempt: str,
    now: Callable[[], datetime],
    check_lease: Callable[[], None] = lambda: None,
    old_parts_wait_s: float = OLD_PARTS_WAIT_S,
) -> dict[str, int]:
    """Bring the staged rows of every table of `manifest` into sight; return rows by table.

    Safe to repeat at any point, also after its end. Tables without days first, so that the rows of
    `loads`, written last, stand for all of it. `check_lease` is called right before each change in sight;
    what it raises (a lost lease) ends the publication.

    Raises: DayMismatch; ClickHouseError.
    """
    connect_to_day(clickhouse, [parts.table for parts in manifest.tables.values()], manifest.day)
    places = connect_to_staged(clickhouse, [part.staging_table for part in staged])
    gone = _missing_staging_table(clickhouse, manifest, staged, places)
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
                    expected_fingerprint(parts),
                    NEXT_STEP,
                    check_lease=check_lease,
                )
            else:
                upsert(clickhouse, manifest, parts, loaded, check_lease)
        for parts in _recorded_tables(manifest):
            check_lease()
            name, published = parts.table.name, expected_fingerprint(parts)
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
                require_last(clickhouse, manifest, parts, staged)
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
                clickhouse, parts.table, manifest.day, expected_fingerprint(parts), manifest.run_id, NEXT_STEP
            )
            continue
        sources = [
            load_part(
                clickhouse, directory, manifest, table=name, file=part.file, attempt=f"check {attempt}"
            ).staging_table
            for part in parts.parts
        ]
        require_staged(clickhouse, manifest, parts, sources)
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
        found = fingerprint(clickhouse, parts.table, manifest.day.isoformat())
        if found != expected_fingerprint(parts):
            reason = f"it holds {found}, expected {expected_fingerprint(parts)} (did the server restart?)"
            raise mismatch(clickhouse, manifest, parts.table.name, reason)


def _published_by_this_run(clickhouse: ClickHouse, manifest: Manifest) -> bool:
    tables = _recorded_tables(manifest)
    recorded = [recorded_load(clickhouse, parts.table.name, manifest.day) for parts in tables]
    return bool(tables) and [load and load[:3] for load in recorded] == [
        (parts.rows, parts.checksum, manifest.run_id) for parts in tables
    ]


def _missing_staging_table(
    clickhouse: ClickHouse, manifest: Manifest, staged: Sequence[StagedPart], places: str
) -> DayMismatch | None:
    loaded = {(part.table, part.file) for part in staged}
    wanted = {(name, part.file) for name, parts in manifest.tables.items() for part in parts.parts}
    if loaded != wanted:
        table, file = min(wanted ^ loaded)
        return mismatch(clickhouse, manifest, table, f"part {file} is loaded or staged, but not both")
    existing = staging_tables(clickhouse)
    for part in staged:
        if part.staging_table not in existing:
            reason = f"staging table {part.staging_table} is gone{places}"
            return mismatch(clickhouse, manifest, part.table, reason)
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
