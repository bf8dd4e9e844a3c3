"""Parts of text: what goes in comes out, what COPY does not write is refused, memory is bounded."""

import tempfile
import tracemalloc
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec import filesystem
from hypothesis import example, given

from include.staging.errors import BadRow, StagingFileDamaged, StagingFileMissing
from include.staging.parts import write_table
from include.staging.tables import Row, StagedTable, TableParts
from include.staging.text_parts import BLOCK_BYTES, TextWriter, first_bad_row, read_blocks, rows_of
from tests.unit.staging.text_columns import EVERY_TEXT, HIGH, LOW, NULLS, comparable, rows

SALES = StagedTable(
    name="sales",
    columns={"id": "Int64", "day": "Nullable(Date)", "note": "Nullable(String)", "name": "String"},
    key=("id",),
    day_column=None,
    form="text",
)


def read(directory: Path, staged: TableParts) -> list[Row]:
    """Read all parts back."""
    return [
        row
        for part in staged.parts
        for block in read_blocks(directory / part.file, part)
        for row in rows_of(staged.table, block.split(b"\n"))
    ]


def write(directory: Path, data: bytes, *, step: int = 0, **how) -> TableParts:
    """Write bytes, in one piece or by some at a time."""
    with TextWriter(directory, SALES, **how) as writer:
        for start in range(0, len(data), step or len(data) or 1):
            writer.write(data[start : start + (step or len(data))])
    return writer.parts


@given(rows)
@example([LOW, HIGH, NULLS])
def test_every_row_comes_back(rows: list[Row]):
    """Whatever fits the columns is read as it was written: extremes, NULL, NaN, hostile texts."""
    with tempfile.TemporaryDirectory() as directory:
        staged = write_table(Path(directory), EVERY_TEXT, rows, rows_per_part=8)
        assert list(map(comparable, read(Path(directory), staged))) == list(map(comparable, rows))
        assert [part.rows for part in staged.parts[:-1]] == [8] * (len(staged.parts) - 1)
        assert staged.rows == len(rows)


def test_a_part_is_what_copy_writes(tmp_path: Path):
    """One row a line, tabs between, the escapes of COPY, numbers for days; named by its content."""
    rows = [(1, date(2026, 8, 20), None, "a\tb\\"), (2, None, "", "ф")]
    (part,) = write_table(tmp_path, SALES, rows).parts
    assert (tmp_path / part.file).read_bytes() == "1\t20685\t\\N\ta\\tb\\\\\n2\t\\N\t\tф\n".encode()
    assert part.file == f"sales-0000000000-{part.sha256[:8]}.tsv"
    assert write(tmp_path, (tmp_path / part.file).read_bytes()).parts == (part,)


@pytest.mark.parametrize("step", [1, 7, 0])
def test_however_the_bytes_come_the_parts_are_the_same(tmp_path: Path, step: int):
    """A piece may end anywhere."""
    data = b"".join(b"%d\t\\N\t\\N\tname %d\n" % (number, number) for number in range(500))
    staged = write(tmp_path, data, step=step)
    assert (staged.rows, staged.table.escapes) == (500, False)
    assert staged.parts == write(tmp_path, data).parts
    assert [row[0] for row in read(tmp_path, staged)] == list(range(500))


def test_parts_in_an_object_store(tmp_path: Path):
    """Gathered on this machine first: the name of a part is known when all of it is."""
    attach("memory", fs=filesystem("memory"))
    store = ObjectStoragePath(f"memory://{uuid4().hex}/staging")
    with TextWriter(store, SALES) as writer:
        writer.write(b"1\t\\N\t\\N\ta\n")
    (part,) = writer.parts.parts
    assert [path.name for path in store.iterdir()] == [part.file]
    assert list(read_blocks(store / part.file, part)) == [b"1\t\\N\t\\N\ta"]


