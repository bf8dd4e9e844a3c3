"""A file of counters becomes staged rows and rejects, whatever is in it."""

import csv
import gzip
import io
import json
import pickle
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.inbox.errors import (
    BadHeader,
    ImportFileDamaged,
    ImportFileTooLarge,
    LastLineEndMissing,
    TooManyRejected,
)
from include.inbox.lines import MAX_LINE_BYTES, read_blocks
from include.phrase_views.counters.rows import parse_csv, parse_ndjson
from include.phrase_views.counters.staging import REJECTED, stage_counters
from include.staging.text_parts import read_rows

HEADER = b"campaign_id,phrase,views,dt\n"
GOOD = "7,платье,100,2026-08-20 11:50:00".encode()
ROW = (7, "платье", 100, datetime(2026, 8, 20, 11, 50, tzinfo=UTC))
AFTER = (*ROW[:3], ROW[3] + timedelta(minutes=10))


def opened(data: bytes) -> io.BufferedReader:
    """The bytes as an open file."""
    return io.BufferedReader(io.BytesIO(data))


def stage(directory: Path, data: bytes, **options):
    """Stage the bytes as the file a.csv."""
    return stage_counters(directory, "a.csv", lambda: opened(data), **options)


def staged_rows(directory: Path, staged) -> list:
    """Read all staged rows back."""
    return [
        row for part in staged.parts.parts for row in read_rows(directory / part.file, staged.parts, part)
    ]


def rejects(directory: Path) -> list[dict]:
    """Read the reject file."""
    return [json.loads(line) for line in (directory / REJECTED).read_text().splitlines()]


NDJSON = json.dumps(
    {"phrase": "платье", "campaign_id": 7, "views": 100, "dt": "2026-08-20 11:50:00"}
).encode()


