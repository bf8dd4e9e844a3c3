"""Rows of a table by buckets of their keys, counted and hashed on both sides alike.

A whole number is in the bucket of its upper bits, any other key in one of 4,096 by its MD5. Where one side
has all keys of the other, and as many of them in a bucket, both have the same ones there.

A row's hash is 60 bits of the MD5 of its texts: 'v' and the value for each, or nothing for NULL. Hashes are
summed modulo 2^64, in any order. Where they are, each column is counted and summed too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from include.change_capture.catalog import DELETED, SourceTable
from include.change_capture.column_totals import Totals, added_up, in_destination, in_source, totalled
from include.change_capture.columns import KeptColumn
from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.text_lines import plain_text

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

SMALLEST_SHIFT = 16
BUCKET_BITS = 12
_WHOLE = {"Int16", "Int32", "Int64"}
_APART = "\x1f"
_ARGUMENTS = 90  # of a function of Postgres, which takes a hundred


class Bucket(BaseModel):
    """What a side has of a bucket. Attributes: rows; changed, of them, to be sent; checksum of all values."""

    model_config = ConfigDict(frozen=True)
    rows: int = 0
    changed: int = 0
    checksum: int = 0


Buckets = dict[str, Bucket]  # by a whole number as text, or three hexadecimal digits


class KeyBuckets(BaseModel):
    """How keys of a table fall into buckets. Attributes: table; shift of a whole number, None otherwise."""

    model_config = ConfigDict(frozen=True)
    table: SourceTable
    shift: int | None

    @classmethod
    def of(cls, using: cursor, table: SourceTable) -> KeyBuckets:
        """Return buckets of which there are some thousand at most, however far apart the keys are."""
        if not _is_whole(table):
            return cls(table=table, shift=None)
        name = table.kept_key[0].select
        using.execute(f"SELECT min({name})::text, max({name})::text FROM {table.quoted}")
        low, high = (int(end or 0) for end in using.fetchone() or (0, 0))
        return cls(table=table, shift=max(SMALLEST_SHIFT, (high - low).bit_length() - BUCKET_BITS))

    @property
    def in_source(self) -> str:
        """The bucket of a row, in SQL of Postgres."""
        if self.shift is not None:
            return f"({self.table.kept_key[0].select}) >> {self.shift}"
        return f"left(md5({self._encoded(_joined([column.select for column in self.table.kept_key]))}), 3)"

    @property
    def in_destination(self) -> str:
        """The same in SQL of ClickHouse: a number, which is grouped by several times faster, or a text.

        It is given no name there: a column of that name would be read as it.
        """
        if self.shift is not None:
            name = quoted(self.table.kept_key[0].name)
            return f"bitShiftRight(toInt64({name}), {self.shift})"
        return f"substring(lower(hex(MD5({_joined_here(self.table, self.table.kept_key)}))), 1, 3)"

    def count_source(self, using: cursor, changed: str, *, values: bool) -> tuple[Buckets, Totals]:
        """Count the rows that a snapshot has; return no totals of columns unless `values`.

        Args: changed: a condition on rows that are counted apart, "" for all; "false" is not asked of each
            row. values: hash all values too.
        """
        kept = self.table.kept if values else ()
        names = [f"v{place}" for place in range(len(kept))]  # each value is computed once
        columns = [f"{self.in_source} AS bucket"]
        apart = {"": "count(*)", "false": "0"}.get(changed)
        columns += [] if apart else [f"CASE WHEN {changed} THEN 1 END AS apart"]
        columns += [f"{column.select} AS {name}" for column, name in zip(kept, names, strict=True)]
        counted = ["bucket::text", "count(*)", apart or "count(apart)"]
        hashed = self._encoded(_joined(names))
        counted += [f"sum(('x' || left(md5({hashed}), 15))::bit(60)::bigint)" if values else "0"]
        summed = totalled(self.table) if values else ()
        counted += in_source(summed, names[: len(summed)])
        # Of a union the planner expects 200 groups, else as many as keys, which no two processes would count.
        each = f"SELECT {', '.join(columns)} FROM {self.table.quoted}"
        rows = f"({each} UNION ALL {each} WHERE false) AS rows"
        using.execute(f"SELECT {', '.join(counted)} FROM {rows} GROUP BY bucket")
        found = using.fetchall()
        buckets = {
            name: Bucket(rows=rows, changed=apart, checksum=int(total) % 2**64)
            for name, rows, apart, total, *_ in found
        }
        return buckets, added_up(summed, [row[4:] for row in found], halves=False)

    def count_destination(self, clickhouse: ClickHouse, *, values: bool) -> tuple[Buckets, Totals]:
        """Count the rows that readers see; return no totals of columns unless `values`."""
        text = _joined_here(self.table, self.table.kept)
        bits = f"bitShiftRight(reinterpretAsUInt64(reverse(substring(toString(MD5({text})), 1, 8))), 4)"
        summed = totalled(self.table) if values else ()
        counted = ["count()", f"sum({bits})" if values else "toUInt64(0)", *in_destination(summed)]
        found = clickhouse.execute(
            f"SELECT {self.in_destination}, {', '.join(counted)} "
            f"FROM {quoted(self.table.versions)} FINAL WHERE {DELETED} = 0 GROUP BY {self.in_destination}"
        )
        buckets = {str(name): Bucket(rows=rows, checksum=checksum) for name, rows, checksum, *_ in found}
        return buckets, added_up(summed, [row[3:] for row in found], halves=True)

    def source_condition(self, names: Sequence[str]) -> str:
        """Return a condition in SQL of Postgres on rows of some buckets; an index may serve it."""
        listed = ", ".join(f"'{name}'" for name in names)
        if self.shift is None:
            return f"{self.in_source} IN ({listed})"
        name, numbers = self.table.kept_key[0].select, sorted(map(int, names))
        low, high = numbers[0] << self.shift, ((numbers[-1] + 1) << self.shift) - 1
        between = f"{name} BETWEEN {low} AND {high}"
        return f"{between} AND {self.in_source} IN ({', '.join(map(str, numbers))})"

    def destination_condition(self, names: Sequence[str]) -> str:
        """Return the same in SQL of ClickHouse."""
        listed = names if self.shift is not None else map(repr, names)
        return f"{self.in_destination} IN ({', '.join(listed)})"

    def _encoded(self, text: str) -> str:
        return text if self.table.is_utf8 else f"convert_to({text}, 'UTF8')"


def _is_whole(table: SourceTable) -> bool:
    by_name = {column.name: column for column in table.columns}
    return len(table.key) == 1 and by_name[table.key[0]].base in ("int2", "int4", "int8")


def _joined(values: Sequence[str]) -> str:
    """Join values in SQL of Postgres as its output functions write them, which a cast to text does not."""
    texts = [f"concat_ws('v', '', {value})" for value in values]  # NULL is left out, and the 'v' with it
    while len(texts) > _ARGUMENTS:
        texts = [_apart(texts[place : place + _ARGUMENTS]) for place in range(0, len(texts), _ARGUMENTS)]
    return _apart(texts)


def _apart(texts: Sequence[str]) -> str:
    return f"concat_ws('{_APART}', {', '.join(texts)})"


def _joined_here(table: SourceTable, columns: Sequence[KeptColumn]) -> str:
    texts = []
    for column in columns:
        text = plain_text(table.kind_of(column), quoted(column.name))
        is_null = f"isNull({quoted(column.name)})" if table.kind_of(column).startswith("Nullable(") else ""
        # ifNull, as 18.16 would make the result of if() Nullable, and MD5 takes no such text.
        texts.append(f"ifNull(concat('v', {text}), '')" if is_null else f"concat('v', {text})")
    apart = f", '{_APART}', "
    return f"concat({apart.join(texts)})" if len(texts) > 1 else texts[0]
