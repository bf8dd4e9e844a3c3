"""Tables of Postgres as parts of text, in ClickHouse as they were: each type that a source may have."""

import gc
import random
from pathlib import Path

import psycopg2
import pytest

from include.clickhouse.load_text import load_text
from include.postgres.copy_out import copy_out
from include.staging.errors import BadRow
from include.staging.manifest import Manifest
from include.staging.tables import StagedTable, TableParts
from include.staging.text_parts import TextWriter
from tests.integration.clickhouse.conftest import clickhouse, connect
from tests.integration.clickhouse.days import DAY, now

__all__ = ["clickhouse", "connect"]

MICROSECONDS, END = "(date_part('epoch', at_us) * 1000000)::bigint", 2**63 - 1
# A column of the source: its type, what selects it as it is staged, the kind that it is staged as.
COLUMNS = {
    "i2": ("int2", "i2", "Nullable(Int16)"),
    "i4": ("int4", "i4", "Nullable(Int32)"),
    "i8": ("int8", "i8", "Nullable(Int64)"),
    "flag": ("bool", "flag::int", "Nullable(UInt8)"),
    "price": ("numeric(10,2)", "(price * 100)::bigint", "Nullable(Int64)"),
    "wide": ("numeric", "wide", "Nullable(String)"),
    "at": ("timestamptz", "floor(date_part('epoch', at))::bigint", "Nullable(DateTime('UTC'))"),
    "at_us": (
        "timestamptz",
        f"CASE WHEN isfinite(at_us) THEN {MICROSECONDS} WHEN at_us > 'epoch' THEN {END} ELSE -{END} END",
        "Nullable(Int64)",
    ),
    "day": ("date", "day - date '1970-01-01'", "Nullable(Date)"),
    "old_day": ("date", "old_day - date '1970-01-01'", "Nullable(Int32)"),
    "word": ("text", "word", "Nullable(String)"),
    "uuid": ("uuid", "uuid", "Nullable(UUID)"),
    "f8": ("float8", "('x' || encode(float8send(f8), 'hex'))::bit(64)::bigint", "Nullable(Float64)"),
    "bytes": ("bytea", "encode(bytes, 'hex')", "Nullable(String)"),
    "json": ("jsonb", "json", "Nullable(String)"),
    "words": ("text[]", "to_json(words)", "Nullable(String)"),
}  # fmt: skip
TABLE = StagedTable(
    name="copied",
    columns={"id": "Int64"} | {name: kind for name, (_, _, kind) in COLUMNS.items()},
    key=("id",),
    day_column=None,
    form="text",
)
QUERY = f"SELECT id, {', '.join(select for _, select, _ in COLUMNS.values())} FROM source ORDER BY id"
WORDS = [
    "",
    "a\tb",
    "line\nend",
    "\r\b\f\v",
    "\\N",
    "\\",
    "\\n\\t\\\\",
    "ф漢\U0001f9f5",
    "'; --",
    "\x7f",
    "NULL",
    "%s",
]
VALUES = {
    "i2": [-(2**15), 2**15 - 1, 0],
    "i4": [-(2**31), 2**31 - 1, 0],
    "i8": [-(2**63), 2**63 - 1, 0],
    "flag": [True, False],
    "price": ["-99999999.99", "99999999.99", "1.005", "0"],
    "wide": ["NaN", "1e40", "-0.000000000000000000001"],
    "at": ["1970-01-01 00:00:00+00", "2105-12-31 23:59:59.9+00", "2026-08-20 05:06:07.123456+03"],
    "at_us": ["infinity", "-infinity", "0044-03-15 12:00:00.000001 BC", "2026-08-20 05:06:07.123456+03"],
    "day": ["1970-01-01", "2105-12-31"],
    "old_day": ["1960-02-29", "4713-01-01 BC", "5874897-12-31"],
    "word": WORDS,
    "uuid": ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-4FFF-8FFF-FFFFFFFFFFFF"],
    "f8": ["NaN", "Infinity", "-Infinity", "-0", "5e-324", "1.7976931348623157e308", "0.1"],
    "bytes": [b"", b"\x00\xff\n"],
    "json": ['{"a": "tab\\t \\\\ \\u00e9"}', "null"],
    "words": [WORDS, []],
}


