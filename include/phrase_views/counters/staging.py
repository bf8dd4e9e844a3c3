"""A file of counters -> staged parts, with a reject file beside them."""

from __future__ import annotations

import json
import logging
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from io import BufferedReader
from itertools import chain

from pydantic import BaseModel, ConfigDict

from include.inbox.errors import (
    ImportFileDamaged,
    ImportFileTooLarge,
    LastLineEndMissing,
    TooManyRejected,
)
from include.inbox.lines import Block, read_blocks
from include.phrase_views.counters.request import Format
from include.phrase_views.counters.rows import (
    ParsedBlock,
    Reject,
    cells,
    parse_csv,
    parse_ndjson,
    rejected,
)
from include.staging.files import StagingPath, write_atomically
from include.staging.tables import StagedTable, TableParts
from include.staging.text_parts import TextWriter

log = logging.getLogger(__name__)

PHRASES_VIEWS = StagedTable(
    name="phrases_views",
    columns={"campaign_id": "Int32", "phrase": "String", "views": "Int32", "dt": "DateTime('UTC')"},
    key=("campaign_id", "phrase", "dt"),
    day_column=None,
    last_insert_counts=True,
    form="text",
)
REJECTED = "rejected.ndjson"
MAX_ROWS = 5_000_000  # of each, 8 bytes are kept to find samples that come twice
MAX_TWICE = 500_000  # of these, all is kept
MAX_MONTHS = 100  # the server takes no more partitions in one INSERT
_SOUGHT_AT_ONCE = 2**20
_SEEN_BEYOND = 1_000  # rejects written down above the threshold, so that their kinds show


class Staged(BaseModel):
    """The counts of a file.

    Attributes: parts; lines by what became of them: rows, rejected, repeated, blank; last_line_ended, False
    where the last line has no line end.
    """

    model_config = ConfigDict(frozen=True)
    parts: TableParts
    rejected: int
    repeated: int
    blank: int
    last_line_ended: bool


def stage_counters(
    directory: StagingPath,
    path: str,
    open_file: Callable[[], BufferedReader],
    *,
    form: Format = "auto",
    max_rejected: int = 0,
    require_last_line_end: bool = False,
    max_rows: int = MAX_ROWS,
) -> Staged:
    """Stage the counters in a file; rejected lines go to `directory`/rejected.ndjson.

    Of two lines for one (campaign, phrase, second) with different views the later one is rejected; with
    equal views it counts as repeated. A file that has such lines is read twice.

    Args: path, for errors; max_rejected, lines; require_last_line_end, or the log tells that it is missing.
    Raises: TooManyRejected, ImportFileError and its kinds.
    """
    sorter = _Sorter(path, max_rejected, max_rows)
    parts = sorter.stage(directory, open_file, form)
    if len(sorter.rejects) <= max_rejected and (twice := sorter.seen_twice()):
        sorter = _Sorter(path, max_rejected, max_rows, twice)
        parts = sorter.stage(directory, open_file, form)
    parts = parts.model_copy(update={"keys_are_unique": True})
    rejects = sorted(sorter.rejects)
    lines = "".join(json.dumps(reject._asdict(), ensure_ascii=False) + "\n" for reject in rejects)
    write_atomically(directory / REJECTED, lines.encode())
    _tell_last_line_end(path, sorter.unended_line, required=require_last_line_end)
    if len(rejects) > max_rejected:
        first, reject_file = rejects[0], str(directory / REJECTED)
        raise TooManyRejected(max_rejected, len(rejects), first.line, first.reason, reject_file)
    return Staged(
        parts=parts,
        rejected=len(rejects),
        repeated=sorter.repeated,
        blank=sorter.blank,
        last_line_ended=sorter.unended_line is None,
    )


def _tell_last_line_end(path: str, unended_line: int | None, *, required: bool) -> None:
    if unended_line is None:
        return
    found = f"its last line, number {unended_line}, has no line end: an upload may have been cut within it"
    if required:
        raise LastLineEndMissing(path, found)
    log.warning("%s: %s", path, found)


