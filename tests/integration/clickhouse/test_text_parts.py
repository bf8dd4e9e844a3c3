"""Parts of text on both engines: each kind both ways, every bad line found, the whole way of a day."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import example, given

from include.clickhouse import load_text as load_text_module
from include.clickhouse.client import ClickHouse
from include.clickhouse.errors import DayMismatch
from include.clickhouse.load_text import load_text
from include.clickhouse.publish import check_day
from include.staging.errors import BadRow, StagingFileDamaged
from include.staging.manifest import Manifest, save_manifest
from include.staging.parts import write_table
from include.staging.tables import Row, StagedTable, TableParts
from include.staging.text_parts import TextWriter
from tests.examples import examples
from tests.integration.clickhouse.days import DAY, OTHER_DAY, load, now, publish, run, stage, staging_tables
from tests.unit.staging.text_columns import EVERY_TEXT, HIGH, LOW, NULLS, comparable, rows

SALES = StagedTable(
    name="sales",
    columns={
        "id": "Int64", "shop": "Int32", "day": "Nullable(Date)", "at": "Nullable(DateTime('UTC'))",
        "cents": "Nullable(Int64)", "rate": "Float64", "uuid": "UUID", "flag": "UInt8",
        "note": "Nullable(String)", "name": "String",
    },
    key=("id",),
    day_column=None,
    form="text",
)  # fmt: skip
DAILY = StagedTable(
    name="daily",
    columns={"date": "Date", "id": "Int64", "note": "Nullable(String)"},
    key=("id",),
    form="text",
)
GOOD = b"1\t2\t20685\t1787184000\t-5\t4607182418800017408\t61f0c404-5cb3-11e7-907b-a6006ad3dba0\t1\t\\N\tname"


def create(clickhouse: ClickHouse, table: StagedTable, engine: str) -> None:
    """Make the table."""
    columns = ", ".join(f"`{name}` {kind}" for name, kind in table.columns.items())
    clickhouse.execute(f"CREATE TABLE {table.name} ({columns}) ENGINE = {engine}")


def manifest_of(parts: TableParts, run_id: str = "run 1") -> Manifest:
    """Return the manifest of a run that staged a table."""
    return Manifest(
        dag_id="some_dag", run_id=run_id, day=DAY, task="some_task", host="here", written_at=now(),
        tables={parts.table.name: parts},
    )  # fmt: skip


@pytest.fixture
def every_kind(clickhouse) -> StagedTable:
    """A table with a column of every kind, there and empty."""
    create(clickhouse, EVERY_TEXT, "Memory")
    return EVERY_TEXT


# The table is emptied for each example.
@examples(40, shared_fixtures=True)
@given(rows)
@example([LOW, HIGH, NULLS])
@example([LOW, NULLS])  # without escapes
def test_every_kind_goes_in_and_comes_out(clickhouse, every_kind: StagedTable, rows: list[Row]):
    """The server makes of each text the value that was written, and of the value the same text."""
    clickhouse.execute(f"TRUNCATE TABLE {every_kind.name}")
    with tempfile.TemporaryDirectory() as directory:
        staged = write_table(Path(directory), every_kind, rows, rows_per_part=100)
        manifest = manifest_of(staged)
        for part in staged.parts:
            path = Path(directory) / part.file
            load_text(clickhouse, path, manifest, every_kind.name, part, every_kind.name)
    stored = clickhouse.execute(f"SELECT {', '.join(every_kind.columns)} FROM {every_kind.name}")
    assert sorted(map(repr, map(comparable, stored))) == sorted(map(repr, map(comparable, rows)))


@pytest.fixture
def sales(clickhouse) -> StagedTable:
    """An empty table with columns of most kinds."""
    create(clickhouse, SALES, "MergeTree ORDER BY id")
    return SALES


@pytest.fixture
def without_migrations(connect) -> Iterator[ClickHouse]:
    """An open connection to a database with the table `sales` only: migrations take longer than the test."""
    with connect() as connection:
        create(connection, SALES, "MergeTree ORDER BY id")
        yield connection


def bad(column: str, value: bytes) -> bytes:
    """Return the good line with another value in a column."""
    fields = GOOD.split(b"\t")
    fields[list(SALES.columns).index(column)] = value
    return b"\t".join(fields)


BAD = [
    *[("shop", value) for value in (b"2147483648", b"-2147483649", b"4294967298", b"007", b"", b"\\N", b"x")],
    *[("shop", value) for value in (b"1.0", b" 1", b"1 ", b"+1", b"-0", b"1e3", b"0x1", b"\xd9\xa1")],
    *[("id", value) for value in (b"9223372036854775808", b"18446744073709551617", b"\\N", b"9" * 23)],
    *[("day", value) for value in (b"49673", b"65536", b"-1", b"2026-08-20", b"", b"NULL", b"\\n")],
    *[("at", value) for value in (b"4291747200", b"4294967296", b"-1", b"2026-08-20 00:00:00", b"", b"1.5")],
    *[("cents", value) for value in (b"9223372036854775808", b"12.50", b"", b"\\\\N")],
    *[("rate", value) for value in (b"1.5", b"NaN", b"", b"\\N", b"9223372036854775808")],
    *[("uuid", value) for value in (b"\\N", b"", b"61f0c404", b"z" * 36)],
    ("uuid", b"61f0c4045cb311e7907ba6006ad3dba0"),
    ("uuid", b"61F0C404-5CB3-11E7-907B-A6006AD3DBA0"),
    ("uuid", b"{61f0c404-5cb3-11e7-907b-a6006ad3dba0}"),
    *[("flag", value) for value in (b"256", b"t", b"-1")],
    *[("note", value) for value in (b"\\q", b"\\", b"a\\", b"\\Nx", b"x\\N", b"\\x41", b"\\101", b"\\.")],
    *[("name", value) for value in (b"\\N", b"\\q", b"a\\", b"\\0")],
]  # fmt: skip


@pytest.mark.parametrize(("column", "value"), BAD)
@pytest.mark.parametrize("others", [b"\\N", b"a\\\\b"], ids=["no escapes", "escapes"])
def test_every_bad_value_is_found_and_named(without_migrations, tmp_path, column, value, others):
    """Whether the engine refuses it or stores something else without a word: row, column and value."""
    good = bad("note", others)
    with TextWriter(tmp_path, SALES) as writer:
        writer.write(b"\n".join([good] * 3 + [bad(column, value)] + [good, b""]))
    manifest = manifest_of(writer.parts)
    with pytest.raises(BadRow, match="Next: correct it where the row comes from") as caught:
        load(without_migrations, tmp_path, manifest)
    assert (caught.value.table, caught.value.row, caught.value.column) == ("sales", 4, column)


@pytest.mark.parametrize(
    "line",
    [GOOD + b"\t", GOOD + b"\t1", GOOD.rpartition(b"\t")[0], b"", b"\t" * 9, GOOD.replace(b"\t", b" ")],
    ids=["a tab more", "a column more", "a column less", "empty", "tabs", "blanks"],
)
def test_a_line_of_another_width_is_found_and_named(without_migrations, tmp_path, line):
    """Nothing is filled in, nothing dropped."""
    with TextWriter(tmp_path, SALES) as writer:
        writer.write(b"\n".join([GOOD, line, GOOD, b""]))
    with pytest.raises(BadRow) as caught:
        load(without_migrations, tmp_path, manifest_of(writer.parts))
    assert caught.value.row == 2


def test_the_row_number_counts_all_parts(clickhouse, sales, tmp_path):
    """As the table has them."""
    with TextWriter(tmp_path, sales) as writer:
        writer.write((GOOD + b"\n") * 5)
        writer.end_part()
        writer.write(GOOD + b"\n" + bad("flag", b"256") + b"\n")
    with pytest.raises(BadRow, match=r"row 7, column flag: .*256"):
        load(clickhouse, tmp_path, manifest_of(writer.parts))


@pytest.mark.parametrize(
    "change", [(b"name", b"else"), (b"-5", b"\t5"), (b"61f0", b"61x0"), (b"61f0", b"61\xff0")]
)
def test_a_changed_part_is_refused(clickhouse, sales, tmp_path, change, monkeypatch):
    """Whether the server takes what was sent of it or not: nothing is wrong where the rows come from."""
    monkeypatch.setattr(load_text_module, "STATEMENT_BYTES", 1)  # sent before all of the part is read
    with TextWriter(tmp_path, sales) as writer:
        writer.write((GOOD + b"\n") * 5)
    (part,) = writer.parts.parts
    path = tmp_path / part.file
    path.write_bytes(path.read_bytes().replace(*change))
    with pytest.raises(StagingFileDamaged, match="clear task some_task"):
        load(clickhouse, tmp_path, manifest_of(writer.parts))


def test_what_is_stored_otherwise_stops_the_load(clickhouse, sales, tmp_path):
    """A column that keeps less than was staged: no line is wrong, and nothing is published."""
    clickhouse.execute("DROP TABLE sales")
    columns = SALES.columns | {"at": "Nullable(Date)"}
    create(clickhouse, SALES.model_copy(update={"columns": columns}), "MergeTree ORDER BY id")
    with TextWriter(tmp_path, sales) as writer:
        writer.write(bad("at", b"1787184001") + b"\n")
    with pytest.raises(DayMismatch, match="no row of it is wrong"):
        load(clickhouse, tmp_path, manifest_of(writer.parts))


def sold(count: int, note: str | None = "a\tb") -> list[Row]:
    """`count` rows of a day."""
    return [(DAY, number, None if number % 3 else note) for number in range(count)]


@pytest.mark.parametrize("note", ["a\tb\\", "plain"], ids=["escapes", "no escapes"])
def test_a_day_of_text_is_published_checked_and_replaced(clickhouse, tmp_path, note):
    """As one of JSON is: several parts, a shorter day, an empty one, another day beside it."""
    create(clickhouse, DAILY, "MergeTree PARTITION BY date ORDER BY (date, id)")
    other = [(OTHER_DAY, 1, None)]
    run(clickhouse, tmp_path, "run 0", (DAILY, other), day=OTHER_DAY)
    for number, day in enumerate((sold(2000, note), sold(7, note), [])):
        run(clickhouse, tmp_path, f"run {number + 1}", (DAILY, day), rows_per_part=700)
        found = clickhouse.execute("SELECT date, id, note FROM daily ORDER BY date, id")
        assert found == [*other, *day]
    assert staging_tables(clickhouse) == []


def test_the_check_of_an_older_run_accepts_what_a_newer_run_published(clickhouse, tmp_path):
    """Though only the newer one has texts that need escapes."""
    create(clickhouse, DAILY, "MergeTree PARTITION BY date ORDER BY (date, id)")
    older = run(clickhouse, tmp_path, "run 1", (DAILY, sold(9, "plain")))
    run(clickhouse, tmp_path, "run 2", (DAILY, sold(4)))
    assert check_day(clickhouse, tmp_path, older, "2") == {"daily": 4}


@pytest.mark.parametrize(
    "damage",
    ["INSERT INTO daily SELECT date, id + 100, note FROM daily",
     "INSERT INTO daily SELECT * FROM daily",
     f"ALTER TABLE daily DROP PARTITION '{DAY}'"],
    ids=["more", "doubled", "lost"],
)  # fmt: skip
def test_the_check_finds_a_day_that_is_not_what_was_published(clickhouse, tmp_path, damage):
    """The hash of lines is as sharp as that of values."""
    create(clickhouse, DAILY, "MergeTree PARTITION BY date ORDER BY (date, id)")
    manifest = run(clickhouse, tmp_path, "run 1", (DAILY, sold(9)))
    clickhouse.execute(damage)
    with pytest.raises(DayMismatch, match=r"table daily, day .*clear task load"):
        check_day(clickhouse, tmp_path, manifest, "2")


def test_a_null_that_became_another_value_is_found(clickhouse, tmp_path):
    """NULL, an empty text and the text that stands for NULL are three values."""
    create(clickhouse, DAILY, "MergeTree PARTITION BY date ORDER BY (date, id)")
    manifest = run(clickhouse, tmp_path, "run 1", (DAILY, [(DAY, 1, None)]))
    for text in ("''", r"'\\N'", "'NULL'"):
        clickhouse.execute(f"ALTER TABLE daily DROP PARTITION '{DAY}'")
        clickhouse.execute(f"INSERT INTO daily SELECT toDate('{DAY}'), 1, {text}")
        with pytest.raises(DayMismatch):
            check_day(clickhouse, tmp_path, manifest, "2")


def test_text_is_upserted(clickhouse, sales, tmp_path):
    """By key, with the staging tables that check compares with."""
    clickhouse.execute("DROP TABLE sales")
    create(clickhouse, SALES, "ReplacingMergeTree ORDER BY id")
    at = datetime(2026, 8, 20, tzinfo=UTC)
    sold_ones = [(n, 1, None, at, None, 1.5, UUID(int=n), 0, None, f"n\n{n}") for n in range(9)]
    manifest = run(clickhouse, tmp_path, "run 1", (sales, sold_ones), rows_per_part=4)
    assert manifest.tables["sales"].table.escapes
    assert clickhouse.execute("SELECT count(), max(name) FROM sales FINAL") == [(9, "n\n8")]
    assert staging_tables(clickhouse) == []


def test_what_a_server_has_lost_since_it_was_loaded_is_not_published(clickhouse, sales, tmp_path):
    """Its rows are counted before readers see any; their values are proved where readers see them."""
    clickhouse.execute("DROP TABLE sales")
    create(clickhouse, SALES, "ReplacingMergeTree ORDER BY id")
    rows = [
        (n, 1, None, datetime(2026, 8, 20, tzinfo=UTC), None, 1.5, UUID(int=n), 0, None, "") for n in range(9)
    ]
    directory, manifest = stage(tmp_path, "run 1", (sales, rows), rows_per_part=4)
    loaded = load(clickhouse, directory, manifest)
    clickhouse.execute(f"TRUNCATE TABLE {loaded[1].staging_table}")
    with pytest.raises(DayMismatch, match=r"holds 0 of 4 rows of sales-.*clear task load"):
        publish(clickhouse, manifest, loaded[1:] + loaded[:1] + loaded[2:])
    ((seen,),) = clickhouse.execute("SELECT count() FROM sales FINAL")
    assert seen == 0


def test_one_run_stages_both_forms(clickhouse, tmp_path):
    """Each table has its own."""
    create(clickhouse, DAILY, "MergeTree PARTITION BY date ORDER BY (date, id)")
    json_table = DAILY.model_copy(
        update={"name": "daily_json", "form": "ndjson", "columns": {"date": "Date", "id": "Int64"}}
    )
    create(clickhouse, json_table, "MergeTree PARTITION BY date ORDER BY (date, id)")
    directory, manifest = stage(
        tmp_path, "run 1", (DAILY, sold(5)), (json_table, [(DAY, number) for number in range(4)])
    )
    save_manifest(directory, manifest)
    publish(clickhouse, manifest, load(clickhouse, directory, manifest))
    assert check_day(clickhouse, directory, manifest, "1") == {"daily": 5, "daily_json": 4}


def test_an_empty_line_is_a_row_of_one_empty_text(clickhouse, tmp_path):
    """Of a table of one column, alone or among others."""
    table = StagedTable(name="words", columns={"word": "String"}, key=("word",), day_column=None, form="text")
    create(clickhouse, table, "MergeTree ORDER BY word")
    for words in ([("",)], [("",), ("a",)], [("a",), ("",)]):
        parts = write_table(tmp_path, table, words)
        (part,) = parts.parts
        load(clickhouse, tmp_path, manifest_of(parts))
        assert part.rows == len(words)


def test_dates_beyond_the_type_are_no_dates():
    """What test_every_bad_value_is_found_and_named takes for the first bad day and second is that."""
    assert (date(2106, 1, 1) - date(1970, 1, 1)).days == 49673
    assert datetime(2106, 1, 1, tzinfo=UTC).timestamp() == 4291747200
