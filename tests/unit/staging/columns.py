"""A table with a column of every kind, and rows for it as hypothesis strategies."""

from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import strategies as st

from include.staging.tables import Row, StagedTable

EVERY_KIND = StagedTable(
    name="every_kind",
    columns={
        "date": "Date", "at": "DateTime('UTC')", "text": "String", "i8": "Int8", "i16": "Int16",
        "i32": "Int32", "i64": "Int64", "u8": "UInt8", "u16": "UInt16", "u32": "UInt32", "u64": "UInt64",
    },
    key=("text",),
)  # fmt: skip
BOUNDS = {
    f"{sign}Int{bits}": ((0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    for sign in ("", "U")
    for bits in (8, 16, 32, 64)
}
LOWEST: Row = (date(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC), "", *(low for low, _ in BOUNDS.values()))
HIGHEST: Row = (
    date(2105, 12, 31),
    datetime(2105, 12, 31, 23, 59, 59, tzinfo=UTC),
    'it\'s "q" \\ \\0 \\n `b` %s %(x)s \t\r\n\x00\x7f\u2028 ф 漢 \U0001f9f5\u200d\U0001f30a ' + "A" * 300,
    *(high for _, high in BOUNDS.values()),
)

_zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_moments = st.datetimes(datetime(1970, 1, 2), datetime(2105, 12, 30), timezones=_zones)  # noqa: DTZ001
rows = st.lists(
    st.tuples(
        st.dates(date(1970, 1, 1), date(2105, 12, 31)),
        _moments,
        st.text(),  # no lone surrogates unless asked for
        *(st.integers(low, high) for low, high in BOUNDS.values()),
    ),
    max_size=20,
)


def as_kept(row: Row) -> Row:
    """Return the row as its columns keep it: instants in UTC without a fraction of a second."""
    return (row[0], row[1].astimezone(UTC).replace(microsecond=0), *row[2:])
