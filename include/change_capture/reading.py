"""Reads what of a table has to be sent into text parts: rows that changed, and keys that are gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg2
from attrs import frozen
from pydantic import BaseModel, ConfigDict

from include.change_capture.buckets import Buckets, KeyBuckets
from include.change_capture.catalog import SourceTable
from include.change_capture.column_totals import Totals
from include.change_capture.deletes import SentKeys, gone_keys, unlike_buckets
from include.change_capture.errors import TableShrank, ValueRefused
from include.change_capture.session import Snapshot
from include.change_capture.state import SourceState, changed_since
from include.clickhouse.client import ClickHouse
from include.postgres.copy_out import copy_out
from include.staging.files import StagingPath
from include.staging.tables import TableParts
from include.staging.text_kinds import NULL
from include.staging.text_parts import TextWriter
from include.text import safe_repr

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

log = logging.getLogger(__name__)

# With more of them a table is read whole: their keys would fill the memory of the server that compares them.
MOST_CHANGES = 2_000_000


class TableReading(BaseModel):
    """What was read of a table.

    Attributes: table; parts; whole, why it was read whole, "" where it was not; newest, the greatest version
    that it had before; changed, gone: rows; published, rows that readers saw before; buckets of the source;
    columns, totals of each in the source, where all values were hashed; shift of the buckets.
    """

    model_config = ConfigDict(frozen=True)
    table: SourceTable
    parts: TableParts
    whole: str
    newest: int
    changed: int
    gone: int
    published: int
    buckets: Buckets
    columns: Totals
    shift: int | None

    @property
    def rows(self) -> int:
        """Rows of the source."""
        return sum(bucket.rows for bucket in self.buckets.values())


@frozen
class TableReader:
    """Reads tables of one snapshot.

    Attributes: clickhouse; connection of the source, its id; using, the snapshot's cursor; snapshot; state,
    what is published; newest, by table its greatest version before anything is counted; version, that rows
    get; directory, for parts; values, whether all are hashed; may_shrink, tables that may lose most rows.
    """

    clickhouse: ClickHouse
    connection: str
    using: cursor
    snapshot: Snapshot
    state: SourceState | None
    newest: Mapping[str, int]
    version: int
    directory: StagingPath
    values: bool
    may_shrink: tuple[str, ...]

    def read(self, table: SourceTable, whole: str) -> TableReading:
        """Read a table, whole where there is a reason for it.

        Raises: TableShrank; ValueRefused; BadRow; psycopg2.Error; ClickHouseError.
        """
        buckets = KeyBuckets.of(self.using, table)
        window = ""
        if not whole and self.state:
            window = changed_since(self.snapshot, self.state, self.using.connection.server_version)
        with ThreadPoolExecutor(1) as beside:  # both servers count at the same time
            seen_later = beside.submit(buckets.count_destination, self.clickhouse, values=False)
            with naming_misfit(self.using, self.connection, table):
                found, columns = buckets.count_source(self.using, window, values=self.values)
            newest, (seen, _) = self.newest[table.name], seen_later.result()
        changed = sum(bucket.changed for bucket in found.values())
        published = sum(bucket.rows for bucket in seen.values())
        if not whole and not newest:
            whole = "nothing is there"
        elif not whole and changed > MOST_CHANGES:
            whole = f"{changed} rows changed"
        rows = sum(bucket.rows for bucket in found.values())
        with TextWriter(self.directory, table.staged) as writer:
            if whole:
                changed, gone = rows, 0
                self._copy(table, "", writer.write)
            else:
                gone = self._copy_changes(table, buckets, found, seen, window, writer)
        require_not_shrunk(self.connection, table, rows, published, self.may_shrink)
        log.info(
            "table %s: %d of %d rows to send, %d gone%s",
            table.full_name, changed, rows, gone, f"; read whole, as {whole}" if whole else "",
        )  # fmt: skip
        return TableReading(
            table=table,
            parts=writer.parts.model_copy(update={"keys_are_unique": True}),
            whole=whole,
            newest=newest,
            changed=changed,
            gone=gone,
            published=published,
            buckets=found,
            columns=columns,
            shift=buckets.shift,
        )

    def _copy_changes(
        self,
        table: SourceTable,
        buckets: KeyBuckets,
        found: Buckets,
        seen: Buckets,
        window: str,
        writer: TextWriter,
    ) -> int:
        """Write changed rows, and keys that are gone; return how many are gone."""
        sent = SentKeys(writer.write, len(table.kept_key))
        if any(bucket.changed for bucket in found.values()):
            self._copy(table, window, sent.write)
        unlike = unlike_buckets(self.clickhouse, buckets, found, sent, seen)
        gone = 0
        rest = f"\t{NULL}" * (len(table.ordered) - len(table.kept_key)) + f"\t{self.version}\t1\n"
        for key in gone_keys(self.clickhouse, self.using, buckets, found, sent, unlike):
            writer.write(f"{key}{rest}".encode())
            gone += 1
        return gone

    def _copy(self, table: SourceTable, condition: str, write: Callable[[memoryview], int]) -> None:
        copy_rows(self.using, self.connection, table, select_rows(table, self.version, condition), write)


def copy_rows(
    using: cursor, connection: str, table: SourceTable, query: str, write: Callable[[memoryview], int]
) -> None:
    """Give `write` what a query of select_rows() returns, as COPY writes it.

    Raises: ValueRefused, after which the transaction is over; psycopg2.Error; what `write` raises.
    """
    with naming_misfit(using, connection, table):
        copy_out(using, query, write)


def require_not_shrunk(
    connection: str, table: SourceTable, rows: int, published: int, may_shrink: Sequence[str] = ()
) -> None:
    """Raises: TableShrank for a table that has less than half of the rows that readers see."""
    if rows * 2 < published and table.name not in may_shrink:
        raise TableShrank(connection, table.full_name, rows, published)


@contextmanager
def naming_misfit(using: cursor, connection: str, table: SourceTable) -> Iterator[None]:
    """Say which value it was where the server could not turn one into what its column holds.

    Raises: ValueRefused, after which the transaction is over; psycopg2.Error.
    """
    try:
        yield
    except (psycopg2.DataError, psycopg2.NotSupportedError) as error:
        using.connection.rollback()
        if refused := find_misfit(using, connection, table):
            raise refused from error
        raise


def select_rows(table: SourceTable, version: int, condition: str = "") -> str:
    """Return the query whose output, as COPY writes it, is that of a part."""
    columns = ", ".join(column.select for column in table.ordered)
    where = f" WHERE {condition}" if condition else ""
    return f"SELECT {columns}, {version}, 0 FROM {table.quoted}{where}"


def find_misfit(using: cursor, connection: str, table: SourceTable) -> ValueRefused | None:
    """Return the error of the first value, in any row, that has no place in its column."""
    key = ", ".join(f'"{name}"' for name in table.key)
    for column in table.kept:
        if not column.misfit:
            continue
        source = next(each for each in table.columns if column.name in (each.name, f"{each.name}_us"))
        values = f"concat_ws(', ', {key}), {source.quoted}::text"
        using.execute(f"SELECT {values} FROM {table.quoted} WHERE {column.misfit} LIMIT 1")
        if found := using.fetchone():
            shown = safe_repr(found[0]), safe_repr(found[1])
            return ValueRefused(connection, table.full_name, source.name, *shown, column.reason)
    return None
