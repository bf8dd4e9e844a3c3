"""Publishes what a run staged: each table whole, and a row in `loads` for each unit (a day) in sight."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from include.clickhouse.append import append, require_appended
from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.cluster import connect_to_unit
from include.clickhouse.errors import DayMismatch
from include.clickhouse.fingerprint import expected_fingerprint
from include.clickhouse.load import StagedPart, load_part
from include.clickhouse.loads import load_in_sight, record_load
from include.clickhouse.partitions import (
    OLD_PARTS_WAIT_S,
    await_removal_of_old_parts,
    check_published,
    partition_name,
    replace_partition,
)
from include.clickhouse.publication import Publication
from include.clickhouse.schema_compat import has_columns_of
from include.clickhouse.staging_tables import (
    connect_to_staged,
    create_staging_table,
    drop_abandoned_staging_tables,
    drop_staging_tables,
    keep_published,
    published_name,
    staging_table_name,
    staging_tables,
)
from include.clickhouse.upsert import require_last, require_staged, upsert
from include.staging.files import StagingPath
from include.staging.manifest import Manifest
from include.staging.tables import Part, TableParts

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

    The unit is the day of the manifest, or the one that it names. Safe to repeat at any point, also after its
    end. Upserts come first, so that the rows of `loads`, written last, stand for all of it. `check_lease` is
    called right before each change in sight; what it raises (a lost lease) ends the publication.

    Raises: DayMismatch; ClickHouseError.
    """
    publication = Publication(clickhouse, manifest.unit, manifest.run_id, attempt, check_lease)
    connect_to_unit(clickhouse, [parts.table for parts in manifest.tables.values()], manifest.unit)
    places = connect_to_staged(clickhouse, [part.staging_table for part in staged])
    gone = _missing_staging_table(publication, manifest, staged, places)
    if gone and _published_by_this_run(publication, manifest):
        log.info("%s: this run has already published %s", clickhouse.where, manifest.unit.name)
    elif gone:
        raise gone
    else:
        _bring_into_sight(publication, manifest, staged, now)
    replaced = [parts for parts in manifest.tables.values() if parts.table.is_replaced]
    await_removal_of_old_parts(clickhouse, [parts.table.name for parts in replaced], old_parts_wait_s)
    _require_partitions(publication, replaced)
    kept = _kept_for_check(manifest)
    for part in () if gone else staged:
        if name := kept.get((part.table, part.file)):
            keep_published(clickhouse, part.staging_table, name)
    drop_staging_tables(clickhouse, manifest.tables, manifest.run_id, kept=kept.values())
    drop_abandoned_staging_tables(clickhouse)
    return {table: parts.rows for table, parts in manifest.tables.items()}


def check_day(
    clickhouse: ClickHouse, directory: StagingPath, manifest: Manifest, attempt: str
) -> dict[str, int]:
    """Compare what readers see with what the run staged; return rows by table.

    Tables by day, or another partition, or replaced whole, or appended to, are compared with the manifest. Of
    the others, every staged key must be there, and every value where no other run may have put a newer one
    since. For that, publish has kept the staging tables; where one is gone, its part in `directory` is loaded
    once more.

    Raises: DayMismatch, naming table, unit and the next step; as load_part().
    """
    publication = Publication(clickhouse, manifest.unit, manifest.run_id, f"check {attempt}")
    kept = _kept_for_check(manifest)
    if kept:
        connect_to_unit(clickhouse, [parts.table for parts in manifest.tables.values()], manifest.unit)
        connect_to_staged(clickhouse, kept.values())
    there = staging_tables(clickhouse) if kept else set()
    rows = {}
    for name, parts in manifest.tables.items():
        rows[name] = parts.rows
        if parts.table.is_replaced:
            rows[name] = check_published(publication, parts.table, expected_fingerprint(parts))
            continue
        if parts.table.appended:
            require_appended(publication, parts)
            continue
        sources = []
        for part in parts.parts:
            source = kept[name, part.file]
            if source not in there or not _holds_part(publication, parts, part, source):
                again = load_part(
                    clickhouse, directory, manifest, table=name, file=part.file, attempt=publication.attempt
                )
                source = again.staging_table
            sources.append(source)
        require_staged(publication, parts, sources)
    drop_staging_tables(clickhouse, manifest.tables, manifest.run_id)
    return rows


def _kept_for_check(manifest: Manifest) -> dict[tuple[str, str], str]:
    """Return by table and file which staging tables `check` compares with: those of upserted tables."""
    return {
        (name, part.file): published_name(name, manifest.run_id, part.file)
        for name, parts in manifest.tables.items()
        if not parts.table.is_replaced and not parts.table.appended
        for part in parts.parts
    }


