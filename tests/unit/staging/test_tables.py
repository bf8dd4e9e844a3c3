"""Rows as staging files: what goes in comes out, and what does not fit is named."""

import hashlib
import json
import pickle
import tempfile
from datetime import UTC, date, datetime
from enum import IntEnum
from pathlib import Path

import pytest
from hypothesis import example, given

from include.staging.errors import BadRow, StagingFileDamaged, StagingFileForeign, StagingFileMissing
from include.staging.ndjson_parts import read_batches, row_checksum
from include.staging.parts import write_table
from include.staging.tables import Row, StagedTable, TableParts
from tests.unit.staging.columns import EVERY_KIND, HIGHEST, LOWEST, as_kept, rows

COMMITS = StagedTable(
    name="commits", columns={"date": "Date", "repo": "String", "commits_num": "Int32"}, key=("repo",)
)
DAY = date(2026, 8, 20)


def commits(count: int) -> list[Row]:
    """`count` good rows."""
    return [(DAY, f"octo/repo-{number}", number) for number in range(count)]


def read(directory: Path, staged: TableParts, batch_rows: int = 7) -> list[Row]:
    """Read all parts back."""
    return [
        row
        for part in staged.parts
        for batch in read_batches(directory / part.file, staged.table, part, batch_rows)
        for row in batch
    ]


@given(rows)
@example([LOWEST, HIGHEST])
def test_every_row_comes_back(rows: list[Row]):
    """Whatever fits the columns is read as it was written, extremes and odd characters too."""
    with tempfile.TemporaryDirectory() as directory:
        staged = write_table(Path(directory), EVERY_KIND, rows, rows_per_part=8)
        assert read(Path(directory), staged) == [as_kept(row) for row in rows]
        assert staged.rows == len(rows)


def test_parts_are_json_lines(tmp_path: Path):
    """One array a line, in column order, instants in UTC: readable without this project."""
    staged = write_table(tmp_path, EVERY_KIND, [LOWEST, HIGHEST])
    lines = (tmp_path / staged.parts[0].file).read_text().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line)[:2] for line in lines] == [
        ["1970-01-01", "1970-01-01T00:00:00Z"],
        ["2105-12-31", "2105-12-31T23:59:59Z"],
    ]


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (30, [10] * 3)])
def test_parts_hold_no_more_than_asked(tmp_path: Path, count: int, sizes: list[int]):
    """Cuts the rows into parts in order; a table without rows has no part and no file."""
    staged = write_table(tmp_path, COMMITS, iter(commits(count)), rows_per_part=10)
    assert [part.rows for part in staged.parts] == sizes
    assert sorted(path.name for path in tmp_path.iterdir()) == [part.file for part in staged.parts]
    assert read(tmp_path, staged) == commits(count)
    assert (staged.rows, staged.checksum == 0) == (count, count == 0)


def test_parts_larger_than_a_check_are_whole(tmp_path: Path):
    """Rows are checked some at a time: none is lost at the seams, and a late bad row has its own number."""
    staged = write_table(tmp_path, COMMITS, commits(2500))
    assert (len(staged.parts), read(tmp_path, staged, 999)) == (1, commits(2500))
    with pytest.raises(BadRow) as caught:
        write_table(tmp_path / "bad", COMMITS, [*commits(2500), (DAY, None, 1), (DAY, None, 1)], 1200)
    assert (caught.value.row, caught.value.column) == (2501, "repo")


def test_a_part_is_named_by_its_content(tmp_path: Path):
    """The same rows give the same file, other rows another: two tries at once cannot mix."""
    first = write_table(tmp_path, COMMITS, commits(3))
    assert write_table(tmp_path, COMMITS, commits(3)) == first
    other = write_table(tmp_path, COMMITS, commits(2))
    assert other.parts[0].file != first.parts[0].file
    assert (read(tmp_path, first), read(tmp_path, other)) == (commits(3), commits(2))


