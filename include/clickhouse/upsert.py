"""Brings rows into tables that are not kept by partitions: by key, where the newest row of a key counts."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.cluster import await_replicas, each_server, rows_of
from include.clickhouse.fingerprint import expected_fingerprint, version_fingerprint, visible_fingerprint
from include.clickhouse.load import StagedPart
from include.clickhouse.loads import last_publisher, unless_published_since
from include.clickhouse.partitions import require_fingerprint
from include.clickhouse.publication import ANSWER_WAIT_S, Publication
from include.clickhouse.schema_compat import has_columns_of
from include.clickhouse.staging_tables import MARK
from include.staging.errors import Superseded
from include.staging.tables import Part, TableParts

log = logging.getLogger(__name__)


def upsert(publication: Publication, parts: TableParts, loaded: Sequence[StagedPart]) -> None:
    """Insert the staged rows of a table, or attach them, and prove that they are in sight.

    Raises: DayMismatch; ClickHouseError; what `check_lease` raises.
    """
    clickhouse, table = publication.clickhouse, parts.table
    columns, condition = ", ".join(map(quoted, table.columns)), ""
    if table.last_insert_counts or table.version_column:
        await_other_inserts(publication, table.name)
    if table.last_insert_counts:
        unchanged, _ = unless_published_since(
            clickhouse, table.name, publication.unit.name, of_all_units=True
        )
        condition = f" WHERE {unchanged}"
    staged = {part.file: part for part in parts.parts}
    for each in loaded:
        _require_loaded(publication, parts, staged[each.file], each.staging_table)
        if table.version_column and _is_like(clickhouse, table.name, each.staging_table):
            statement = f"{_attaching(table.name)}{quoted(each.staging_table)}"  # hard links, no copy
        else:
            select = f"SELECT {columns} FROM {quoted(each.staging_table)}{condition}"
            statement = f"INSERT INTO {quoted(table.name)} ({columns}) {select}"
        publication.execute_until_confirmed(statement)
    publication.check_lease()  # else it was another's publication that kept the rows away
    await_replicas(clickhouse, table.name)
    require = _require_keys
    if table.last_insert_counts or table.version_column:
        require = _require_versions if table.version_column else _require_rows
    require(publication, parts, [each.staging_table for each in loaded])


def require_last(publication: Publication, parts: TableParts, sources: Sequence[str]) -> None:
    """Prove once more that readers see this run's rows, now that no other's can come after them.

    A statement of another, whose lease is gone, may have begun before the row in `loads` was there. From then
    on none inserts anything.
    """
    clickhouse, table = publication.clickhouse, parts.table.name
    if (last := last_publisher(clickhouse, table, publication.unit.name)) != publication.run_id:
        raise Superseded(clickhouse.where, table, str(last))
    await_other_inserts(publication, table)
    _require_rows(publication, parts, sources)


def require_staged(publication: Publication, parts: TableParts, sources: Sequence[str]) -> None:
    """Prove that readers see the rows of `sources`: the values too, where no newer ones may be there."""
    if not (parts.table.last_insert_counts or parts.table.version_column):
        _require_keys(publication, parts, sources)
        return
    table = parts.table.name
    require_own = _require_versions if parts.table.version_column else _require_rows
    newest = last_publisher(publication.clickhouse, table, publication.unit.name)
    if newest is None:
        raise publication.mismatch(table, "loads says that no run has published it")
    if newest == publication.run_id:
        require_own(publication, parts, sources)
    else:
        log.warning("table %s: run %s has published since: only keys are compared", table, newest)
        _require_keys(publication, parts, sources)


def await_other_inserts(publication: Publication, table: str) -> None:
    """Wait until no statement brings staged rows into `table`: the server goes on when its client is gone.

    Raises: DayMismatch after ANSWER_WAIT_S; ClickHouseError.
    """
    running = (
        "SELECT query FROM system.processes WHERE position(query, %(staged)s) > 0 "
        "AND (position(query, %(insert)s) = 1 OR position(query, %(attach)s) = 1)"
    )
    bound = {"insert": f"INSERT INTO {quoted(table)} ", "attach": _attaching(table), "staged": MARK}
    servers, until = publication.clickhouse, time.monotonic() + ANSWER_WAIT_S
    while found := [query for each in each_server(servers) for (query,) in each.execute(running, bound)]:
        if time.monotonic() > until:
            reason = f"the server still carries out {found[0][:200]!r}, by a try that has ended"
            next_step = "wait until it is over (system.processes) or KILL QUERY, then clear task publish"
            raise publication.mismatch(table, reason, next_step)
        time.sleep(0.1)


def _is_like(clickhouse: ClickHouse, table: str, staging_table: str) -> bool:
    """Tell whether parts of the staging table can be the table's; on a cluster they go by key."""
    return rows_of(clickhouse, table) == quoted(table) and has_columns_of(clickhouse, table, staging_table)