def _holds_part(publication: Publication, parts: TableParts, part: Part, source: str) -> bool:
    """Tell whether a kept staging table is what was staged: a server that restarted may have lost rows."""
    found = publication.fingerprint(parts.table, source, keys_are_unique=True)
    return found == expected_fingerprint(part)


def _bring_into_sight(
    publication: Publication, manifest: Manifest, staged: Sequence[StagedPart], now: Callable[[], datetime]
) -> None:
    tables = sorted(manifest.tables.values(), key=lambda parts: parts.table.is_replaced)
    loaded = {name: [part for part in staged if part.table == name] for name in manifest.tables}
    for parts in tables:
        if parts.table.is_replaced:
            source = _gathered(publication, parts, loaded[parts.table.name])
            replace_partition(publication, parts.table, source, expected_fingerprint(parts))
        elif parts.table.appended:
            append(publication, parts, loaded[parts.table.name], now())
        else:
            upsert(publication, parts, loaded[parts.table.name])
    for parts in _recorded_tables(manifest):
        publication.check_lease()
        record_load(
            publication.clickhouse,
            parts.table.name,
            publication.unit,
            expected_fingerprint(parts),
            publication.run_id,
            now(),
            newest_of_all_units=parts.table.last_insert_counts or parts.table.replaced_whole,
        )
    for parts in tables:
        if parts.table.last_insert_counts:
            sources = [each.staging_table for each in loaded[parts.table.name]]
            require_last(publication, parts, sources)


def _recorded_tables(manifest: Manifest) -> list[TableParts]:
    """Return those with a row in `loads`: all but days of tables that are upserted and have a version."""
    by_day, tables = manifest.unit_name is None, manifest.tables.values()
    return [each for each in tables if not by_day or each.table.is_replaced or each.table.last_insert_counts]


def _require_partitions(publication: Publication, replaced: Sequence[TableParts]) -> None:
    """Prove what readers see once more, while the staging tables to mend it with are still there.

    A server that restarts meanwhile brings replaced rows back, of tables that were proved already.
    """
    for parts in replaced:
        found, expected = publication.fingerprint(parts.table), expected_fingerprint(parts)
        if found != expected:
            reason = f"it holds {found}, expected {expected} (did the server restart?)"
            raise publication.mismatch(parts.table.name, reason)


def _published_by_this_run(publication: Publication, manifest: Manifest) -> bool:
    tables, unit = _recorded_tables(manifest), publication.unit.name
    recorded = [load_in_sight(publication.clickhouse, parts.table, unit) for parts in tables]
    return bool(tables) and [load and load[:3] for load in recorded] == [
        (parts.rows, parts.checksum, publication.run_id) for parts in tables
    ]


def _missing_staging_table(
    publication: Publication, manifest: Manifest, staged: Sequence[StagedPart], places: str
) -> DayMismatch | None:
    loaded = {(part.table, part.file) for part in staged}
    wanted = {(name, part.file) for name, parts in manifest.tables.items() for part in parts.parts}
    if loaded != wanted:
        table, file = min(wanted ^ loaded)
        return publication.mismatch(table, f"part {file} is loaded or staged, but not both")
    existing = staging_tables(publication.clickhouse)
    for part in staged:
        if part.staging_table not in existing:
            return publication.mismatch(part.table, f"staging table {part.staging_table} is gone{places}")
    return None


def _gathered(publication: Publication, parts: TableParts, loaded: Sequence[StagedPart]) -> str | None:
    """Return one staging table with the rows of all; None where there are none."""
    if not loaded:
        return None
    clickhouse, table = publication.clickhouse, parts.table.name
    fits = {part.file: has_columns_of(clickhouse, table, part.staging_table) for part in loaded}
    if len(loaded) == 1 and fits[loaded[0].file]:
        return loaded[0].staging_table
    name = staging_table_name(table, publication.run_id, f"publish {publication.attempt}")
    create_staging_table(clickhouse, table, name)
    columns = ", ".join(map(quoted, parts.table.columns))
    for part in loaded:  # in a table of this try, as both ways append
        source = quoted(part.staging_table)
        if fits[part.file]:  # hard links, no copy
            attach = (
                f"ALTER TABLE {quoted(name)} ATTACH PARTITION {partition_name(parts.table)} FROM {source}"
            )
            clickhouse.execute(attach, {"partition": publication.unit.partition})
        else:
            log.info("%s: table %s was migrated after %s was loaded", clickhouse.where, table, part.file)
            clickhouse.execute(f"INSERT INTO {quoted(name)} ({columns}) SELECT {columns} FROM {source}")
    return name
