"""Values of each column that are not NULL, and the sums of whole numbers, the same on both sides.

They are counted by bucket, where all values are hashed, and added up here: a number of Python has no end. So
no side has to hold more than the sum of a bucket. ClickHouse sums 64 bits modulo 2^64, and servers of 2018
know no wider number: the lower 32 bits of an Int64 are summed apart from the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from include.change_capture.catalog import SourceTable
from include.change_capture.columns import KeptColumn
from include.clickhouse.client import quoted

# Of more columns Postgres would not return two numbers each.
MOST_COLUMNS = 400
_HALF = 32
_WHOLE = ("Int16", "Int32", "Int64", "UInt8")


class ColumnTotal(BaseModel):
    """What a side has in a column. Attributes: values that are not NULL; their sum, where they are whole."""

    model_config = ConfigDict(frozen=True)
    values: int = 0
    sum: int | None = None

    def __str__(self) -> str:
        summed = "" if self.sum is None else f", their sum {self.sum}"
        return f"{self.values} values that are not NULL{summed}"


Totals = dict[str, ColumnTotal]  # by column of ours


def totalled(table: SourceTable) -> Sequence[KeptColumn]:
    """Return the columns that are counted and summed."""
    return table.kept[:MOST_COLUMNS]


def in_source(columns: Sequence[KeptColumn], names: Sequence[str]) -> list[str]:
    """Return aggregates in SQL of Postgres. Args: names, under which the query has the columns' values."""
    found = []
    for column, name in zip(columns, names, strict=True):
        found += [f"count({name})", f"sum({name})"] if column.kind in _WHOLE else [f"count({name})"]
    return found


def in_destination(columns: Iterable[KeptColumn]) -> list[str]:
    """Return the same in SQL of ClickHouse: of an Int64 two sums."""
    found = []
    for column in columns:
        name = quoted(column.name)
        found.append(f"count({name})")
        if column.kind == "Int64":
            found.append(f"sum(bitAnd({name}, {2**_HALF - 1}))")
            found.append(f"sum(bitShiftRight({name}, {_HALF}))")
        elif column.kind in _WHOLE:
            found.append(f"sum({name})")
    return found


def added_up(columns: Sequence[KeptColumn], rows: Iterable[Sequence[int | None]], *, halves: bool) -> Totals:
    """Return the totals of rows of such aggregates. Args: halves: they are ClickHouse's."""
    sums = [sum(int(number or 0) for number in numbers) for numbers in zip(*rows, strict=True)]
    left, totals = iter(sums), Totals()
    for column in columns:
        values = next(left, 0)
        total = next(left, 0) if column.kind in _WHOLE else None
        if total is not None and column.kind == "Int64" and halves:
            total += next(left, 0) << _HALF
        totals[column.name] = ColumnTotal(values=values, sum=total)
    return totals
