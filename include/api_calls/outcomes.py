"""What became of each row, kept as it comes, so that a killed try loses nothing that it knew."""

from __future__ import annotations

import tempfile
from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import islice, pairwise
from operator import sub
from os import SEEK_END
from typing import Literal, NamedTuple, get_args

import msgspec

from include.staging.checkpoint import Checkpoint
from include.staging.files import StagingPath

# Files of runs that go on know them by their order.
Name = Literal["ok", "rejected", "failed", "unknown", "skipped", "not_sent"]
OUTCOMES: tuple[Name, ...] = get_args(Name)
ANSWERED = "answered"  # the folder, in the run's directory
MERGED = 1_000  # records in a file of many
_PLACE_BYTES = 64  # so that four bytes name a place among 256 GiB
_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES, start=1)}
_WORTH = {
    "ok": 3,
    "failed": 2,
    "unknown": 1,
}  # of two records of a row, by tries that did not know each other


class Outcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What became of a row; kept as a JSON array, less than half of what an object takes.

    Attributes: row; outcome; status, of the last answer, 0 without one; reason; requests of this run; answer,
    a JSON object of what is kept, or ""; sent_at, seconds since 1970, 0 where nothing was sent.
    """

    row: int
    outcome: Name
    status: int = 0
    reason: str = ""
    requests: int = 0
    answer: str = ""
    sent_at: int = 0


class _Named(Outcome, frozen=True, array_like=False, gc=False):
    """An outcome as older versions kept it."""


class _Summary(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first line of a file of several records: a try that goes on needs no more of most of them.

    Attributes: rows; codes, of their outcomes; requests, of all; failed_here, how many of them failed.
    """

    rows: list[int]
    codes: bytes
    requests: int
    failed_here: int


class _Batch(NamedTuple):
    """Records. Attributes: summary; lines, one for each."""

    summary: _Summary
    lines: bytes | memoryview


_ENCODER, _DECODER = msgspec.json.Encoder(), msgspec.json.Decoder(Outcome)
_NAMED_DECODER, _SUMMARY_DECODER = msgspec.json.Decoder(_Named), msgspec.json.Decoder(_Summary)


