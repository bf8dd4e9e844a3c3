"""What became of each row, kept as it comes, so that a killed try loses nothing that it knew."""

from __future__ import annotations

import tempfile
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from os import SEEK_END

import msgspec

from include.staging.checkpoint import Checkpoint
from include.staging.files import StagingPath

OUTCOMES = ("ok", "rejected", "failed", "unknown", "skipped", "not_sent")
ANSWERED = "answered"  # the folder, in the run's directory
MERGED = 1_000  # records in a file of many
_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES, start=1)}
_WORTH = {
    "ok": 3,
    "failed": 2,
    "unknown": 1,
}  # of two records of a row, by tries that did not know each other


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a row.

    Attributes: row; outcome; status, of the last answer, 0 without one; reason; requests of this run; answer,
    a JSON object of what is kept, or ""; sent_at, seconds since 1970, 0 where nothing was sent.
    """

    row: int
    outcome: str
    status: int = 0
    reason: str = ""
    requests: int = 0
    answer: str = ""
    sent_at: int = 0


_ENCODER, _DECODER = msgspec.json.Encoder(), msgspec.json.Decoder(Outcome)
_LIST_DECODER = msgspec.json.Decoder(list[Outcome])


class Outcomes:
    """The outcomes of a run's rows: those that earlier tries kept are read at once, others are taken.

    In memory are nine bytes for each row; the records are in a temporary file.

    Attributes: counts, rows by outcome; failed_here, of the failed the ones that this run has sent; requests,
    of all of them; last, the last row that has one.
    """

    def __init__(self, directory: StagingPath, rows: int) -> None:
        """Raises: OSError."""
        otherwise = "its rows count as not answered"
        self._checkpoint = Checkpoint(directory / ANSWERED, "[0-9]+(-[0-9]+)?", otherwise)
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - gone with this object
        self._places = array("Q", bytes(8 * (rows + 1)))  # by row: place in the spool, from 1
        self._codes = bytearray(rows + 1)
        self._single: list[int] = []
        self.counts: Counter[str] = Counter()
        self.requests = self.last = self.failed_here = 0
        for name, (records, lines) in self._checkpoint.read(list(self._checkpoint.names()), _read_batch):
            self._take(records, lines)
            if "-" not in name:
                self._single.append(int(name))

    def of(self, row: int) -> str:
        """Return the outcome of a row, "" while it has none."""
        code = self._codes[row]
        return OUTCOMES[code - 1] if code else ""

    def get(self, row: int) -> Outcome | None:
        """Return what became of a row; None while nothing did."""
        if not self._places[row]:
            return None
        self._spool.seek(self._places[row] - 1)
        return _DECODER.decode(self._spool.readline())

    def save(self, batch: Sequence[Outcome]) -> None:
        """Write records to the run's directory, all or none; safe in several threads.

        A batch of several has a name of its own, as long as it begins with another row.
        """
        first, last = batch[0].row, batch[-1].row
        name = str(first) if len(batch) == 1 else f"{first}-{last}"
        self._checkpoint.save(name, map(_ENCODER.encode, batch))

    def take(self, batch: Sequence[Outcome]) -> None:
        """Count records, saved or not, as the outcomes of their rows."""
        self._take(batch, [_ENCODER.encode(record) for record in batch])

    def _take(self, batch: Sequence[Outcome], lines: Sequence[bytes]) -> None:
        place, codes, places = self._spool.seek(0, SEEK_END) + 1, self._codes, self._places
        for record, line in zip(batch, lines, strict=True):
            row, outcome = record.row, record.outcome
            if 0 < row < len(codes) and self._counts_more(row, outcome):
                self.counts[outcome] += 1
                codes[row], places[row] = _CODES[outcome], place
                self.failed_here += outcome == "failed" and record.requests > 0
                self.requests += record.requests
                self.last = max(self.last, row)
            place += len(line) + 1
        self._spool.write(b"".join(line + b"\n" for line in lines))

    def _counts_more(self, row: int, outcome: str) -> bool:
        """Tell whether an outcome is more than what is known of a row; forget that then."""
        if not self._codes[row]:
            return True
        known = self.of(row)
        if _WORTH.get(known, 0) >= _WORTH.get(outcome, 0):
            return False
        self.counts[known] -= 1
        return True

    def saved(self, batch: Sequence[Outcome]) -> list[int] | None:
        """Count saved records; return the rows of single files where there are enough to merge them."""
        self.take(batch)
        if len(batch) == 1:
            self._single.append(batch[0].row)
        if len(self._single) < MERGED:
            return None
        single, self._single = self._single, []
        return single

    def merge(self, records: Sequence[Outcome]) -> None:
        """Write the records of single files as one file, then remove those; safe to repeat."""
        self.save(sorted(records, key=lambda record: record.row))
        for record in records:
            self._checkpoint.remove(str(record.row))

    def __iter__(self) -> Iterator[Outcome]:
        """Yield the outcomes that there are, by row."""
        for row, place in enumerate(self._places):
            if place and (found := self.get(row)):
                yield found


def _read_batch(lines: list[bytes]) -> tuple[list[Outcome], list[bytes]]:
    records = _LIST_DECODER.decode(b"[" + b",".join(lines) + b"]")
    if len(records) != len(lines) or not {record.outcome for record in records} <= _CODES.keys():
        raise ValueError("it holds something else than outcomes")
    return records, lines