@pytest.mark.parametrize(
    "data",
    [
        HEADER + GOOD,
        HEADER + GOOD + b"\n",
        b"\xef\xbb\xbf" + HEADER + GOOD,
        (HEADER + GOOD + b"\n").replace(b"\n", b"\r\n"),
        gzip.compress(HEADER + GOOD, mtime=0),
        HEADER + b"\n\n" + GOOD + b"\n  \n",
        'dt,views,phrase,campaign_id\n2026-08-20T13:50:00+02:00,100,"платье",7'.encode(),
        NDJSON,
        b"\xef\xbb\xbf" + NDJSON + b"\n\n",
        gzip.compress(NDJSON, mtime=0),
    ],
)
def test_every_way_to_write_a_row(tmp_path: Path, data: bytes):
    """CSV or NDJSON, packed or not, any line ends, order of columns and zone: the same row."""
    assert staged_rows(tmp_path, stage(tmp_path, data)) == [ROW]
    assert rejects(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0,a,1,2026-08-20 11:50:00", "campaign_id"),
        ("2147483648,a,1,2026-08-20 11:50:00", "campaign_id"),
        ("1_0,a,1,2026-08-20 11:50:00", "campaign_id"),
        ("1,a,1.5,2026-08-20 11:50:00", "views"),
        ("1,a,1.,2026-08-20 11:50:00", "views"),
        ("1,a,1e3,2026-08-20 11:50:00", "views"),
        ("1,a, 1,2026-08-20 11:50:00", "views"),
        ("1,a,+1,2026-08-20 11:50:00", "views"),
        ("1,a,\N{ARABIC-INDIC DIGIT ONE},2026-08-20 11:50:00", "views"),
        ("1,a,-1,2026-08-20 11:50:00", "views"),
        ("1,a,,2026-08-20 11:50:00", "views"),
        ("1, ,1,2026-08-20 11:50:00", "phrase"),
        ("1,,1,2026-08-20 11:50:00", "phrase"),
        ("1,a\0b,1,2026-08-20 11:50:00", "phrase"),
        ("1,a\tb,1,2026-08-20 11:50:00", "phrase"),
        ("1," + "a" * 1001 + ",1,2026-08-20 11:50:00", "phrase"),
        ("1,a,1,1969-12-31 23:59:59", "dt"),
        ("1,a,1,2106-01-01 00:00:00", "dt"),
        ("1,a,1,2026-02-30 00:00:00", "dt"),
        ("1,a,1,1750000000", "dt"),
        ("1,a,1,2026-08-20 11:50:00.", "dt"),
        ("1,a,1,2026-08-20 11:50.5", "dt"),
        ("1,a,1,2026-08-20", "dt"),
        ("1,a,1,2026-08-20 11", "dt"),
        ("1,a,1,20260820T115000", "dt"),
        ("1,a,1,20.08.2026 11:50", "dt"),
        ("1,a,1,08/20/2026 11:50", "dt"),
        ("1,a,1,2026-08-20 11:50:00 CET", "dt"),
        ("1,a,1,2026-08-20 11:50:00 Europe/Berlin", "dt"),
        ("1,a,1,2026-08-20 11:50:00+2", "dt"),
        ("1,a,1,2026-08-20 11:50:00+02:99", "dt"),
        ("1,a,1,2026-08-20 11:50:00+24:00", "dt"),
        ("1,a,1,2026-08-20 11:50:00+14:01", "dt"),
        ("1,a,1,2026-08-20 11:50:00 +0200 UTC", "dt"),
        ("1,a,1,2026-08-20 11:50:00+02:00[UTC]", "dt"),
        ("1,a,1,2026-08-20 11:50:00Z[Europe/Berlin]", "dt"),
        ("1,a,1,2026-08-20 11:50:00 CEST", "dt"),
        ("1,a,1, 2026-08-20 11:50:00", "dt"),
        ("1,a,1,2026-08-20 24:00:00", "dt"),
        ("1,a,1,1969-12-31 23:59:59.9", "dt"),
        ("1,a,1", "3 values"),
        ("1,a,1,2026-08-20 11:50:00,x", "5 values"),
        ('1,"a,1,2026-08-20 11:50:00', "no line of CSV in UTF-8: unexpected end of data"),
        ("x" * (MAX_LINE_BYTES + 1), "longer than"),
        (b"1,\xff,1,2026-08-20 11:50:00", "utf-8"),
    ],
)
def test_a_bad_line_harms_no_other(tmp_path: Path, line: str | bytes, reason: str):
    """Is rejected with its number and what is wrong; the lines around it are kept."""
    bad = line if isinstance(line, bytes) else line.encode()
    after = GOOD.replace(b"11:50", b"12:00")
    staged = stage(tmp_path, b"".join([HEADER, GOOD, b"\n", bad, b"\n", after]), max_rejected=1)
    assert staged_rows(tmp_path, staged) == [ROW, AFTER]
    (rejected,) = rejects(tmp_path)
    assert rejected["line"] == 3
    assert reason in rejected["reason"]


DATES = [
    "2026-08-20T11:50:00Z",
    "2026-08-20T11:50:00.000Z",  # JavaScript, pandas
    "2026-08-20 11:50:00.000",  # a DateTime64 of ClickHouse
    "2026-08-20 11:50:00.999999999",
    "2026-08-20T11:50:00.123456+00:00",  # Python
    "2026-08-20 11:50:00+00",  # PostgreSQL
    "2026-08-20 13:50:00.5+02",
    "2026-08-20 11:50:00-0000",
    "2026-08-20T06:20:00-0530",  # strftime
    "2026-08-20 13:50:00 +0200",
    "2026-08-20 13:50:00 +02:00",
    "2026-08-20 11:50:00 UTC",  # BigQuery
    "2026-08-20 11:50:00.000000 UTC",
    "2026-08-20 11:50",  # spreadsheets
    "2026-08-20T11:50Z",
    "2026-08-20T13:50+02:00",
    "2026-08-20 11:50:00 +0000 UTC",  # Go
    "2026-08-20 11:50:00.123456789 +0000 UTC",
    "2026-08-20T11:50:00,000Z",  # ISO 8601
    "2026-08-20 11:50:00,123",  # log4j
    "2026-08-20t11:50:00z",  # RFC 3339
    "2026-08-20 11:50:00 GMT",
    "2026-08-20T11:50Z[UTC]",  # Java
    "2026-08-20T11:50:00+00:00[UTC]",  # JavaScript
    "2026-08-21 01:50:00+14:00",
    "2026-08-19 21:50:00-14",
]


