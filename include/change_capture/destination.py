"""Our tables: `<prefix>_<table>_versions`, all versions of rows, and the view `<prefix>_<table>`, the rows.

FINAL finds the newest version of a key; a row that is gone is one with `_deleted`. Conditions on rows go into
WHERE, never into PREWHERE: that one would drop the newest version first, and show the one before it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from include.change_capture.catalog import DELETED, VERSION, SourceTable
from include.change_capture.errors import DestinationUnlike
from include.clickhouse.client import ClickHouse, quoted, quoted_database
from include.clickhouse.schema import run_ddl

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)


def make_tables(clickhouse: ClickHouse, tables: Iterable[SourceTable]) -> None:
    """Make what is missing: tables, columns that the source has got since, views. Safe to repeat.

    Raises: DestinationUnlike for a column that has another type by now; ClickHouseError.
    """
    for table in tables:
        before = columns_of(clickhouse, table.versions)
        _require_alike(clickhouse, table, before)
        if not before:
            columns = [f"{quoted(c.name)} {table.kind_of(c)}" for c in table.kept]
            columns += [f"{VERSION} UInt64", f"{DELETED} UInt8"]
            key = ", ".join(quoted(column.name) for column in table.kept_key)
            run_ddl(
                clickhouse,
                f"CREATE TABLE IF NOT EXISTS {table.versions} ({', '.join(columns)}) "
                f"ENGINE = ReplacingMergeTree({VERSION}) ORDER BY ({key})",
            )
        for column in table.kept if before else ():
            if column.name not in before:
                added = f"ADD COLUMN {quoted(column.name)} {table.kind_of(column)}"
                run_ddl(clickhouse, f"ALTER TABLE {table.versions} {added}")
                log.info("%s: table %s has got column %s", clickhouse.where, table.versions, column.name)
        _make_view(clickhouse, table)


def columns_of(clickhouse: ClickHouse, table: str) -> dict[str, str]:
    """Return the columns of a table or view with their types, in order; none where it is not there."""
    found = clickhouse.execute(
        "SELECT name, type FROM system.columns WHERE database = %(database)s AND `table` = %(table)s",
        {"database": clickhouse.database, "table": table},
    )
    return dict(found)


def newest_version(clickhouse: ClickHouse, table: SourceTable) -> int:
    """Return the greatest version that any row has; 0 of an empty table."""
    ((newest,),) = clickhouse.execute(f"SELECT max({VERSION}) FROM {quoted(table.versions)}")
    return int(newest)


def live_rows(clickhouse: ClickHouse, table: SourceTable) -> int:
    """Return how many rows readers see."""
    ((rows,),) = clickhouse.execute(f"SELECT count() FROM {quoted(table.versions)} FINAL WHERE {DELETED} = 0")
    return int(rows)


def bury_older(table: SourceTable, version: int) -> str:
    """Return the statement that marks as gone whatever is older than `version`; repeated, it does nothing.

    It follows a table that was read whole: what the reading did not bring is not there any more.
    """
    key = ", ".join(quoted(column.name) for column in table.kept_key)
    return (
        f"INSERT INTO {quoted(table.versions)} ({key}, {VERSION}, {DELETED}) "
        f"SELECT {key}, toUInt64({version}), 1 FROM {quoted(table.versions)} FINAL "
        f"WHERE {DELETED} = 0 AND {VERSION} < {version}"
    )


def gone_columns(table: SourceTable, columns: Sequence[str]) -> list[str]:
    """Return which columns of ours the source has no longer; of two that are made of one, its own name."""
    kept = {column.name for column in table.kept} | {VERSION, DELETED}
    return [name for name in columns if name not in kept]


def source_name(column: str, among: Sequence[str]) -> str:
    """Return what a column that is gone was called in the source."""
    for ending in ("_us", "_days"):
        if column.endswith(ending) and column.removesuffix(ending) in among:
            return column.removesuffix(ending)
    return column


def _require_alike(clickhouse: ClickHouse, table: SourceTable, before: dict[str, str]) -> None:
    for column in table.kept:
        kind = table.kind_of(column)
        if column.name in before and before[column.name] != kind:
            reason = f"column {column.name} is {before[column.name]}, and would be {kind} now"
            by_hand = f"ALTER TABLE {table.versions} MODIFY COLUMN {quoted(column.name)} {kind}"
            next_step = f"run {by_hand}, or rename the table for it to be made anew; then run the task again"
            raise DestinationUnlike(clickhouse.where, table.versions, reason, next_step)


def _make_view(clickhouse: ClickHouse, table: SourceTable) -> None:
    """Show all columns; where the view has others, change it in one step: readers always find one."""
    columns = [name for name in columns_of(clickhouse, table.versions) if name not in (VERSION, DELETED)]
    before = columns_of(clickhouse, table.view)
    if list(before) == columns:
        return
    names = ", ".join(map(quoted, columns))
    rows = f"{quoted_database(clickhouse.database)}.{quoted(table.versions)}"
    select = f"SELECT {names} FROM {rows} FINAL WHERE {DELETED} = 0"
    if not before:
        run_ddl(clickhouse, f"CREATE VIEW IF NOT EXISTS {table.view} AS {select}")
        return
    new, old = f"{table.view}__new", f"{table.view}__old"
    run_ddl(clickhouse, f"DROP TABLE IF EXISTS {new}")
    run_ddl(clickhouse, f"DROP TABLE IF EXISTS {old}")
    run_ddl(clickhouse, f"CREATE VIEW IF NOT EXISTS {new} AS {select}")
    run_ddl(clickhouse, f"RENAME TABLE {table.view} TO {old}, {new} TO {table.view}")
    run_ddl(clickhouse, f"DROP TABLE IF EXISTS {old}")