def _attaching(table: str) -> str:
    return f"ALTER TABLE {quoted(table)} ATTACH PARTITION tuple() FROM "


def _require_loaded(publication: Publication, parts: TableParts, part: Part, source: str) -> None:
    """Prove that a staging table is what was staged, before its rows are in sight.

    What a text says, `load` has proved; what is left to find is that the server has lost rows since. All
    values are proved once more where readers see them: to do so twice took a tenth of a migration.
    """
    if parts.table.form != "text":
        expected = expected_fingerprint(part)
        require_fingerprint(publication, parts.table, expected, source, keys_are_unique=parts.keys_are_unique)
        return
    ((rows,),) = publication.clickhouse.execute(f"SELECT count() FROM {quoted(source)}")
    if rows != part.rows:
        reason = f"{source} holds {rows} of {part.rows} rows of {part.file}"
        raise publication.mismatch(parts.table.name, reason)


def _require_rows(publication: Publication, parts: TableParts, sources: Sequence[str]) -> None:
    """Prove that readers see each staged row, with the value of every column."""
    if not sources:
        return
    table, expected = parts.table, expected_fingerprint(parts)
    numbers = [column for column in table.key if table.columns[column] != "String"]
    # Without the texts first: many times faster, and enough where no other rows lie between these.
    for columns in filter(None, (numbers, table.key)):
        found = visible_fingerprint(publication.clickhouse, table, sources, columns)
        if found == expected:
            return
    raise publication.mismatch(table.name, f"readers see {found} of this run, expected {expected}")


def _require_versions(publication: Publication, parts: TableParts, sources: Sequence[str]) -> None:
    """Prove that the rows of the staged version are those that were staged; no other unit has that version.

    Where a publication was repeated they are there twice, and are counted once: that takes longer.
    """
    if not sources:
        return
    table, expected = parts.table, expected_fingerprint(parts)
    version = quoted(str(table.version_column))
    staged = " UNION ALL ".join(f"SELECT DISTINCT {version} FROM {quoted(source)}" for source in sources)
    versions = publication.clickhouse.execute(f"SELECT DISTINCT {version} FROM ({staged})")
    if len(versions) != 1:
        raise publication.mismatch(table.name, f"its rows are of {len(versions)} versions, expected is one")
    for distinct in (False, True):
        found = version_fingerprint(publication.clickhouse, table, versions[0][0], distinct=distinct)
        if found == expected:
            return
    raise publication.mismatch(table.name, f"it holds {found} of this version, expected {expected}")


def _require_keys(publication: Publication, parts: TableParts, sources: Sequence[str]) -> None:
    """Prove that readers see each staged key, whatever newer runs have put there."""
    if not sources:
        return
    found = visible_fingerprint(publication.clickhouse, parts.table, sources, parts.table.key)
    if found.rows != parts.rows:
        reason = f"{parts.rows - found.rows} rows of this run are not there"
        raise publication.mismatch(parts.table.name, reason)
