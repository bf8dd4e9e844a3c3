"""Which rows of a file are not to be called, and why: all of it is looked at before the first call."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from include.api_calls.calling import CallMaker
from include.api_calls.hashes import Hashes
from include.api_calls.layout import Layout, OpenFile
from include.api_calls.rows import Block, Row, read_blocks

_SHOWN = 300  # characters of a rejected row, and of a reason


class Reject(NamedTuple):
    """A row that is not called. Attributes: row and line, its numbers; reason; text, cut."""

    row: int
    line: int
    reason: str
    text: str


class Checked:
    """The rows of a file, checked many at once, then against each other.

    Attributes: rows, of the file; end, the line where the last one ends.
    """

    def __init__(self, path: str, open_file: OpenFile, layout: Layout, maker: CallMaker) -> None:
        self._path, self._open_file, self._layout, self._maker = path, open_file, layout, maker
        self.rows = self.end = 0

    def rejects(self, most: int, *, unique: bool) -> list[Reject]:
        """Return the rows that are not to be called, in order, and not many more than `most`.

        Args: unique, whether the recipe has unique columns.
        """
        found, texts = list[Reject](), Hashes()
        for block in self._blocks():
            self.rows, self.end = block.last, block.end
            rejected = list(self._misfits(block))
            found += rejected
            if len(found) > most:
                return found
            if unique:
                bad = {reject.row for reject in rejected}
                cells = [row.cells for row in block.rows() if row.row not in bad] if bad else block.cells
                texts.add(self._maker.uniques(cells))
        if twice := texts.twice():
            found = sorted([*found, *self._doubled(twice, {reject.row for reject in found}, most)])
        return found

    def _blocks(self) -> Iterator[Block]:
        return read_blocks(self._path, self._open_file, self._layout)

    def _misfits(self, block: Block) -> Iterator[Reject]:
        if not block.problems and self._maker.fit(block.cells):
            return
        for row in block.rows():
            try:
                if row.problem:
                    yield _reject(row, row.problem)
                else:
                    self._maker.check(row.cells)
            except ValueError as error:
                yield _reject(row, str(error))

    def _doubled(self, twice: AbstractSet[int], rejected: AbstractSet[int], most: int) -> Iterator[Reject]:
        """Yield rows that are the same as one before them. Args: twice, hashes of texts that may be."""
        first = dict[str, int]()
        doubled = 0
        for block in self._blocks():
            good = [row for row in block.rows() if row.row not in rejected]
            texts = self._maker.uniques([row.cells for row in good])
            for row, text in zip(good, texts, strict=True):
                if hash(text) in twice and (line := first.setdefault(text, row.line)) != row.line:
                    yield _reject(row, f"line {line} has the same values of the recipe's unique columns")
                    doubled += 1
            if doubled > most:
                return


def _reject(row: Row, reason: str) -> Reject:
    return Reject(row.row, row.line, reason[:_SHOWN], ",".join(row.cells)[:_SHOWN])