def csv_row(dt: str = "2026-08-20 11:50:00", campaign_id: str = "7", views: str = "100") -> bytes:
    """Write ROW as a CSV has it."""
    shown = f'"{dt}"' if "," in dt else dt
    return HEADER + f"{campaign_id},платье,{views},{shown}".encode()


@pytest.mark.parametrize("dt", DATES)
def test_a_date_as_a_tool_writes_it(tmp_path: Path, dt: str, monkeypatch: pytest.MonkeyPatch):
    """Is the same instant, in CSV and NDJSON, and no slower than any other: the block is read at once."""
    monkeypatch.setattr("include.phrase_views.counters.rows._one_by_one", None)
    for data in (csv_row(dt), json.dumps(json.loads(NDJSON) | {"dt": dt}).encode()):
        assert staged_rows(tmp_path, stage(tmp_path, data)) == [ROW]


@pytest.mark.parametrize(
    "data",
    [
        csv_row(campaign_id="7.0"),  # pandas, of a column that has an empty cell elsewhere
        csv_row(views="100.0"),
        csv_row(views="0000000100"),
        csv_row(campaign_id="00000000000007"),
    ],
)
def test_a_whole_number_as_a_tool_writes_it(tmp_path: Path, data: bytes):
    """Is that number, as long as nothing but zeros stands after its point."""
    assert staged_rows(tmp_path, stage(tmp_path, data)) == [ROW]
    assert rejects(tmp_path) == []


@pytest.mark.parametrize(
    "numbers",
    [
        {"campaign_id": "7", "views": "100"},  # BigQuery
        {"views": "100"},  # ClickHouse, of an Int64
        {"campaign_id": "7"},
        {"campaign_id": 7.0, "views": 100.0},  # pandas
        {"campaign_id": "7.0", "views": 1e2},
    ],
)
def test_a_whole_number_as_a_tool_writes_it_in_json(
    tmp_path: Path, numbers: dict, monkeypatch: pytest.MonkeyPatch
):
    """Is that number, and its line is read with others at once: line by line takes eight times as long."""
    monkeypatch.setattr("include.phrase_views.counters.rows._one_by_one", None)
    monkeypatch.setattr("include.phrase_views.counters.rows.json", None)
    lines = [json.dumps(json.loads(NDJSON) | numbers).encode(), NDJSON.replace(b"11:50", b"12:00")]
    staged = stage(tmp_path, b"\n".join(lines))
    assert staged_rows(tmp_path, staged) == [ROW, AFTER]


@pytest.mark.parametrize(
    "value", ['"1_0"', '"+1"', '""', '"1.5"', "true", "1.5", "-0.0", "1e10", "-1", '"9"9']
)
def test_a_number_that_is_none_is_none_whatever_lines_stand_beside_it(tmp_path: Path, value: str):
    """Many lines at once take what one alone takes."""
    line = NDJSON.replace(b"100", value.encode())
    for data in (line, NDJSON + b"\n" + line):
        stage(tmp_path, data, max_rejected=1)
        assert len(rejects(tmp_path)) == 1


@pytest.mark.parametrize(
    "twice", ['"views": "1", "views": "2"', '"views": 1, "views": "2"', '"views": "1", "views": 2']
)
def test_a_name_that_stands_there_twice_is_found_beside_numbers_as_text(tmp_path: Path, twice: str):
    """Neither value is lost unseen, whatever phrase looks like a name."""
    for phrase in ("a", "views", '\\"views\\":\\"', "a\\"):
        line = f'{{"campaign_id": "7", "phrase": {json.dumps(phrase)}, {twice}, "dt": "2026-08-20 11:50:00"}}'
        stage(tmp_path, line.encode(), max_rejected=1)
        assert [each["reason"] for each in rejects(tmp_path)] == ["a name stands there twice"]


