"""Files of counters and their names: every line is a row, a reject, a repetition or blank, and is counted."""

import csv
import io
import json
import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.inbox.errors import ImportFileError, OutsideInbox, TooManyRejected
from include.inbox.files import locate
from include.phrase_views.counters.rows import COLUMNS
from include.phrase_views.counters.staging import REJECTED, Staged, stage_counters
from include.staging.files import run_directory
from include.staging.text_parts import read_rows
from tests.unit.hostile.values import MEGABYTE, OFTEN, any_text, anything, assert_names, damaged, json_text

ROW = {"campaign_id": 7, "phrase": "dress", "views": 100, "dt": "2026-08-20 11:50:00"}
HEADER = ",".join(COLUMNS) + "\n"
AFTER = {**ROW, "dt": "2026-08-20 12:00:00"}
one_line = any_text.map(lambda text: text.replace("\n", " ").replace("\r", " "))
cells = one_line | st.sampled_from(
    [*map(str, ROW.values()), "2147483648", "1970-01-01", "2106-01-01 00:00:00"]
)


def csv_line(values: list[str]) -> bytes:
    """Write a line as a CSV writer does."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue().encode(errors="surrogatepass")


csv_lines = st.one_of(
    damaged({column: str(value) for column, value in ROW.items()}, cells)
    .map(lambda row: csv_line(list(row.values()))),
    st.lists(cells, max_size=6).map(csv_line),
    st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"")),
)  # fmt: skip
ndjson_lines = st.one_of(
    damaged(ROW, anything | any_text).map(json_text).map(str.encode),
    anything.map(json_text).map(str.encode),
    st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"")),
)


def staged_and_counted(data: bytes, form: str) -> None:
    """Stage a file of which the first and the last line are good, and account for every line."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        opened = lambda: io.BufferedReader(io.BytesIO(data))  # noqa: E731
        staged = stage_counters(directory, "a", opened, form=form, max_rejected=1000)
        rejects = [json.loads(line) for line in (directory / REJECTED).read_bytes().splitlines()]
        assert len(rejects) == staged.rejected
        assert all(reject["reason"].isprintable() and len(reject["reason"]) <= 200 for reject in rejects)
        lines = data.count(b"\n") + 1 - (form == "csv")
        assert staged.parts.rows + staged.rejected + staged.repeated + staged.blank == lines
        assert len(storable_rows(directory, staged)) >= 2


def storable_rows(directory: Path, staged: Staged) -> list:
    """Read the rows again and require them to be such as the column and the report's lines take."""
    files = [(directory / part.file, part) for part in staged.parts.parts]
    rows = [row for path, part in files for row in read_rows(path, staged.parts, part)]
    for campaign, phrase, views, dt in rows:
        assert 1 <= campaign < 2**31
        assert 0 <= views < 2**31
        assert 1970 <= dt.year < 2106
        assert 0 < len(phrase) <= 1000
        assert not {"\0", "\t", "\n"} & set(phrase)
    return rows


@OFTEN
@given(st.lists(csv_lines, max_size=4))
@example([csv_line(["7", MEGABYTE, "1", "2026-08-20 11:50:00"])])
@example([b'7,"a,1,2026-08-20 11:50:00'])
def test_lines_of_csv(lines):
    """Whatever stands between two good lines."""
    values = [csv_line([str(value) for value in row.values()]) for row in (ROW, AFTER)]
    staged_and_counted(HEADER.encode() + b"\n".join([values[0], *lines, values[1]]), "csv")


@OFTEN
@given(st.lists(ndjson_lines, max_size=4))
@example([b'{"\\u001b[31m": 1}'])
@example([b'{"phrase": "a", "views": 1, "views": 2, "campaign_id": 1, "dt": "2026-08-20 11:50:00"}'])
@example([json.dumps(ROW | {"a" * 10_000: 1}).encode()])
def test_lines_of_ndjson(lines):
    """Whatever stands between two good lines."""
    values = [json.dumps(row).encode() for row in (ROW, AFTER)]
    staged_and_counted(b"\n".join([values[0], *lines, values[1]]), "ndjson")


def test_of_two_values_of_one_name_none_is_lost_unseen(tmp_path: Path):
    """A line that has a name twice is rejected, a phrase with quotes in it is not."""
    twice = '{"phrase": "a", "views": 1, "views": 2, "campaign_id": 1, "dt": "2026-08-20 11:50:00"}'
    data = "\n".join([json.dumps(ROW | {"phrase": '"red" "dress"'}), twice]).encode()
    staged = stage_counters(tmp_path, "a", lambda: io.BufferedReader(io.BytesIO(data)), max_rejected=1)
    assert (staged.parts.rows, staged.rejected) == (1, 1)
    assert json.loads((tmp_path / REJECTED).read_text())["reason"] == "a name stands there twice"


@OFTEN
@given(any_text.map(lambda text: text.encode(errors="surrogatepass")) | st.binary(max_size=60))
def test_any_file(data):
    """What is no file of counters is refused by its name."""
    with tempfile.TemporaryDirectory() as name:
        try:
            staged = stage_counters(
                Path(name), "in\nbox/\x1b.csv", lambda: io.BufferedReader(io.BytesIO(data))
            )
        except ImportFileError as refusal:
            assert_names(refusal, "import file 'in\\nbox/")
        except TooManyRejected as refusal:
            assert_names(refusal, "param max_rejected")
        else:
            assert staged.parts.rows + staged.blank + staged.rejected == 0


@OFTEN
@given(
    any_text | st.text(alphabet="./\\~:@a0%\0\n", max_size=20),
    st.sampled_from(["", "file://", "s3://", "/", "a/"]),
)
@example("a" * 10_000, "")
@example("/".join(["\u0444" * 200] * 5), "")
def test_a_path_of_the_inbox(text, before):
    """Leads to a file of the inbox or is refused by its name."""
    with tempfile.TemporaryDirectory() as name:
        (inbox := Path(name, "inbox")).mkdir()
        (inbox / "a0").write_text("x")
        try:
            assert locate(inbox, before + text) == inbox.resolve() / "a0"
        except OutsideInbox as refusal:
            assert_names(refusal, "import file ")


@OFTEN
@given(any_text.filter(lambda text: not any("\ud800" <= each <= "\udfff" for each in text)))
def test_a_run_id(run_id):
    """Whatever it is, its directory has a short plain name."""
    name = run_directory(Path("/staging"), "dag", date(2026, 8, 20), run_id).name
    assert len(name) == 16
    assert name.isalnum()


@pytest.mark.parametrize(
    "header",
    [MEGABYTE, "\0" * 10, "campaign_id,phrase,views,dt,dt", "\x1b]0;x\x07"],
    ids=["long", "nul", "twice", "escape"],
)
def test_a_header_that_is_none(tmp_path: Path, header: str):
    """Is shown on one line, cut."""
    with pytest.raises(ImportFileError) as caught:
        stage_counters(tmp_path, "a", lambda: io.BufferedReader(io.BytesIO(header.encode())), form="csv")
    assert_names(caught.value, "first line")
