"""Adds rows to tables that are only appended to: each key once, for readers without FINAL.

Why this way (tested on 18.16 and 26.9): ATTACH PARTITION FROM doubles rows when it is repeated, and a
partition of events by month belongs to no run. So the rows are inserted, but for those whose key is there: an
insert that broke off half way is completed by its repetition, and a repetition of a whole one adds nothing.
Two statements at once could both add a row, so each waits for those before it; the engine, a
ReplacingMergeTree, is the second net.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from clickhouse_driver.util.escape import escape_params

from include.clickhouse.client import quoted
from include.clickhouse.cluster import await_replicas, rows_of
from include.clickhouse.errors import CLEAR_LOAD
from include.clickhouse.fingerprint import expected_fingerprint, fingerprint_of_ranges, in_ranges
from include.clickhouse.load import StagedPart
from include.clickhouse.partitions import require_fingerprint
from include.clickhouse.publication import Publication
from include.clickhouse.upsert import await_other_inserts
from include.staging.tables import TableParts

_STAMPS = {"published_at": "toDateTime(%(published_at)s, 'UTC')", "run_id": "%(run_id)s"}


def append(
    publication: Publication, parts: TableParts, loaded: Sequence[StagedPart], published_at: datetime
) -> None:
    """Insert the staged rows whose keys are not there yet, and prove that all are in sight, once.

    Raises: DayMismatch; ClickHouseError; what `check_lease` raises.
    """
    table = parts.table
    # Which keys are there is asked of any replica: a try that was killed has not waited for the others.
    await_replicas(publication.clickhouse, table.name)
    staged = {part.file: part for part in parts.parts}
    for each in loaded:
        expected, source = expected_fingerprint(staged[each.file]), each.staging_table
        require_fingerprint(publication, table, expected, source, keys_are_unique=parts.keys_are_unique)
        statement, bound = _insert(parts, source)
        bound |= {"published_at": int(published_at.timestamp()), "run_id": publication.run_id}
        before = partial(await_other_inserts, publication, table.name)
        publication.execute_until_confirmed(statement, bound, before=before)
    await_replicas(publication.clickhouse, table.name)
    require_appended(publication, parts)


def require_appended(publication: Publication, parts: TableParts) -> None:
    """Prove that readers see, in the ranges of the unit, the staged rows and no others.

    Raises: DayMismatch.
    """
    found, expected = fingerprint_of_ranges(publication.clickhouse, parts), expected_fingerprint(parts)
    if found == expected:
        return
    name = parts.table.name
    next_step = CLEAR_LOAD
    if found.rows > found.keys:
        next_step = f"run OPTIMIZE TABLE {name} FINAL, which leaves each key once, then {CLEAR_LOAD}"
    elif found.rows >= expected.rows:
        delete = _delete(publication, parts)
        next_step = f"run {delete}; a run without an end has left other rows there; then {CLEAR_LOAD}"
    raise publication.mismatch(name, f"readers see {found}, expected {expected}", next_step)


def _delete(publication: Publication, parts: TableParts) -> str:
    """Return the statement that removes all rows of the ranges, for a person to run."""
    where, bound = in_ranges(parts)
    name, rows = parts.table.name, rows_of(publication.clickhouse, parts.table.name)
    everywhere = "" if rows == quoted(name) else ", on a server of each shard"
    return f"ALTER TABLE {rows} DELETE WHERE {where % escape_params(bound, None)}{everywhere}"


def _insert(parts: TableParts, source: str) -> tuple[str, dict[str, object]]:
    table = parts.table
    columns, key = ", ".join(map(quoted, table.columns)), ", ".join(map(quoted, table.key))
    stamped = "".join(f", {quoted(name)}" for name in table.stamps)
    values = "".join(f", {_STAMPS[name]}" for name in table.stamps)
    where, bound = in_ranges(parts)
    # On a cluster the staging table is on the asking server alone, and the keys are on all shards.
    there = f"SELECT {key} FROM {quoted(table.name)} WHERE {where}"
    return (
        f"INSERT INTO {quoted(table.name)} ({columns}{stamped}) "
        f"SELECT {columns}{values} FROM {quoted(source)} WHERE ({key}) GLOBAL NOT IN ({there})"
    ), bound