GOOD = dict(zip(EVERY_KIND.columns, HIGHEST, strict=True))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((column, None) for column in EVERY_KIND.columns),
        ("date", "2026-08-20"),
        ("date", datetime(2026, 8, 20, tzinfo=UTC)),
        ("date", date(1969, 12, 31)),
        ("date", date(2106, 1, 1)),
        ("at", datetime(2026, 8, 20)),  # noqa: DTZ001
        ("at", date(2026, 8, 20)),
        ("at", "2026-08-20T00:00:00Z"),
        ("at", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("at", datetime(2106, 1, 1, tzinfo=UTC)),
        ("text", b"bytes"),
        ("text", 5),
        ("text", "half \ud83d a pair"),
        ("i32", True),
        ("i32", 1.0),
        ("i32", "1"),
        ("i8", 128),
        ("i16", -(2**15) - 1),
        ("i32", 2**31),
        ("i64", 2**63),
        ("u8", -1),
        ("u16", 2**16),
        ("u32", 2**32),
        ("u64", 2**64),
    ],
)
def test_a_value_that_does_not_fit_is_named(tmp_path: Path, column: str, value: object):
    """Names table, row and column in one line, before a file of that part exists."""
    bad = tuple((GOOD | {column: value}).values())
    with pytest.raises(BadRow) as caught:
        write_table(tmp_path, EVERY_KIND, [LOWEST, bad, HIGHEST])
    error = caught.value
    assert (error.table, error.row, error.column) == ("every_kind", 2, column)
    assert str(error).startswith(f"table every_kind, row 2, column {column}: ")
    assert ". Next: correct it where the row comes from" in str(error)
    assert str(error).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_values_of_subclasses_are_staged_as_their_kind(tmp_path: Path):
    """An enumeration's word is text, its number a number, another library's day or instant one of ours."""

    class Word(str):
        __slots__ = ()

    class Moment(datetime):
        pass

    class Day(date):
        pass

    number = IntEnum("Number", ["ONE"])
    row = (Day(2026, 8, 20), Moment(2026, 8, 20, 1, tzinfo=UTC), Word("a"), *[number(1)] * 8)
    plain = (DAY, datetime(2026, 8, 20, 1, tzinfo=UTC), "a", *[1] * 8)
    assert write_table(tmp_path, EVERY_KIND, [row]) == write_table(tmp_path, EVERY_KIND, [plain])


@pytest.mark.parametrize(
    ("row", "column"),
    [((DAY, "octo/repo"), "commits_num"), ((DAY, "octo/repo", 1, 2), "(all)"), ((), "date")],
)
def test_a_row_of_another_length_is_named(tmp_path: Path, row: Row, column: str):
    """Nothing is filled in, nothing dropped."""
    with pytest.raises(BadRow) as caught:
        write_table(tmp_path, COMMITS, [*commits(1), row])
    assert (caught.value.row, caught.value.column) == (2, column)


def test_earlier_parts_of_a_bad_table_stay_invisible(tmp_path: Path):
    """Parts before the bad one are there, but no TableParts names them."""
    with pytest.raises(BadRow, match="row 3"):
        write_table(tmp_path, COMMITS, [*commits(2), (DAY, "x", "1")], rows_per_part=1)
    assert len(list(tmp_path.iterdir())) == 2


