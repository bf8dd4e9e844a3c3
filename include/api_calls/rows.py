"""The rows of a file: CSV with a header, or a JSON object a line. Cells are texts, kept exactly.

They come in blocks, so that what they hold can be checked and compared column by column: Python's csv module
makes a row in less time than a function is called in.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain, islice
from typing import Any, NamedTuple

from include.api_calls.json_rows import json_cells
from include.api_calls.layout import Layout, OpenFile, no_csv
from include.api_calls.texts import Texts

_TAKEN_AT_ONCE = 256  # rows that may be longer than the piece of text in which they begin

Wanted = Callable[[int, int], bool]


class Row(NamedTuple):
    """A row. Attributes: row, its number from 1; line, where it begins; cells; problem, "" where none."""

    row: int
    line: int
    cells: Sequence[str]
    problem: str = ""


class Block(NamedTuple):
    """Rows one after the other.

    Attributes: first, the number of the first row; lines, where each begins; end, the line where the last one
    ends; cells, of each; problems, of those that have one, by row.
    """

    first: int
    lines: Sequence[int]
    end: int
    cells: Sequence[Sequence[str]]
    problems: dict[int, str]

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.first + len(self.cells) - 1

    def to_call(self) -> list[int]:
        """Return the numbers of the rows that have no problem."""
        return [row for row in range(self.first, self.last + 1) if row not in self.problems]

    def cells_of(self, rows: Iterable[int]) -> list[Sequence[str]]:
        """Return the cells of rows. Args: rows, their numbers."""
        return [self.cells[row - self.first] for row in rows]

    def rows(self) -> Iterator[Row]:
        """Yield them one by one."""
        for row, line, cells in zip(range(self.first, self.last + 1), self.lines, self.cells, strict=True):
            yield Row(row, line, cells, self.problems.get(row, ""))


def read_blocks(
    path: str, open_file: OpenFile, layout: Layout, wanted: Wanted | None = None
) -> Iterator[Block]:
    """Yield the rows of a file; in memory are those of one piece of its text, or one that is longer.

    Args: wanted, of a file with one row on each line: tells whether the rows from a first to a last are.
        Others may be left out.
    Raises: ImportFileDamaged for what cannot be cut into rows, by its line; a row of another width than the
    header's has a problem.
    """
    before = lines_before(layout)
    with open_file() as file:
        texts = Texts(path, file, layout.encoding)
        lines = texts.pieces(wanted and (lambda first, last: wanted(first - before, last - before)))
        yield from (_csv_blocks if layout.format == "csv" else _json_blocks)(path, texts, lines, layout)


def lines_before(layout: Layout) -> int:
    """Return how many lines stand before the rows of a file that has one on each line."""
    return 1 if layout.format == "csv" else 0


def _csv_blocks(path: str, texts: Texts, pieces: Iterator[Iterable[str]], layout: Layout) -> Iterator[Block]:
    reader = csv.reader(chain.from_iterable(pieces), delimiter=layout.delimiter, strict=True)
    rows, left_out, header = 0, 0, 1
    while True:
        read = reader.line_num
        cells = _next_rows(path, texts, reader)
        if not cells:
            return
        rows += texts.left_out - left_out
        left_out = texts.left_out
        lines = _lines(read + left_out + 1, cells, reader.line_num - read)[header:]
        cells, header = cells[header:], 0
        if not all(cells):  # blank lines
            lines = [line for line, row in zip(lines, cells, strict=True) if row]
            cells = [row for row in cells if row]
        if cells:
            end = lines[-1] + _height(cells[-1]) - 1
            yield Block(rows + 1, lines, end, cells, _other_widths(rows + 1, cells, len(layout.header)))
        rows += len(cells)


def _next_rows(path: str, texts: Texts, reader: Any) -> list[list[str]]:
    """Return the next row, and the others of its piece of text, unless rows go on beyond that."""
    read, rows = reader.line_num, list[list[str]]()
    try:
        rows += islice(reader, 1)
        piece = texts.first
        while texts.first == piece and (ahead := texts.given - reader.line_num) > 0:
            rows += islice(reader, min(ahead, _TAKEN_AT_ONCE))
    except csv.Error as error:
        line = texts.left_out + read + 1 + sum(map(_height, rows))
        raise no_csv(path, line, error) from error
    return rows


def _lines(first: int, rows: Sequence[Sequence[str]], height: int) -> Sequence[int]:
    """Return the lines where rows begin. Args: height, lines of all of them."""
    if height == len(rows):
        return range(first, first + height)
    return list(accumulate(map(_height, rows), initial=first))[:-1]


def _height(row: Sequence[str]) -> int:
    return 1 + sum(cell.count("\n") for cell in row)


def _other_widths(first: int, rows: Sequence[Sequence[str]], width: int) -> dict[int, str]:
    if set(map(len, rows)) == {width}:
        return {}
    return {
        number: f"it has {len(row)} cells, the header has {width}"
        for number, row in enumerate(rows, first)
        if len(row) != width
    }


def _json_blocks(
    _path: str, texts: Texts, pieces: Iterator[Iterable[str]], layout: Layout
) -> Iterator[Block]:
    rows = left_out = 0
    for piece in pieces:
        rows += texts.left_out - left_out
        left_out = texts.left_out
        numbered = [(number, line) for number, line in enumerate(piece, texts.first) if line.strip()]
        cells, problems = list[list[str]](), dict[int, str]()
        for _, line in numbered:
            try:
                cells.append(json_cells(line, layout.header))
            except ValueError as error:
                cells.append([line[:300].strip()])
                problems[rows + len(cells)] = str(error)[:200]
        if cells:
            lines = [number for number, _ in numbered]
            yield Block(rows + 1, lines, lines[-1], cells, problems)
        rows += len(cells)