@pytest.fixture
def source(postgres_server, postgres_database):
    """A table with a column of each type, and rows of their edges, of NULL, and by chance."""
    connection = postgres_server.connect(dbname=postgres_database)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET timezone = 'Pacific/Auckland'")
        columns = ", ".join(f"{name} {kind}" for name, (kind, _, _) in COLUMNS.items())
        cursor.execute(f"CREATE TABLE source (id bigint, {columns})")
        chance = random.Random(5)  # noqa: S311
        slots = ", ".join(["%s"] * (len(COLUMNS) + 1))
        for number in range(300):
            row = [chance.choice([None, *VALUES[name]]) for name in COLUMNS]
            cursor.execute(f"INSERT INTO source VALUES ({slots})", [number, *row])
        yield cursor
    connection.close()


def staged(directory: Path, cursor, query: str = QUERY, **how) -> TableParts:
    """Stage what a query returns."""
    with TextWriter(directory, TABLE, **how) as writer:
        copy_out(cursor, query, writer.write)
    return writer.parts


def manifest(parts: TableParts) -> Manifest:
    """Return the manifest of a run that staged the table."""
    given = {"dag_id": "d", "run_id": "r", "day": DAY, "host": "here", "written_at": now()}
    return Manifest(**given, tables={TABLE.name: parts})


def test_each_type_arrives_as_it_was(clickhouse, source, tmp_path: Path):
    """Each line is stored exactly, and the server's values are those of Postgres."""
    columns = ", ".join(f"`{name}` {kind}" for name, kind in TABLE.columns.items())
    clickhouse.execute(f"CREATE TABLE copied ({columns}) ENGINE = Memory")
    parts = staged(tmp_path, source)
    assert parts.rows == 300
    (part,) = parts.parts
    load_text(clickhouse, tmp_path / part.file, manifest(parts), TABLE.name, part, TABLE.name)
    plain = ["id", "i2", "i4", "i8", "word", "day"]
    source.execute(f"SELECT {', '.join(plain)}, uuid::text, f8::text FROM source ORDER BY id")
    wanted = source.fetchall()
    query = f"SELECT {', '.join(plain)}, toString(uuid), f8 FROM copied ORDER BY id"
    for (*values, number), (*expected, text) in zip(clickhouse.execute(query), wanted, strict=True):
        assert tuple(values) == tuple(expected)
        assert str(number) == str(None if text is None else float(text))


def test_a_source_that_fails_in_the_middle_leaves_no_part(source, tmp_path: Path):
    """What came before is not taken for all."""
    with pytest.raises(psycopg2.DataError, match="division by zero"):
        staged(tmp_path, source, "SELECT 1 / (299999 - n) FROM generate_series(1, 300000) AS n")
    assert list(tmp_path.iterdir()) == []


def test_nothing_comes_after_a_failure(source):
    """Neither what was gathered before it, when Python tidies up."""
    pieces: list[bytes] = []

    def write(piece: memoryview) -> int:
        pieces.append(bytes(piece))
        return len(piece)

    with pytest.raises(psycopg2.DataError, match="division by zero"):
        copy_out(source, "SELECT 1 / (1000 - n) FROM generate_series(1, 3000) AS n", write)
    gc.collect()
    assert pieces == []


def test_what_the_writer_refuses_ends_the_copy(source, tmp_path: Path):
    """The line is named, and the connection goes on."""
    query = "SELECT repeat('x', n * 900) FROM generate_series(1, 2000) AS n"
    with pytest.raises(BadRow, match=r"row 3, .*more than 2000 bytes"):
        staged(tmp_path, source, query, longest_line=2000)
    source.execute("SELECT 1")
    assert source.fetchone() == (1,)
    assert list(tmp_path.iterdir()) == []