TAKEN_DATES = "such as 2026-08-20 11:50:00, 2026-08-20T11:50Z or 2026-08-20 13:50:00.5 +0200"
TAKEN_PHRASE = "taken are 1 to 1000 characters, no control characters"


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("campaign_id", "x", "campaign_id: 'x' is no whole number from 1 to 2147483647"),
        ("campaign_id", "0", "campaign_id: '0' is no whole number from 1 to 2147483647"),
        (
            "campaign_id",
            "12345678901",
            "campaign_id: '12345678901' is above 2147483647, the largest number that the column holds",
        ),
        ("views", "", "views: '' is no whole number from 0 to 2147483647"),
        ("views", "9" * 5000, "is above 2147483647, the largest number that the column holds"),
        ("phrase", "", f"phrase: it is empty, as many systems write one that is missing; {TAKEN_PHRASE}"),
        ("phrase", "  ", f"phrase: '  ' is blank; {TAKEN_PHRASE}"),
        ("phrase", "a\tb", f"phrase: 'a\\tb' has the control character U+0009; {TAKEN_PHRASE}"),
        ("phrase", "п" * 1001, f"has 1001 characters; {TAKEN_PHRASE}"),
        (
            "dt",
            "20.08.2026 11:50",
            f"dt: '20.08.2026 11:50' is no date and time {TAKEN_DATES}",
        ),
        ("dt", "2026-02-30 00:00", "dt: '2026-02-30 00:00' does not exist: "),
        (
            "dt",
            "2026-08-20 11:50:00+25",
            "dt: '2026-08-20 11:50:00+25' has the offset +25; taken are -14:00 to +14:00",
        ),
        (
            "dt",
            "2026-08-20 11:50 +23:59",
            "dt: '2026-08-20 11:50 +23:59' has the offset +23:59; taken are -14:00 to +14:00",
        ),
        (
            "dt",
            "2026-08-20 11:50-02:99",
            "dt: '2026-08-20 11:50-02:99' has the offset -02:99; taken are -14:00 to +14:00",
        ),
        ("dt", "1969-12-31 23:59", "dt: '1969-12-31 23:59' is not from 1970 to 2105"),
    ],
)
def test_a_reason_is_words(tmp_path: Path, column: str, value: str, reason: str):
    """They name the column, the value and what is taken, in CSV and NDJSON alike."""
    row = json.loads(NDJSON) | {column: value}
    as_csv = ",".join(str(row[name]) for name in ("campaign_id", "phrase", "views", "dt")).encode()
    for data in (HEADER + as_csv, json.dumps(row).encode()):
        stage(tmp_path, data, max_rejected=1)
        (rejected,) = rejects(tmp_path)
        assert reason in rejected["reason"]
        assert len(rejected["reason"]) <= 200


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"views": 1', "no JSON: EOF while parsing an object at line 1 column 11"),
        ("5", "5 is no JSON object"),
        ("[]", "[] is no JSON object"),
        ('{"views": 1, "dt": "x"}', "campaign_id, phrase: missing; taken are campaign_id, phrase, views, dt"),
        (
            '{"campaign_id": 7, "phrase": "a", "views": 1, "dt": "x", "clicks": 1}',
            "'clicks' is no column; taken are campaign_id, phrase, views, dt",
        ),
        (
            '{"campaign_id": 7, "phrase": null, "views": 1, "dt": "2026-08-20 11:50"}',
            f"phrase: None is no text; {TAKEN_PHRASE}",
        ),
        (
            '{"campaign_id": 7, "phrase": "a", "views": ' + "9" * 5000 + ', "dt": "2026-08-20 11:50"}',
            "views: more than 4300 digits, so it is above 2147483647",
        ),
    ],
)
def test_a_reason_of_a_json_line_is_words(tmp_path: Path, line: str, reason: str):
    """They say what the line is, or which name is missing or unknown, and what is taken."""
    stage(tmp_path, line.encode(), form="ndjson", max_rejected=1)
    assert [each["reason"] for each in rejects(tmp_path)] == [reason]


@pytest.mark.parametrize("change", [{"views": True}, {"views": 1.5}, {"views": "x"}, {"dt": 5}, {"more": 1}])
def test_json_values_are_of_their_kind(tmp_path: Path, change: dict):
    """True is not 1, a number is no date, and unknown names are not dropped in silence."""
    staged = stage(tmp_path, json.dumps(json.loads(NDJSON) | change).encode(), max_rejected=1)
    assert (len(rejects(tmp_path)), staged.parts.rows) == (1, 0)