def test_an_error_of_the_source_passes_and_leaves_no_part(tmp_path: Path):
    """A source that breaks is not mistaken for its end."""

    def source():
        yield from commits(2)
        raise ConnectionResetError("the source is gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        write_table(tmp_path, COMMITS, source())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data + data,
        lambda data: data.replace(b",3]", b",4]"),
        lambda data: b"".join(data.splitlines(keepends=True)[:-1]),
        lambda data: b"".join(reversed(data.splitlines(keepends=True))),
        lambda data: data.replace(b"octo", b"\xff\xfe\xfd\xfc"),
        lambda data: data.replace(b",3]", b",3000000000]"),
        lambda data: data.replace(b'"octo', b'null,"octo'),
        lambda _: b"",
        lambda _: b"\n",
    ],
    ids=[
        "no last line end",
        "torn",
        "doubled",
        "changed",
        "shorter",
        "reordered",
        "no UTF-8",
        "out of range",
        "wider",
        "empty",
        "blank",
    ],
)
def test_a_part_that_is_not_what_was_written_is_refused(tmp_path: Path, damage):
    """Says which file, in one short line, and what to do."""
    staged = write_table(tmp_path, COMMITS, commits(10))
    path = tmp_path / staged.parts[0].file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StagingFileDamaged) as caught:
        read(tmp_path, staged)
    assert caught.value.path == str(path)
    assert str(caught.value).startswith(f"staging file {path} is damaged (")
    assert str(caught.value).endswith("clear the task that stages with all after it")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("date", '"1969-12-31"'),
        ("date", '"2106-01-01"'),
        ("date", "20000"),
        ("at", '"1969-12-31T23:59:59Z"'),
        ("at", '"2106-01-01T00:00:00Z"'),
        ("at", '"2026-08-20T00:00:00"'),
        ("text", "null"),
        ("i8", "-129"),
        ("i32", "true"),
        ("i32", "1.0"),
        ("i64", str(2**63)),
        ("i64", str(-(2**63) - 1)),
        ("u8", "256"),
        ("u32", "-1"),
        ("u64", str(2**64)),
        ("u64", str(10**40)),
    ],
)
def test_what_is_read_and_does_not_fit_is_named(tmp_path: Path, column: str, text: str):
    """Row and column, though the hash of the file is what the manifest says."""
    with pytest.raises(StagingFileDamaged, match=f"row 2, column {column}: "):
        read_with(tmp_path, column, text.encode())


@pytest.mark.parametrize("text", [b'"\xff"', b'"\\ud800"', b'"\\udc00 \\ud800"'])
def test_text_that_no_server_could_keep_is_refused(tmp_path: Path, text: bytes):
    """No UTF-8, though the hash of the file is what the manifest says."""
    with pytest.raises(StagingFileDamaged, match="is damaged"):
        read_with(tmp_path, "text", text)


def read_with(directory: Path, column: str, text: bytes) -> None:
    """Read three rows, the second of which has this JSON in a column; the manifest's hash is the file's."""
    (part,) = write_table(directory, EVERY_KIND, [LOWEST, LOWEST, LOWEST]).parts
    path = directory / part.file
    lines = path.read_bytes().splitlines(keepends=True)
    values = [json.dumps(value).encode() for value in json.loads(lines[1])]
    values[list(EVERY_KIND.columns).index(column)] = text
    path.write_bytes(lines[0] + b"[" + b",".join(values) + b"]\n" + lines[2])
    part = part.model_copy(update={"sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    list(read_batches(path, EVERY_KIND, part, 7))


def test_a_missing_part_is_named(tmp_path: Path):
    """With what to do."""
    staged = write_table(tmp_path, COMMITS, commits(1))
    path = tmp_path / staged.parts[0].file
    path.unlink()
    with pytest.raises(StagingFileMissing, match=r"is missing\. Next: clear the task") as caught:
        read(tmp_path, staged)
    assert caught.value.path == str(path)


def test_a_text_that_looks_like_the_border_of_two_rows_stays_text(tmp_path: Path):
    """One row a line, whatever is in it."""
    rows: list[Row] = [(DAY, "a],[b", 1), (DAY, "],[", 2), (DAY, "]\n[", 3)]
    staged = write_table(tmp_path, COMMITS, rows)
    assert read(tmp_path, staged) == rows
    assert (tmp_path / staged.parts[0].file).read_bytes().count(b"\n") == 3


def test_the_checksum_tells_what_changed():
    """Order of rows is all the same to the sum; a moved border between columns is not."""
    assert row_checksum(["a", "bc"]) != row_checksum(["ab", "c"])
    assert row_checksum(["a", "b"]) == 174674430866144721  # what ClickHouse says of 'a\0b'


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "a/b", "..", "a\n", "a" * 64, "ф"])
def test_a_table_has_a_plain_name(name: str):
    """It becomes part of file names and statements."""
    with pytest.raises(ValueError, match="name"):
        StagedTable(name=name, columns={"a": "String"}, key=("a",))


@pytest.mark.parametrize(
    "error",
    [
        BadRow("t", 1, "c", "r"),
        StagingFileMissing("p", "n"),
        StagingFileDamaged("p", "r", "t"),
        StagingFileForeign("p", "s", "e", "t"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_errors_travel_between_processes(error: Exception):
    """A pickled error says the same."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
