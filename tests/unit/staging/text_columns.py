"""A table of text parts with a column of every kind, with and without NULL, and rows for it."""

import math
import struct
from datetime import UTC, date, datetime
from uuid import UUID

from hypothesis import strategies as st

from include.staging.column_kinds import COLUMN_KINDS
from include.staging.tables import Row, StagedTable
from tests.unit.staging.columns import BOUNDS

PLAIN = [kind for kind in COLUMN_KINDS if not kind.startswith("Nullable(")]
KINDS = [*PLAIN, *(f"Nullable({kind})" for kind in PLAIN)]
EVERY_TEXT = StagedTable(
    name="every_text",
    columns={f"c{number}": kind for number, kind in enumerate(KINDS)},
    key=("c2",),
    day_column=None,
    form="text",
)
HOSTILE = [
    "", "\\", "\\N", "\\\\N", "\\.", "\\n", "a\tb", "a\nb", "\r", "\r\n", "\b\f\v", "\x00", "\x7f", " ",
    "'; DROP TABLE t; --", "%(x)s %s %", "{x:String}", "N", "\\t\\", "ф漢\U0001f9f5", "\\\t\\\n\\", "NULL",
    "\u2028", "x" * 5000,
]  # fmt: skip
ODD_FLOATS = [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1e308, 1e20, 0.1, 256.0]

_days = st.dates(date(1970, 1, 1), date(2105, 12, 31))
_seconds = st.integers(0, 4_291_747_199).map(lambda second: datetime.fromtimestamp(second, UTC))
_of_kind = {
    "Date": _days,
    "DateTime('UTC')": _seconds,
    "String": st.sampled_from(HOSTILE) | st.text(),
    "UUID": st.uuids(),
    "Float64": st.sampled_from(ODD_FLOATS) | st.floats(),
    **{kind: st.integers(low, high) for kind, (low, high) in BOUNDS.items()},
}
rows = st.lists(
    st.tuples(*(_of_kind[kind] for kind in PLAIN), *(st.none() | _of_kind[kind] for kind in PLAIN)),
    max_size=20,
)

LOWEST_OF = {
    "Date": date(1970, 1, 1),
    "DateTime('UTC')": datetime(1970, 1, 1, tzinfo=UTC),
    "String": "",
    "UUID": UUID(int=0),
    "Float64": -math.inf,
    **{kind: low for kind, (low, _) in BOUNDS.items()},
}
HIGHEST_OF = {
    "Date": date(2105, 12, 31),
    "DateTime('UTC')": datetime(2105, 12, 31, 23, 59, 59, tzinfo=UTC),
    "String": "".join(HOSTILE),
    "UUID": UUID(int=2**128 - 1),
    "Float64": math.nan,
    **{kind: high for kind, (_, high) in BOUNDS.items()},
}
LOW: Row = tuple(LOWEST_OF[kind] for kind in PLAIN) * 2
HIGH: Row = tuple(HIGHEST_OF[kind] for kind in PLAIN) * 2
NULLS: Row = (*(LOWEST_OF[kind] for kind in PLAIN), *[None] * len(PLAIN))


def comparable(row: Row) -> Row:
    """Return a row with floats as their bits (NaN is not NaN, 0.0 is -0.0) and instants without UTC."""
    return tuple(map(_comparable, row))


def _comparable(value: object) -> object:
    if isinstance(value, float):
        return struct.pack("<d", value)
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value