class _Sorter:
    """Keeps the rows of a file apart from its rejects, repetitions and blank lines, and counts them.

    Attributes: twice, hashes of the samples that come more than once, as far as that is known; unended_line,
    the number of the last line where it has no line end.
    """

    def __init__(
        self, path: str, max_rejected: int, max_rows: int, twice: frozenset[int] = frozenset()
    ) -> None:
        self.path, self.max_rejected, self.max_rows, self.twice = path, max_rejected, max_rows, twice
        self.rejects: list[Reject] = []
        self.blank = self.repeated = 0
        self.unended_line: int | None = None
        self._hashes = array("q")
        self._months: set[tuple[int, ...]] = set()
        self._first_views: dict[tuple[bytes, ...], tuple[int, bytes]] = {}  # line and views

    def stage(
        self, directory: StagingPath, open_file: Callable[[], BufferedReader], form: Format
    ) -> TableParts:
        """Write the parts."""
        with open_file() as file, TextWriter(directory, PHRASES_VIEWS) as writer:
            blocks = self._watched(read_blocks(self.path, file))
            for lines in self._lines(_parsed(self.path, blocks, form)):
                writer.write_lines(lines)
        return writer.parts

    def _watched(self, blocks: Iterator[Block]) -> Iterator[Block]:
        for block in blocks:
            self.unended_line = None if block.is_ended else block.last
            yield block

    def seen_twice(self) -> frozenset[int]:
        """Return the hashes that came more than once; equal samples have equal ones.

        Raises: ImportFileTooLarge.
        """
        twice: set[int] = set()
        shares = len(self._hashes) // _SOUGHT_AT_ONCE + 1
        for share in range(shares):
            some = [each for each in self._hashes if each % shares == share] if shares > 1 else self._hashes
            if len(set(some)) < len(some):
                twice.update(each for each, times in Counter(some).items() if times > 1)
        if len(twice) > MAX_TWICE:
            raise ImportFileTooLarge(self.path, f"more than {MAX_TWICE} samples come twice")
        return frozenset(twice)

    def _lines(self, blocks: Iterator[ParsedBlock]) -> Iterator[list[bytes]]:
        """Yield the lines to stage; end early when far too many are rejected."""
        for found in blocks:
            self.blank += found.blank
            self.rejects += found.rejects
            self._hashes.extend(found.rows.samples)
            self._months.update(time.gmtime(int(instant))[:2] for instant in found.rows.instants)
            if len(self._hashes) > self.max_rows or len(self._months) > MAX_MONTHS:
                limits = f"more than {self.max_rows} rows or {MAX_MONTHS} different months"
                raise ImportFileTooLarge(self.path, limits)
            has_twice = self.twice and not self.twice.isdisjoint(found.rows.samples)
            yield list(self._first_ones(found)) if has_twice else found.rows.lines
            if len(self.rejects) > self.max_rejected + _SEEN_BEYOND:
                return

    def _first_ones(self, found: ParsedBlock) -> Iterator[bytes]:
        """Yield each sample once, the first one."""
        source = found.block.lines()
        for line, hashed, number in zip(found.rows.lines, found.rows.samples, found.numbers, strict=True):
            if hashed not in self.twice:
                yield line
                continue
            *sample, views, instant = cells(line)
            first = self._first_views.setdefault((*sample, instant), (number, views))
            if first[0] == number:
                yield line
            elif first[1] == views:
                self.repeated += 1
            else:
                said = [each.decode() for each in (first[1], views)]
                reason = (
                    f"views: line {first[0]} says {said[0]} for this sample, line {number} says {said[1]}; "
                    "samples within one second are one, fractions are cut off"
                )
                self.rejects.append(rejected(source[number - found.block.first], reason))


def _parsed(path: str, blocks: Iterator[Block], form: Format) -> Iterator[ParsedBlock]:
    first = next(blocks, None)
    if first is None:
        raise ImportFileDamaged(path, "it is empty")
    blocks = chain([first], blocks)
    is_ndjson = form == "ndjson" or (form == "auto" and first.data.lstrip().startswith(b"{"))
    return parse_ndjson(blocks) if is_ndjson else parse_csv(path, blocks)