class Outcomes:
    """The outcomes of a run's rows: those that earlier tries kept are read at once, others are taken.

    In memory are five bytes for each row; the records are in a temporary file, as batches.

    Attributes: counts, rows by outcome; failed_here, of the failed the ones that this run has sent; requests,
    of all of them; last, the last row that has one.
    """

    def __init__(self, directory: StagingPath, rows: int) -> None:
        """Raises: OSError."""
        otherwise = "its rows count as not answered"
        self._checkpoint = Checkpoint(directory / ANSWERED, "[0-9]+(-[0-9]+)?", otherwise)
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - gone with this object
        self._places = array("I", [0]) * (rows + 1)  # by row: place of its batch in the spool, from 1
        self._codes = bytearray(rows + 1)
        self._at_end, self._end = True, 0  # of the spool: whether writing goes on there, and where it is
        self._opened, self._batch = 0, dict[int, Outcome]()  # the batch at one place
        self._single: list[int] = []
        self.counts: Counter[str] = Counter()
        self.requests = self.last = self.failed_here = 0
        names = sorted(self._checkpoint.names(), key=_first_row)
        for name, batch in self._checkpoint.read_whole(names, _read_batch):
            self._take(batch)
            if "-" not in name and 0 < int(name) <= rows:
                self._single.append(int(name))

    def of(self, row: int) -> str:
        """Return the outcome of a row, "" while it has none."""
        code = self._codes[row]
        return OUTCOMES[code - 1] if code else ""

    def any_open(self, first: int, last: int) -> bool:
        """Tell whether one of the rows from `first` to `last` has no outcome."""
        return self._codes.find(0, first, last + 1) >= 0

    def open_rows(self, first: int, last: int) -> list[int]:
        """Return those of the rows from `first` to `last` that have no outcome."""
        codes = self._codes[first : last + 1]
        return [row for row, code in enumerate(codes, first) if not code] if 0 in codes else []

    def count_open(self, last: int) -> int:
        """Return how many of the rows up to `last` have no outcome."""
        return self._codes.count(0, 1, last + 1)

    def get(self, row: int) -> Outcome | None:
        """Return what became of a row; None while nothing did. Row by row in their order it is fast."""
        place = self._places[row]
        if not place:
            return None
        if place != self._opened:
            self._spool.seek((place - 1) * _PLACE_BYTES)
            self._at_end = False
            records = _DECODER.decode_lines(self._spool.read(int(self._spool.readline())))
            self._opened, self._batch = place, {record.row: record for record in records}
        return self._batch[row]

    def save(self, batch: Sequence[Outcome]) -> None:
        """Write records to the run's directory, all or none; safe in several threads.

        A batch of several has a name of its own, as long as it begins with another row.
        """
        first, last = batch[0].row, batch[-1].row
        if len(batch) == 1:
            self._checkpoint.save(str(first), map(_ENCODER.encode, batch))
        else:
            self._checkpoint.save(f"{first}-{last}", map(_ENCODER.encode, (_summary(batch), *batch)))

    def take(self, batch: Sequence[Outcome]) -> None:
        """Count records, saved or not, as the outcomes of their rows."""
        self._take(_Batch(_summary(batch), _ENCODER.encode_lines(batch)))

    def _take(self, batch: _Batch) -> None:
        rows, codes = batch.summary.rows, batch.summary.codes
        if runs := self._new_runs(rows):
            spooled = array("I", [self._spooled(batch.lines)])
            for begin, end in runs:
                first, beyond = rows[begin], rows[end - 1] + 1
                self._codes[first:beyond] = codes[begin:end]
                self._places[first:beyond] = spooled * (end - begin)
            self._count(batch.summary, rows[-1])
            return
        records = _DECODER.decode_lines(batch.lines)
        if counting := [record for record in records if self._counts_more(record)]:
            place = self._spooled(_ENCODER.encode_lines(counting))
            for record in counting:
                self._places[record.row] = place
            self._count(_summary(counting), max(record.row for record in counting))

    def _new_runs(self, rows: Sequence[int]) -> list[tuple[int, int]]:
        """Return where rows without a gap begin and end; nothing unless all are new, and in their order."""
        if not rows or rows[0] < 1 or rows[-1] >= len(self._codes):
            return []
        steps = list(map(sub, islice(rows, 1, None), rows))
        gaps = [at for at, step in enumerate(steps, 1) if step != 1] if steps.count(1) < len(steps) else []
        if steps and min(steps) < 1:
            return []
        runs = list(pairwise([0, *gaps, len(rows)]))
        known = (self._codes.count(0, rows[begin], rows[end - 1] + 1) < end - begin for begin, end in runs)
        return [] if any(known) else runs

    def _counts_more(self, record: Outcome) -> bool:
        """Tell whether an outcome is more than what is known of its row, and know it then."""
        if not 0 < record.row < len(self._codes):
            return False
        if known := self.of(record.row):
            if _WORTH.get(known, 0) >= _WORTH.get(record.outcome, 0):
                return False
            self.counts[known] -= 1
        self._codes[record.row] = _CODES[record.outcome]
        return True

    def _count(self, summary: _Summary, last: int) -> None:
        codes = summary.codes
        self.counts.update({outcome: codes.count(code) for outcome, code in _CODES.items()})
        self.requests += summary.requests
        self.failed_here += summary.failed_here
        self.last = max(self.last, last)

    def _spooled(self, lines: bytes | memoryview) -> int:
        if not self._at_end:
            self._spool.seek(0, SEEK_END)
            self._at_end = True
        place, size = self._end // _PLACE_BYTES + 1, b"%d\n" % len(lines)
        filling = bytes(-(len(size) + len(lines)) % _PLACE_BYTES)
        self._spool.writelines((size, lines, filling))
        self._end += len(size) + len(lines) + len(filling)  # to ask the file takes longer than to write
        return place

    def saved(self, batch: Sequence[Outcome]) -> list[Outcome]:
        """Count saved records; return those of single files where there are enough to merge them, by row."""
        self.take(batch)
        if len(batch) == 1:
            self._single.append(batch[0].row)
        if len(self._single) < MERGED:
            return []
        single, self._single = sorted(set(self._single)), []
        merged = [record for row in single if (record := self.get(row))]
        place = self._spooled(_ENCODER.encode_lines(merged))
        for record in merged:
            self._places[record.row] = place
        return merged

    def merge(self, records: Sequence[Outcome]) -> None:
        """Write the records of single files as one file, then remove those; safe to repeat."""
        self.save(records)
        for record in records:
            self._checkpoint.remove(str(record.row))


def _first_row(name: str) -> int:
    return int(name.partition("-")[0])


def _summary(batch: Sequence[Outcome]) -> _Summary:
    codes = bytes([_CODES[record.outcome] for record in batch])
    failed = _CODES["failed"] in codes
    return _Summary(
        [record.row for record in batch],
        codes,
        sum([record.requests for record in batch]),
        sum(record.outcome == "failed" and record.requests > 0 for record in batch) if failed else 0,
    )


def _read_batch(lines: bytes) -> _Batch:
    if lines.startswith(b"[["):
        end = lines.find(b"\n") + 1
        summary = _SUMMARY_DECODER.decode(lines[:end])
        if not len(summary.rows) == len(summary.codes) == lines.count(b"\n", end):
            raise ValueError("its first line is not of the others")
        if summary.codes.translate(None, bytes(_CODES.values())):
            raise ValueError("its first line has codes of no outcome")
        return _Batch(summary, memoryview(lines)[end:])
    if lines.startswith(b"{"):
        named = _NAMED_DECODER.decode_lines(lines)
        lines = _ENCODER.encode_lines([Outcome(*msgspec.structs.astuple(record)) for record in named])
    return _Batch(_summary(_DECODER.decode_lines(lines)), lines)