def test_parts_are_cut_by_size(tmp_path: Path):
    """A large table has several, each with the number of rows before it in its name."""
    data = b"".join(b"%d\t\\N\t\\N\t%s\n" % (number, b"x" * 1000) for number in range(5000))
    staged = write(tmp_path, data, step=65_536, part_bytes=BLOCK_BYTES)
    assert len(staged.parts) == 3
    assert [row[0] for row in read(tmp_path, staged)] == list(range(5000))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(part.file for part in staged.parts)


@pytest.mark.parametrize(
    ("text", "escapes"),
    [(b"a", False), (b"\\N", False), (b"\\\\N", True), (b"\\n", True), (b"a\\\\", True)],
)
def test_whether_there_are_escapes_is_known(tmp_path: Path, text: bytes, escapes: bool):
    """NULL is none; what stands behind an escaped backslash is not NULL."""
    assert write(tmp_path, b"1\t\\N\t%s\ta\n" % text).table.escapes == escapes


BAD_WHEN_STAGED = [
    (b"2\t\\N\t\\N\t\xff\n", "name", "no UTF-8"),
    (b"2\t\\N\t\\N\ta\rb\n", "name", "not as a String is written"),
    (b"2\t\\N\t\\N\ta\x0b\n", "name", "not as a String is written"),
    (b"2\t\\N\t\\N\tcut", "(all)", "the line has no end"),
    (b"2\t\\N\t\\N\t" + b"x" * 3000 + b"\n", "(all)", "more than 2000 bytes"),
    (b"2\t\\N\t\\N\t" + b"x" * 3000 + b"\n3\t" + b"x" * 4000 + b"\n", "(all)", "more than 2000 bytes"),
    (b"2\t\\N\t\\N\t" + b"x" * 3 * BLOCK_BYTES, "(all)", "more than 2000 bytes"),
]


@pytest.mark.parametrize(("line", "column", "reason"), BAD_WHEN_STAGED)
def test_what_copy_does_not_write_is_refused_by_number(tmp_path: Path, line: bytes, column: str, reason: str):
    """Before a file of it is there."""
    with pytest.raises(BadRow) as caught:
        write(tmp_path, b"1\t\\N\t\\N\tgood\n" + line, longest_line=2000)
    error = caught.value
    assert (error.table, error.row, error.column) == ("sales", 2, column)
    assert reason in error.reason
    assert list(tmp_path.iterdir()) == []


BAD = [
    (b"9223372036854775808\t\\N\t\\N\ta", "id", "less than"),
    (b"007\t\\N\t\\N\ta", "id", "which is '7'"),
    (b" 7\t\\N\t\\N\ta", "id", "which is '7'"),
    (b"1_0\t\\N\t\\N\ta", "id", "which is '10'"),
    (b"-0\t\\N\t\\N\ta", "id", "which is '0'"),
    (b"\t\\N\t\\N\ta", "id", "invalid literal"),
    (b"\\N\t\\N\t\\N\ta", "id", "invalid literal"),
    (b"1\t49673\t\\N\ta", "day", "less than"),
    (b"1\t-1\t\\N\ta", "day", "greater than"),
    (b"1\t2026-08-20\t\\N\ta", "day", "invalid literal"),
    (b"1\t99999999999\t\\N\ta", "day", ""),
    (b"1\t\\N\t\\N\t\\N", "name", "it is NULL"),
    (b"1\t\\N\t\\q\ta", "note", "no escape of COPY"),
    (b"1\t\\N\t\\N\ta\\", "name", "no escape of COPY"),
    (b"1\t\\N\t\\Nx\ta", "note", "no escape of COPY"),
    (b"1\t\\N\t\\x41\ta", "note", "no escape of COPY"),
    (b"1\t\\N\t\\N", "(all)", "3 columns, expected 4"),
    (b"1\t\\N\t\\N\ta\tb", "(all)", "5 columns, expected 4"),
    (b"1\t\\N\t\\N\ta\t", "(all)", "5 columns, expected 4"),
    (b"", "(all)", "1 columns, expected 4"),
]


