"""What is staged: tables with their columns, whose rows are checked against the types, and parts of them.

How a part is written is in ndjson_parts.py and, for large tables, in text_parts.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime
from functools import cached_property
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar
from uuid import UUID

import msgspec
from pydantic import (
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from include.staging.column_kinds import COLUMN_KINDS, COMPUTED_KINDS, NDJSON_KINDS
from include.staging.errors import BadRow
from include.staging.units import PARTITION_BY, partition_column, partition_sql
from include.text import safe_repr

ROWS_CHECKED_AT_ONCE = 1_000  # few enough to stay in the processor's cache

_NAME = "[A-Za-z_][A-Za-z0-9_]{0,62}"

Row = tuple[object, ...]
T = TypeVar("T")


class StagedTable(BaseModel):
    """A table that rows are staged for.

    Attributes: name; columns, name -> ClickHouse type, in order; key, columns that are unique within a
    unit; day_column, None where the table is not kept by day; partition_by, of a table whose units are not
    days but are replaced too, its PARTITION BY: a column, or a function of one, such as `toStartOfHour(at)`;
    last_insert_counts, of a table without both: readers see, of the rows of one key, the one that was
    inserted last, whatever is in it; version_column, of a table without both, in which the greatest version
    of a key counts: all rows of a unit have one that no other unit has; replaced_whole, of a table without
    days and PARTITION BY: each unit has all of its rows, and the last one that was published counts; of these
    three, the units of a table are all of one kind, days or others; appended, of a table without any of
    these: rows whose key is not there yet are added, so that each is there once for readers without FINAL;
    the key ends with a number, such as an offset, and a unit has ranges of it (TableParts.ranges); stamps,
    columns of such a table that are not staged: the publication fills them with its time and its run; form
    of its parts:
    "text" is what COPY writes, for large tables and more kinds of columns (text_parts.py), and hashed
    otherwise, so a table keeps its form; "none" where ClickHouse makes the rows, of any kinds that
    COMPUTED_KINDS has, and nothing is staged; escapes, of text: False where no value needed one, which is
    proved for less.
    """

    model_config = ConfigDict(frozen=True)
    name: str = Field(pattern=f"^{_NAME}$")
    columns: dict[str, str]
    key: tuple[str, ...]
    day_column: str | None = "date"
    partition_by: str | None = Field(default=None, pattern=PARTITION_BY)
    last_insert_counts: bool = False
    version_column: str | None = None
    replaced_whole: bool = False
    appended: bool = False
    stamps: tuple[Literal["published_at", "run_id"], ...] = ()
    form: Literal["ndjson", "text", "none"] = "ndjson"
    escapes: bool = True

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        kinds = {"ndjson": NDJSON_KINDS, "text": COLUMN_KINDS, "none": COMPUTED_KINDS}[self.form]
        for column, kind in self.columns.items():
            if not re.fullmatch(_NAME, column) or kind not in kinds:
                raise ValueError(f"no column {safe_repr(column)} of kind {safe_repr(kind)} can be staged")
        if not self.columns or not set(self.key) <= set(self.columns):
            raise ValueError("the key is of columns that the table has not")
        if any(self.columns[column].startswith("Nullable(") for column in self.key):
            raise ValueError("the key has a column that may be NULL")
        if self.day_column is not None and self.columns.get(self.day_column) != "Date":
            raise ValueError("the day_column is no column of kind Date")
        if self.partition_by is not None:
            if self.day_column is not None:
                raise ValueError("the table has a day_column and a partition_by: one of them")
            if partition_column(self.partition_by) not in self.columns:
                raise ValueError("partition_by is of a column that the table has not")
        if self.replaced_whole and (self.partition or self.last_insert_counts):
            raise ValueError("the table is replaced whole, or by partition, or upserted: one of them")
        return self

    @model_validator(mode="after")
    def _has_versions_alone(self) -> Self:
        if self.version_column is not None and self.columns.get(self.version_column) != "UInt64":
            raise ValueError("the version_column is no column of kind UInt64")
        if self.version_column and (self.is_replaced or self.last_insert_counts):
            raise ValueError("the table has versions, or is replaced, or the last insert counts: one of them")
        return self

    @model_validator(mode="after")
    def _is_appended_to(self) -> Self:
        if self.stamps and not self.appended:
            raise ValueError("stamps are of tables that are appended to")
        if self.appended and (self.is_replaced or self.last_insert_counts or self.version_column):
            raise ValueError("the table is appended to, or replaced, or upserted: one of them")
        if self.appended and not (self.key and "Int" in self.columns[self.key[-1]]):
            raise ValueError("the key of a table that is appended to ends with a number")
        return self

    @property
    def partition(self) -> str | None:
        """The SQL expression of its partitions; None where it has none."""
        by = self.day_column or self.partition_by
        return partition_sql(by) if by else None

    @property
    def is_replaced(self) -> bool:
        """Tell whether a unit takes the place of the one before it; else its rows are upserted by key."""
        return self.replaced_whole or self.partition is not None

    @cached_property
    def _row_kind(self) -> Any:
        return tuple[*(COLUMN_KINDS[kind].checked for kind in self.columns.values())]  # type: ignore[misc]

    @cached_property
    def rows_adapter(self) -> TypeAdapter[list[Row]]:
        """Checks rows, Python values or JSON up to the first bad one; only in JSON is text read as a date."""
        rows_kind = Annotated[list[self._row_kind], FailFast()]  # type: ignore[name-defined]
        return TypeAdapter(rows_kind, config=ConfigDict(strict=True))

    @cached_property
    def _decoded_kind(self) -> Any:
        row_kind: Any = tuple[*(COLUMN_KINDS[kind].decoded for kind in self.columns.values())]  # type: ignore[misc]
        return list[row_kind]

    @cached_property
    def _rows_decoder(self) -> Any:
        return msgspec.json.Decoder(self._decoded_kind)

    def check_rows(self, rows: list[Any]) -> list[Row]:
        """Check Python values; text is no date, a whole float no integer.

        Raises: ValueError, which says less than rows_adapter; also where that one takes the rows.
        """
        checked: list[Row] = msgspec.convert(rows, self._decoded_kind, builtin_types=(date, datetime, UUID))
        if not self._are_within_bounds(checked):
            raise ValueError("out of bounds")
        return checked

    def read_rows(self, text: bytes) -> list[Row]:
        """Read and check a JSON array of rows; instants come as they were written, by write_table in UTC.

        Raises: ValidationError for the first that does not fit.
        """
        with suppress(ValueError):
            rows: list[Row] = self._rows_decoder.decode(text)
            if not rows or self._are_within_bounds(rows):
                return rows
        return self.rows_adapter.validate_json(text)  # it says what does not fit

    def _are_within_bounds(self, rows: list[Any]) -> bool:
        for place, kind in enumerate(self.columns.values()):
            if bounds := COLUMN_KINDS[kind].bounds:
                values = [row[place] for row in rows if row[place] is not None]
                if values and not bounds[0] <= min(values) <= max(values) < bounds[1]:
                    return False
        return True

    def bad_row(self, error: ValidationError, rows_before: int) -> BadRow:
        """Say in our words what pydantic found in the rows that follow the first `rows_before`."""
        first = error.errors(include_url=False)[0]
        place = list(first["loc"])
        row = rows_before + 1 + (int(place.pop(0)) if place else 0)
        column = list(self.columns)[int(place[0])] if place else "(all)"
        return BadRow(self.name, row, column, f"{first['msg']}, got {safe_repr(first['input'])}")


class Part(BaseModel):
    """One staging file. Attributes: file, its name; rows; sha256 of its bytes; checksum of its rows."""

    model_config = ConfigDict(frozen=True)
    file: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=255)
    rows: int = Field(ge=0, lt=2**63)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    checksum: int = Field(ge=0, lt=2**64)


class KeyRange(NamedTuple):
    """A range of keys: all columns but the last have the values of `prefix`, the last is in [first, end)."""

    prefix: tuple[StrictInt | StrictStr, ...]
    first: int
    end: int


class TableParts(BaseModel):
    """All staged rows of one table. Its checksum is the sum of its rows' (row_checksum).

    Attributes: table; parts; keys_are_unique: who staged the rows has proved that no key comes twice; ranges,
    of a table that is appended to: of which keys these are all rows.
    """

    model_config = ConfigDict(frozen=True)
    table: StagedTable
    parts: tuple[Part, ...]
    keys_are_unique: bool = False
    ranges: tuple[KeyRange, ...] = ()

    @model_validator(mode="after")
    def _has_ranges(self) -> Self:
        if any(len(each.prefix) + 1 != len(self.table.key) for each in self.ranges):
            raise ValueError("a range has another number of columns than the key")
        return self

    @property
    def rows(self) -> int:
        """Rows in all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def checksum(self) -> int:
        """Sum of the row checksums, modulo 2**64."""
        return sum(part.checksum for part in self.parts) % 2**64


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items, the last one shorter."""
    source = iter(items)
    return iter(lambda: list(islice(source, size)), [])


def written(
    table: StagedTable, rows: list[Row], rows_before: int, write: Callable[[StagedTable, list[Row]], T]
) -> T:
    """Check rows and write them. Raises: BadRow for the first that does not fit."""
    try:
        return write(table, table.check_rows(rows))
    except ValueError:
        return write(table, _checked_by_pydantic(table, rows, rows_before))


def _checked_by_pydantic(table: StagedTable, rows: list[Row], rows_before: int) -> list[Row]:
    """Check rows once more, by what says best which value does not fit; it is several times slower."""
    try:
        return table.rows_adapter.validate_python(rows)
    except ValidationError as error:
        raise table.bad_row(error, rows_before) from error
