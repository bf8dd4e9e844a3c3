r"""How a column of Postgres is kept, by its type: under which names, as which kinds, and what selects it.

| Postgres | column | kind |
| --- | --- | --- |
| smallint, integer, bigint | its name | Int16, Int32, Int64 |
| boolean | its name | UInt8 |
| numeric(p,s) of at most 18 digits | its name | Int64: the value times 10^s, so that sums are exact |
| real, double precision | its name | Float64 |
| uuid | its name | UUID |
| timestamp, timestamptz | its name | DateTime('UTC'), NULL outside 1970 to 2105 |
| | `<name>_us` | Int64, microseconds since 1970; infinity: the ends of Int64 |
| date | its name | Date, NULL outside 1970 to 2105 |
| | `<name>_days` | Int32, days since 1970; infinity: the ends of Int32 |
| bytea | its name | String, hexadecimal |
| arrays | its name | String, JSON |
| all others | its name | String, as the server writes it |

A timestamp without a zone is taken for UTC. All are Nullable but those of the key: a column that the source
loses is NULL from then on, and so is a row that is gone. Of an instant or a day in the key, the exact one
of the two columns is in our key.
"""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

DIGITS_OF_INT64 = 18
_WHOLE = {"int2": "Int16", "int4": "Int32", "int8": "Int64"}
_NO_KEY = {"float4", "float8"}  # 0 and -0 are one key there, and NaN is one too


class SourceColumn(BaseModel):
    """A column of the source, as the catalog has it.

    Attributes: number; name; type, as SQL writes it; base, the name of the built-in type below it, "array" or
    "other"; modifier of the type, -1 without one; meaning, of what old rows read as: labels of an enum, an
    expression; may_read, whether the role may.
    """

    model_config = ConfigDict(frozen=True)
    number: int
    name: str
    type: str
    base: str
    modifier: int
    meaning: str
    may_read: bool

    @property
    def quoted(self) -> str:
        """Its name in SQL of Postgres."""
        return '"{}"'.format(self.name.replace('"', '""'))

    @property
    def scale(self) -> int | None:
        """Digits behind the point of a number that is kept as a whole one; None for other columns."""
        if self.base != "numeric" or self.modifier < 0:
            return None
        digits = (self.modifier - 4) >> 16 & 0xFFFF
        scale = ((self.modifier - 4 & 0x7FF) ^ 1024) - 1024  # may be negative
        fits = max(digits, scale) - min(scale, 0) <= DIGITS_OF_INT64
        return max(scale, 0) if fits else None


class KeptColumn(NamedTuple):
    """A column of ours.

    Attributes: name; kind, without Nullable; select, SQL of Postgres that COPY writes as the kind is written;
    misfit, a condition on values of the source that have no place in it, "" where all have; reason, why.
    """

    name: str
    kind: str
    select: str
    misfit: str = ""
    reason: str = ""


def kept_columns(column: SourceColumn) -> list[KeptColumn]:
    """Return how a column is kept; of two, the exact one is the last."""
    name, value = column.name, column.quoted
    if kind := _WHOLE.get(column.base):
        return [KeptColumn(name, kind, value)]
    if column.scale is not None:
        select = f"({value} * {10**column.scale})::bigint"
        return [KeptColumn(name, "Int64", select, f"{value} = 'NaN'", "NaN is no number of a fixed scale")]
    simple = {
        "bool": ("UInt8", f"{value}::int"),
        "float4": ("Float64", _bits(f"{value}::float8")),
        "float8": ("Float64", _bits(value)),
        "uuid": ("UUID", value),
        "bytea": ("String", f"encode({value}, 'hex')"),
        "array": ("String", f"to_json({value})"),
    }
    if found := simple.get(column.base):
        return [KeptColumn(name, *found)]
    if column.base in ("timestamp", "timestamptz"):
        return _instant(column)
    return _day(column) if column.base == "date" else [KeptColumn(name, "String", value)]


def may_be_key(column: SourceColumn) -> bool:
    """Tell whether equal values of a column are always kept as equal ones, and others as others."""
    return column.base not in _NO_KEY


def _bits(value: str) -> str:
    return f"('x' || encode(float8send({value}), 'hex'))::bit(64)::bigint"


def _instant(column: SourceColumn) -> list[KeptColumn]:
    value, kind = column.quoted, column.base
    begin, end = (f"{kind} '{day} 00:00:00+00'" for day in ("1970-01-01", "2106-01-01"))
    seconds = f"floor(date_part('epoch', {value}))::bigint"
    readable = f"CASE WHEN {value} >= {begin} AND {value} < {end} THEN {seconds} END"
    # Seconds as a float are exact to the microsecond for 2^31 of them; the others by the bytes of the value.
    near = f"{value} >= {kind} '1902-01-01 00:00:00+00' AND {value} < {kind} '2038-01-01 00:00:00+00'"
    exact = (
        f"CASE WHEN {near} THEN (date_part('epoch', {value}) * 1000000)::bigint "
        f"WHEN {value} = 'infinity' THEN 9223372036854775807 "
        f"WHEN {value} = '-infinity' THEN '-9223372036854775808'::bigint "
        f"ELSE ('x' || encode({kind}_send({value}), 'hex'))::bit(64)::bigint + 946684800000000 END"
    )
    misfit = f"isfinite({value}) AND {value} >= '294247-01-01'"
    reason = "it is too late for microseconds in 64 bits"
    return [
        KeptColumn(column.name, "DateTime('UTC')", readable),
        KeptColumn(f"{column.name}_us", "Int64", exact, misfit, reason),
    ]


def _day(column: SourceColumn) -> list[KeptColumn]:
    value = column.quoted
    days = f"{value} - date '1970-01-01'"
    readable = f"CASE WHEN {value} >= date '1970-01-01' AND {value} < date '2106-01-01' THEN {days} END"
    exact = (
        f"CASE WHEN {value} = 'infinity' THEN 2147483647 "
        f"WHEN {value} = '-infinity' THEN '-2147483648'::int ELSE {days} END"
    )
    return [
        KeptColumn(column.name, "Date", readable),
        KeptColumn(f"{column.name}_days", "Int32", exact),
    ]