@pytest.mark.parametrize(("line", "column", "reason"), BAD)
def test_a_line_that_is_no_row_is_named(line: bytes, column: str, reason: str):
    """Table, row, column, value and the next step, on one line."""
    bad = first_bad_row(SALES, [b"1\t0\t\\N\ta", line], rows_before=10)
    assert bad is not None
    assert (bad.row, bad.column) == (12, column)
    assert reason in bad.reason
    assert ". Next: correct it where the row comes from" in str(bad)
    assert str(bad).isprintable()


@pytest.mark.parametrize(
    "text", [b"4291747200", b"-1", *(b"9" * n for n in (12, 17, 20, 5000)), b"-" + b"9" * 17]
)
@pytest.mark.parametrize("kind", ["DateTime('UTC')", "Nullable(DateTime('UTC'))"])
def test_a_second_that_no_calendar_has_is_named(kind: str, text: bytes):
    """However far it is beyond the type: Python itself fails in several ways."""
    table = StagedTable(name="t", columns={"at": kind}, key=(), day_column=None, form="text")
    bad = first_bad_row(table, [b"0", text])
    assert bad is not None
    assert (bad.row, bad.column) == (2, "at")
    assert len(str(bad)) < 500


def test_the_error_of_a_long_text_is_short():
    """It goes to logs and notices; a line may have megabytes."""
    bad = first_bad_row(SALES, [b"1\t\\N\t\\N\t" + b"x" * 2**20 + b"\r"])
    assert bad is not None
    assert bad.column == "name"
    assert len(str(bad)) < 500


def test_what_was_changed_cut_or_lost_is_refused(tmp_path: Path):
    """The hash of the manifest is the judge."""
    (part,) = write(tmp_path, b"1\t\\N\t\\N\ta\n2\t\\N\t\\N\tb\n").parts
    path = tmp_path / part.file
    good = path.read_bytes()
    for damaged in (good[:-1], good[:-4], good + good, good.replace(b"b", b"c"), b"", b"x" * 12 * 2**20):
        path.write_bytes(damaged)
        with pytest.raises(StagingFileDamaged, match=r"sales-.*is damaged.*clear task some_task"):
            list(read_blocks(path, part, "some_task"))
    path.unlink()
    with pytest.raises(StagingFileMissing, match="clear task some_task"):
        list(read_blocks(path, part, "some_task"))


@pytest.mark.parametrize(
    ("values", "column"),
    [((None, None, None, "a"), "id"), ((1, datetime(2026, 1, 1, tzinfo=UTC), None, "a"), "day"),
     ((1, None, None, None), "name"), ((1, None, "half \ud83d a pair", "a"), "note"),
     ((2**63, None, None, "a"), "id")],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_named(tmp_path: Path, values: Row, column: str):
    """As for parts of JSON."""
    with pytest.raises(BadRow) as caught:
        write_table(tmp_path, SALES, [(1, None, None, "a"), values])
    assert (caught.value.row, caught.value.column) == (2, column)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_source_leaves_no_part(tmp_path: Path):
    """A source that breaks is not mistaken for its end."""

    def stage():
        with TextWriter(tmp_path, SALES) as writer:
            writer.write(b"1\t\\N\t\\N\ta\n" * 200_000)
            raise ConnectionResetError("the source is gone")

    with pytest.raises(ConnectionResetError):
        stage()
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_never_null():
    """Two NULLs would be one key to readers."""
    with pytest.raises(ValueError, match="may be NULL"):
        SALES.model_validate(SALES.model_dump() | {"key": ("note",)})


def test_kinds_of_text_are_no_columns_of_json():
    """A part of JSON has no text for them."""
    with pytest.raises(ValueError, match="can be staged"):
        SALES.model_validate(SALES.model_dump() | {"form": "ndjson"})


def test_memory_does_not_grow_with_the_part(tmp_path: Path):
    """Neither written nor read."""
    peaks = []
    for blocks in (4, 24):
        tracemalloc.start()
        with TextWriter(tmp_path, SALES) as writer:
            for _ in range(blocks * 4):
                writer.write((b"1\t\\N\t\\N\t" + b"x" * 4000 + b"\n") * 65)
        (part,) = writer.parts.parts
        for _ in read_blocks(tmp_path / part.file, part):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 16 * 2**20
