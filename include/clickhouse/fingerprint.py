"""The fingerprint of a table: four numbers that show lost, doubled, changed and misplaced rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.text_lines import line_text
from include.staging.tables import StagedTable, TableParts
from include.staging.units import PartitionValue

# Not as text: 18.16 shows the first day and the first second of 1970 as 0000-00-00.
# Seconds may be staged as UInt32 for a column of instants.
_NUMBERS = {"Date": "toUInt16", "DateTime('UTC')": "toUInt32", "UInt32": "toUInt32"}


class Fingerprint(BaseModel):
    """Four numbers. Attributes: rows; keys, distinct ones; checksum; outside, rows of other units."""

    model_config = ConfigDict(frozen=True)
    rows: int
    keys: int
    checksum: int
    outside: int = 0


class Counted(Protocol):
    """Rows that were counted and hashed before: staged, computed or recorded."""

    @property
    def rows(self) -> int:
        """How many."""

    @property
    def checksum(self) -> int:
        """The sum of their hashes."""


def expected_fingerprint(counted: Counted) -> Fingerprint:
    """Return what a table that holds these rows has, each key once."""
    return Fingerprint(rows=counted.rows, keys=counted.rows, checksum=counted.checksum)


def fingerprint(
    clickhouse: ClickHouse,
    table: StagedTable,
    partition: PartitionValue | None,
    source: str | None = None,
    *,
    keys_are_unique: bool = False,
) -> Fingerprint:
    """Count and hash the rows of a partition (a day) of `table`, or all rows of the staging table `source`.

    Of a table without partitions to replace all rows are counted.
    The checksum is that of ndjson_parts.row_checksum, summed, or that of the lines of text. To
    count distinct keys takes several times as long as all else: where the keys of the rows that are expected
    are known to be unique, and the checksum tells that it is those rows, each row counts for its key.
    """
    outside, where = "0", ""
    if table.partition:
        belongs = f"{table.partition} = %(partition)s"
        outside, where = (f"countIf(NOT ({belongs}))", "") if source else ("0", f"WHERE {belongs}")
    keys = "count()" if keys_are_unique else f"uniqExact({', '.join(map(quoted, table.key))})"
    rows, distinct, checksum, strangers = clickhouse.execute(
        f"SELECT count(), {keys}, {_checksum(table)}, {outside} FROM {quoted(source or table.name)} {where}",
        {"partition": partition},
    )[0]
    return Fingerprint(rows=rows, keys=distinct, checksum=checksum, outside=strangers)


def fingerprints_by_day(
    clickhouse: ClickHouse, table: StagedTable, days: Iterable[date] | None = None, source: str | None = None
) -> dict[date, Fingerprint]:
    """Count and hash the rows of each day, of `days` or of all, in `table` or the staging table `source`.

    A day without rows is not there.
    """
    day, keys = quoted(str(table.day_column)), ", ".join(map(quoted, table.key))
    where, bound = "", {}
    if days is not None:
        where, bound = f"WHERE {day} IN %(days)s", {"days": tuple(each.isoformat() for each in days)}
    rows = clickhouse.execute(
        f"SELECT {day}, count(), uniqExact({keys}), {_checksum(table)} FROM {quoted(source or table.name)} "
        f"{where} GROUP BY {day}",
        bound,
    )
    return {
        found: Fingerprint(rows=count, keys=distinct, checksum=total)
        for found, count, distinct, total in rows
    }


def fingerprint_of_ranges(clickhouse: ClickHouse, parts: TableParts) -> Fingerprint:
    """Count and hash what readers see, without FINAL, in the ranges of a table that is appended to."""
    if not parts.ranges:
        return Fingerprint(rows=0, keys=0, checksum=0)
    where, bound = in_ranges(parts)
    # What is the same in all ranges need not be compared: texts take most of the time.
    varies = [
        len({each.prefix[place] for each in parts.ranges}) > 1 for place in range(len(parts.table.key) - 1)
    ]
    key = [name for name, differs in zip(parts.table.key, [*varies, True], strict=True) if differs]
    ((rows, keys, checksum),) = clickhouse.execute(
        f"SELECT count(), uniqExact({', '.join(map(quoted, key))}), {_checksum(parts.table)} "
        f"FROM {quoted(parts.table.name)} WHERE {where}",
        bound,
    )
    return Fingerprint(rows=rows, keys=keys, checksum=checksum)


def in_ranges(parts: TableParts) -> tuple[str, dict[str, Any]]:
    """Return a condition, that a row's key is in the ranges, and what it binds."""
    *prefix, last = map(quoted, parts.table.key)
    ranges, bound = list[str](), dict[str, Any]()
    for number, each in enumerate(parts.ranges):
        equal = [f"{name} = %({place}_{number})s" for place, name in enumerate(prefix)]
        bound |= {f"{place}_{number}": value for place, value in enumerate(each.prefix)}
        ranges.append(" AND ".join([*equal, f"{last} >= {each.first:d}", f"{last} < {each.end:d}"]))
    return f"(({') OR ('.join(ranges)}))", bound


def visible_fingerprint(
    clickhouse: ClickHouse, table: StagedTable, sources: Sequence[str], columns: Sequence[str]
) -> Fingerprint:
    """Count and hash what readers see of `table` where `columns` are as in any row of the staging tables."""
    names = ", ".join(map(quoted, columns))
    staged = " UNION ALL ".join(f"SELECT {names} FROM {quoted(source)}" for source in sources)
    ((rows, checksum),) = clickhouse.execute(
        f"SELECT count(), {_checksum(table)} FROM {quoted(table.name)} FINAL "
        f"WHERE ({names}) GLOBAL IN ({staged})"  # on a cluster, staging tables are on the asking server alone
    )
    return Fingerprint(rows=rows, keys=rows, checksum=checksum)


def version_fingerprint(
    clickhouse: ClickHouse, table: StagedTable, version: int, *, distinct: bool
) -> Fingerprint:
    """Count and hash the rows of a version, whether readers see them or not; each once where `distinct`."""
    columns = ", ".join(map(quoted, table.columns))
    source = f"{quoted(table.name)} WHERE {quoted(str(table.version_column))} = {version}"
    if distinct:
        source = f"(SELECT DISTINCT {columns} FROM {source})"
    ((rows, checksum),) = clickhouse.execute(f"SELECT count(), {_checksum(table)} FROM {source}")
    return Fingerprint(rows=rows, keys=rows, checksum=checksum)


def _checksum(table: StagedTable) -> str:
    if table.form == "text":
        return f"sum(cityHash64({line_text(table)}))"
    texts = ", '\\0', ".join(
        f"toString({_NUMBERS.get(kind, '')}({quoted(column)}))" for column, kind in table.columns.items()
    )
    return f"sum(cityHash64(concat({texts})))"