@pytest.mark.parametrize("text", [b'{"phrase": "\\ud800"}', b"{" * 9000, b"{}, {}", b"[]", b"NaN"])
def test_hostile_json_is_rejected(text: bytes):
    """Lone surrogates, deep nesting, two objects on a line: rejects, never an exception."""
    (found,) = parse_ndjson(read_blocks("a", opened(text)))
    assert (len(found.rejects), found.rows.lines) == (1, [])


def test_the_first_of_two_samples_counts(tmp_path: Path):
    """The same again is one row; the same instant with other views is rejected, small numbers too."""
    one = b"1,a,1,2026-08-20 11:50:00\n"
    data = HEADER + GOOD + b"\n" + one * 2 + one.replace(b"a,1", b"a,2")
    staged = stage(tmp_path, data, max_rejected=1)
    assert (staged.parts.rows, staged.repeated, staged.rejected, staged.blank) == (2, 1, 1, 0)
    assert [row[2] for row in staged_rows(tmp_path, staged)] == [100, 1]
    assert rejects(tmp_path) == [
        {"line": 5, "reason": reason_of_two((3, 1), (5, 2)), "text": "1,a,2,2026-08-20 11:50:00"}
    ]


def reason_of_two(first: tuple[int, int], second: tuple[int, int]) -> str:
    """Write what is said of lines with different views for one sample, given (line, views)."""
    return (
        f"views: line {first[0]} says {first[1]} for this sample, line {second[0]} says {second[1]}; "
        "samples within one second are one, fractions are cut off"
    )


def test_samples_within_one_second_are_told_to_be_one(tmp_path: Path):
    """The error names both lines and values, and says that the fractions, by which they differ, are cut."""
    data = HEADER + b"1,p,5,11:50:00.100Z\n1,p,9,11:50:00.900Z\n".replace(b"11:50", b"2026-08-20T11:50")
    with pytest.raises(TooManyRejected) as caught:
        stage(tmp_path, data)
    assert reason_of_two((2, 5), (3, 9)) in str(caught.value)
    staged = stage(tmp_path, data.replace(b",9,", b",5,"))
    assert (staged.parts.rows, staged.repeated) == (1, 1)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (HEADER + GOOD, 2),
        (HEADER + GOOD + b"\n1,cut within its date,1,2026-08-2", 3),
        (HEADER + GOOD + b"\r", 2),
        (HEADER + GOOD + b"\n  ", 3),
        (HEADER.strip(), 1),
        (NDJSON, 1),
        (NDJSON + b"\n" + NDJSON[:-5], 2),
        (HEADER + (GOOD + b"\n") * 9000 + GOOD, 9002),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_last_line_without_an_end_is_told(
    tmp_path: Path, data: bytes, line: int, pack, caplog: pytest.LogCaptureFixture
):
    """An upload may have been cut within it: the log names it, as the error does where an end is required."""
    assert stage(tmp_path, pack(data), max_rejected=1).last_line_ended is False
    told = f"its last line, number {line}, has no line end: an upload may have been cut within it"
    assert [record.getMessage() for record in caplog.records] == [f"a.csv: {told}"]
    with pytest.raises(LastLineEndMissing, match=rf"a\.csv': {told}\. Next: deliver the file again"):
        stage(tmp_path, pack(data), max_rejected=1, require_last_line_end=True)
    for end in (b"\n", b"\r\n"):
        whole = stage(tmp_path, pack(data + end), max_rejected=1, require_last_line_end=True)
        assert whole.last_line_ended is True
    assert len(caplog.records) == 1


def test_a_file_that_is_cut_and_has_rejects_is_to_be_delivered_again(tmp_path: Path):
    """Where an end is required; the rejected lines are kept too."""
    with pytest.raises(LastLineEndMissing):
        stage(tmp_path, HEADER + b"bad\n" + GOOD, require_last_line_end=True)
    assert len(rejects(tmp_path)) == 1


