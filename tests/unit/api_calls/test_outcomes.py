"""What became of rows: counted once, found again by the next try, also where an older version kept it."""

import tempfile
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.api_calls import outcomes as outcomes_module
from include.api_calls.outcomes import ANSWERED, OUTCOMES, Outcome, Outcomes
from tests.examples import examples

ROWS = 30
WORTH = {"ok": 3, "failed": 2, "unknown": 1}
RECORDS = st.builds(
    Outcome,
    row=st.integers(-1, ROWS + 2),
    outcome=st.sampled_from(OUTCOMES),
    status=st.integers(0, 599),
    reason=st.text(max_size=3),
    requests=st.integers(0, 3),
    answer=st.sampled_from(["", '{"a": "\n"}']),
)
SAVED = RECORDS.filter(lambda record: record.row > 0)
FOLLOWING = st.integers(1, ROWS).flatmap(
    lambda first: st.integers(1, 8).map(
        lambda count: [Outcome(row, "ok", 200, requests=1) for row in range(first, first + count)]
    )
)
BATCHES = st.lists(st.lists(RECORDS, max_size=6) | FOLLOWING, max_size=8)


class OneByOne:
    """The same, record by record in memory."""

    def __init__(self) -> None:
        self.known: dict[int, Outcome] = {}
        self.requests = self.failed_here = 0

    def take(self, record: Outcome) -> None:
        """Take a record where it is more than what is known."""
        known = self.known.get(record.row)
        if 1 <= record.row <= ROWS and (
            known is None or WORTH.get(record.outcome, 0) > WORTH.get(known.outcome, 0)
        ):
            self.known[record.row] = record
            self.requests += record.requests
            self.failed_here += record.outcome == "failed" and record.requests > 0


def require_same(found: Outcomes, expected: OneByOne) -> None:
    """Compare everything that is told."""
    rows = range(1, ROWS + 1)
    assert [found.get(row) for row in rows] == [expected.known.get(row) for row in rows]
    counts = Counter(record.outcome for record in expected.known.values())
    assert {name: count for name, count in found.counts.items() if count} == counts
    assert (found.requests, found.failed_here) == (expected.requests, expected.failed_here)
    assert found.last == max(expected.known, default=0)
    still_open = [row for row in rows if row not in expected.known]
    for first, last in ((1, ROWS), (5, 9), (ROWS, ROWS), (3, ROWS + 9)):
        here = [row for row in still_open if first <= row <= last]
        assert (found.open_rows(first, last), found.any_open(first, last)) == (here, bool(here))
    assert found.count_open(10) == len([row for row in still_open if row <= 10])


@given(BATCHES)
@examples(300, shared_fixtures=True)
def test_batches_count_as_their_records_do_one_by_one(tmp_path: Path, batches: list[list[Outcome]]):
    """Of two records of a row the one that says more counts; rows that the file has not are left out."""
    found, expected = Outcomes(tmp_path, ROWS), OneByOne()
    for batch in batches:
        found.take(batch)
        for record in batch:
            expected.take(record)
        require_same(found, expected)


@given(st.lists(st.lists(SAVED, min_size=1, max_size=8, unique_by=lambda record: record.row), max_size=6))
@examples(200, shared_fixtures=True)
def test_files_count_as_their_records_do_one_by_one(tmp_path: Path, batches: list[list[Outcome]]):
    """Whether their rows have gaps, are of other files too, or of no row of the file."""
    directory = Path(tempfile.mkdtemp(dir=tmp_path))
    writer, expected = Outcomes(directory, ROWS), OneByOne()
    of_first = {min(record.row for record in batch): batch for batch in batches}
    for _, batch in sorted(of_first.items()):
        in_order = sorted(batch, key=lambda record: record.row)
        writer.save(in_order)
        for record in in_order:
            expected.take(record)
    require_same(Outcomes(directory, ROWS), expected)


def test_the_next_try_knows_what_was_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One by one, merged, or several together."""
    monkeypatch.setattr(outcomes_module, "MERGED", 4)
    outcomes, expected = Outcomes(tmp_path, ROWS), OneByOne()
    saved = [[Outcome(row, "ok", 201, "", 1, f'{{"id": {row}}}', 7)] for row in (3, 1, 2, 6, 4)]
    saved.append([Outcome(row, "failed", 404, "no", 2) for row in (10, 11, 13)])
    for batch in saved:
        outcomes.save(batch)
        for record in batch:
            expected.take(record)
        if merged := outcomes.saved(batch):
            assert [record.row for record in merged] == [1, 2, 3, 6]
            outcomes.merge(merged)
    require_same(outcomes, expected)
    assert {path.name for path in (tmp_path / ANSWERED).iterdir()} == {
        *("1-6.ndjson", "4.ndjson", "10-13.ndjson")
    }
    require_same(Outcomes(tmp_path, ROWS), expected)


def test_what_an_older_version_kept_is_known(tmp_path: Path):
    """A run goes on over an upgrade: its records were objects."""
    (tmp_path / ANSWERED).mkdir()
    lines = [
        b'{"row":1,"outcome":"ok","status":201,"requests":1,"answer":"{\\"id\\": 1}","sent_at":7}\n',
        b'{"row":2,"outcome":"unknown","reason":"lost","requests":1}\n',
    ]
    (tmp_path / ANSWERED / "1-2.ndjson").write_bytes(b"".join(lines))
    found = Outcomes(tmp_path, ROWS)
    assert found.get(1) == Outcome(1, "ok", 201, "", 1, '{"id": 1}', 7)
    assert found.get(2) == Outcome(2, "unknown", 0, "lost", 1)


DAMAGED = [
    *(b"", b"[1", b'[1,"fine"]\n', b'["1","ok"]\n', b'{"row":1}\n', b"\xff\n"),
    *(b'[[1],"AQ==",1,0]\n', b'[[1],"AQ==",1]\n[1,"ok"]\n', b'[[1],"CQ==",1,0]\n[1,"ok"]\n'),
]


@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_file_that_is_damaged_counts_for_nothing(tmp_path: Path, damaged: bytes, caplog):
    """The rows of others do, and one that says what is not known is told."""
    Outcomes(tmp_path, ROWS).save([Outcome(5, "ok")])
    (tmp_path / ANSWERED / "1.ndjson").write_bytes(damaged)
    found = Outcomes(tmp_path, ROWS)
    assert (found.of(1), found.of(5)) == ("", "ok")
    assert ("its rows count as not answered" in caplog.text) == bool(damaged)


def test_records_are_read_in_any_order(tmp_path: Path):
    """Also after others were taken."""
    outcomes = Outcomes(tmp_path, ROWS)
    for first in (1, 11, 21):
        outcomes.take([Outcome(row, "ok", answer=str(row)) for row in range(first, first + 5)])
        assert outcomes.get(first + 1) == Outcome(first + 1, "ok", answer=str(first + 1))
    for row in (23, 1, 12, 5, 25):
        assert outcomes.get(row) == Outcome(row, "ok", answer=str(row))
    assert outcomes.get(6) is None


def test_a_record_takes_a_line():
    """Of JSON that says no names."""
    record = Outcome(1, "ok", 201, "", 1, '{"a": "\\n"}', 7)
    assert msgspec.json.encode(record) == b'[1,"ok",201,"",1,"{\\"a\\": \\"\\\\n\\"}",7]'