def test_too_many_rejects_are_an_error(tmp_path: Path):
    """Names the first one and the file that holds all; survives the way between processes."""
    with pytest.raises(TooManyRejected) as caught:
        stage(tmp_path, HEADER + GOOD + b"\nbad\nworse\n", max_rejected=1)
    assert "line 3: 1 values" in str(caught.value)
    assert str(tmp_path / REJECTED) in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301
    assert len(rejects(tmp_path)) == 2


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", ImportFileDamaged),
        (gzip.compress(HEADER + GOOD * 99, mtime=0)[:-9], ImportFileDamaged),
        (b"\x1f\x8bnot a gzip", ImportFileDamaged),
        ((HEADER + GOOD).decode().encode("utf-16"), ImportFileDamaged),
        (GOOD, BadHeader),
        (b"campaign_id,phrase,views,views\n", BadHeader),
        (b"campaign_id,phrase,views\n", BadHeader),
        (b"\xff\xff\n", BadHeader),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, data: bytes, error: type[Exception]):
    """Fails with the file's name."""
    with pytest.raises(error, match=r"a\.csv"):
        stage(tmp_path, data)


@pytest.mark.parametrize("bomb", [b"a" * 1_000_000, b"\n" * 1_000_000])
def test_a_gzip_bomb_is_cut_off(bomb: bytes):
    """Ends at the size cap, in one endless line as in many."""
    with pytest.raises(ImportFileTooLarge):
        list(read_blocks("a.csv", opened(gzip.compress(bomb, mtime=0)), max_bytes=100_000))


def test_too_many_rows_are_refused(tmp_path: Path):
    """The memory for samples seen is bounded by their number."""
    with pytest.raises(ImportFileTooLarge, match="Next: split the file"):
        stage(tmp_path, HEADER + GOOD, max_rows=0)


def test_too_many_months_are_refused(tmp_path: Path):
    """The server would refuse their partitions, and each try again."""
    lines = [f"1,a,1,{2000 + month // 12}-{month % 12 + 1:02}-01 00:00:00\n".encode() for month in range(101)]
    stage(tmp_path, HEADER + b"".join(lines[:100]))
    with pytest.raises(ImportFileTooLarge, match="100 different months"):
        stage(tmp_path, HEADER + b"".join(lines))


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_blocks_neither_lose_nor_cut_a_line(tmp_path: Path, end: bytes):
    """Over several blocks, with any end, every line has its number and its bytes."""
    lines = [b"%d," % number + b"x" * (number % 700) for number in range(3000)]
    lines[2000] = b"y" * 1_000_000
    data = (end or b"\n").join(lines) + end
    read = [line for block in read_blocks("a", opened(data)) for line in block.lines()]
    assert [line.number for line in read] == list(range(1, 3001))
    assert [line.data for line in read] == [line[:MAX_LINE_BYTES] for line in lines]
    assert [line.number for line in read if line.too_long] == [2001]


def test_samples_that_come_twice_are_found_over_blocks_and_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whatever order they come in, and however the search is divided."""
    monkeypatch.setattr("include.phrase_views.counters.staging._SOUGHT_AT_ONCE", 1000)
    lines = [b"%d,a,%d,2026-08-20 11:50:00\n" % (number % 20_000 + 1, number % 7) for number in range(20_100)]
    staged = stage(tmp_path, HEADER + b"".join(lines), max_rejected=100)
    differ = sum(number % 7 != (number + 20_000) % 7 for number in range(100))
    assert (staged.parts.rows, staged.repeated, staged.rejected) == (20_000, 100 - differ, differ)
    assert min(each["line"] for each in rejects(tmp_path)) > 20_001


def test_too_many_samples_that_come_twice_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The memory to tell them apart is bounded."""
    monkeypatch.setattr("include.phrase_views.counters.staging.MAX_TWICE", 0)
    with pytest.raises(ImportFileTooLarge, match="come twice"):
        stage(tmp_path, HEADER + (GOOD + b"\n") * 2)


@pytest.mark.parametrize("bad", ['{"views": 1}', "{}, {}", '{"a": [{}', "{}]}", "", "x"])
def test_a_bad_line_of_json_harms_no_other(tmp_path: Path, bad: str):
    """Nor do lines that together would be good JSON."""
    good = NDJSON.decode()
    other = good.replace("11:50", "12:00")
    half = good.partition(', "views"')[0]
    data = "\n".join([good, bad, half, good.removeprefix(half + ", "), other]).encode()
    staged = stage(tmp_path, data, max_rejected=5)
    assert staged_rows(tmp_path, staged) == [ROW, AFTER]
    assert staged.rejected + staged.blank == 3


fields = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=("Cs",)), max_size=8)
csv_lines = st.lists(
    st.one_of(
        st.just(GOOD),
        st.binary(max_size=30),
        st.lists(fields, max_size=5).map(lambda f: ",".join(f).encode()),
    )
)


@given(csv_lines)
@example([b'1,"a', b'b",1,2026-08-20 11:50:00', GOOD])
def test_any_bytes_are_rows_rejects_or_blank(lines: list[bytes]):
    """Every line is counted once, by both parsers, and a good line is never lost."""
    data = b"\n".join(lines)
    for header, parse in ((HEADER, lambda source: parse_csv("a", source)), (b"\n", parse_ndjson)):
        found = list(parse(read_blocks("a", opened(header + data))))
        total = sum(len(f.rows.lines) + len(f.rejects) + f.blank for f in found)
        expected = data.count(b"\n") + (not data.endswith(b"\n") and bool(data)) + (header == b"\n")
        assert total == expected


BLANKS = ["\N{NO-BREAK SPACE}", "\N{IDEOGRAPHIC SPACE}\N{EM SPACE}", "\N{LINE SEPARATOR}"]
NUMBERS = ["0", "00", "7", "007", "5.0", "5.", "1e3", "999999999", "2147483647", "2147483648", "", "-1", "٣"]
PHRASES = [
    "a",
    "платье",
    "a\\b",
    r"\N",
    "\\",
    *BLANKS,
    "",
    " ",
    "a\tb",
    "a\x7fb",
    "п" * 1000,
    "п" * 1001,
    '"',
]
near_lines = st.tuples(
    *map(st.sampled_from, (NUMBERS, PHRASES, NUMBERS, [*DATES, "2026-02-30 00:00", "2026-08-20 24:00", ""]))
)


@given(st.lists(near_lines, min_size=1, max_size=6))
@example([("7", phrase, "1", DATES[0]) for phrase in BLANKS])
@example(
    [("7", phrase, number, DATES[0]) for number, phrase in zip(("1", "00", "5.0"), PHRASES, strict=False)]
)
def test_many_lines_at_once_are_read_as_each_alone(lines: list[tuple[str, ...]]):
    """A line that is no row makes the block be read line by line: the same rows, the same reasons."""
    quoted = io.StringIO()
    csv.writer(quoted, lineterminator="\n").writerows(lines)
    objects = [dict(zip(("campaign_id", "phrase", "views", "dt"), line, strict=True)) for line in lines]
    as_json = "\n".join(map(json.dumps, objects)).encode()
    for header, data, parse in (
        (HEADER, "\n".join(map(",".join, lines)).encode(), lambda source: parse_csv("a", source)),
        (HEADER, quoted.getvalue().strip("\n").encode(), lambda source: parse_csv("a", source)),
        (b"", as_json, parse_ndjson),
    ):
        (at_once,) = parse(read_blocks("a", opened(header + data + b"\n")))
        (alone,) = parse(read_blocks("a", opened(header + data + b"\nbad\n")))
        assert alone.rejects.pop().text == "bad"
        found, expected = ((each.rows, list(each.numbers), each.rejects) for each in (at_once, alone))
        assert found == expected


@given(
    st.lists(
        st.tuples(
            st.integers(1, 2**31 - 1),
            st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(str.strip),
            st.integers(0, 2**31 - 1),
            st.datetimes(datetime(1970, 1, 1), datetime(2105, 12, 31)).map(  # noqa: DTZ001
                lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
            ),
        ),
        unique_by=lambda row: (row[0], row[1], row[3]),
    )
)
def test_every_good_row_comes_back(rows: list):
    """What a CSV writer quotes is read as it was."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["campaign_id", "phrase", "views", "dt"])
    writer.writerows((*row[:3], row[3].isoformat()) for row in rows)
    with tempfile.TemporaryDirectory() as directory:
        staged = stage(Path(directory), text.getvalue().encode())
        assert staged_rows(Path(directory), staged) == rows
