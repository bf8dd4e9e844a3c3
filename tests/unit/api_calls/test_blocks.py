"""Rows that are read in blocks are those of the csv module, whatever is in the file."""

import csv
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.api_calls import rows, texts
from include.api_calls.errors import UnreadableRow
from include.api_calls.layout import Layout
from include.api_calls.rows import Row, read_blocks
from tests.examples import examples
from tests.unit.api_calls.hostile import HEADER, PIECES, TABLES, csv_of, opened

LAYOUT = Layout(format="csv", encoding="utf-8", header=HEADER)
ODD_LINES = [
    *("1,2,3\n", "\n", "\r\n", '"a\nb",2,3\n', '"a""b",,\n'),
    *('a"b,c\n', '"open,\n', "x,\r", '"q"x,\n', ","),
]
LINES = st.lists(st.sampled_from(ODD_LINES) | st.text('a",;\n\r 1', max_size=8), max_size=15)
SHORT_ROWS = st.lists(st.tuples(*[st.text('a1" ,', max_size=5)] * 3), max_size=40)


def one_by_one(text: str) -> tuple[list[Row], int]:
    """Return the rows that the csv module reads, and the line where the one begins that is no CSV, or 0."""
    reader = csv.reader(re.findall(r"[^\n]*\n|[^\n]+", text), strict=True)
    found: list[Row] = []
    while True:
        line = reader.line_num + 2  # after the header
        try:
            cells = next(reader, None)
        except csv.Error:
            return found, line
        if cells is None:
            return found, 0
        if cells:
            problem = "" if len(cells) == len(HEADER) else f"it has {len(cells)} cells, the header has 3"
            found.append(Row(len(found) + 1, line, cells, problem))


def in_blocks(text: str, found: list[Row], piece: int, at_once: int) -> None:
    """Read rows in blocks of a few."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_PIECE_BYTES", piece)
        patch.setattr(rows, "_TAKEN_AT_ONCE", at_once)
        for block in read_blocks("f", opened(text), LAYOUT):
            found += block.rows()
            assert found[-1].row == block.last


@given(TABLES.map(csv_of) | LINES.map("".join), PIECES, st.integers(1, 5))
@example('1,2,3\n"a\nb\nc",2,3\n\n4,5,6\n"x\n', 7, 2)
@examples(400)
def test_rows_of_blocks_are_those_of_the_csv_module(text: str, piece: int, at_once: int):
    """With their lines; and a row that is no CSV is named by the line where it begins."""
    expected, bad_line = one_by_one(text)
    found: list[Row] = []
    if bad_line:
        with pytest.raises(UnreadableRow, match=f"line {bad_line}: the row that begins there is no CSV"):
            in_blocks(text, found, piece, at_once)
        assert found == expected[: len(found)]
    else:
        in_blocks(text, found, piece, at_once)
        assert found == expected


@given(SHORT_ROWS, PIECES, st.sets(st.integers(1, 40)))
@examples(200)
def test_rows_that_nobody_wants_are_left_out(table, piece: int, wanted: set[int]):
    """Of a file with a row on each line; the others keep their numbers and lines."""
    unwanted: set[int] = set()

    def want(first: int, last: int) -> bool:
        asked = {*range(first, last + 1)}
        if wanted.isdisjoint(asked):
            unwanted.update(asked)
        return not wanted.isdisjoint(asked)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_PIECE_BYTES", piece)
        blocks = list(read_blocks("f", opened(csv_of(table)), LAYOUT, want))
    found = {row.row: row for block in blocks for row in block.rows()}
    assert {row for row in wanted if row <= len(table)} <= found.keys()
    assert unwanted.isdisjoint(found)
    for number, row in found.items():
        assert (row.row, row.line, tuple(row.cells)) == (number, number + 1, table[number - 1])
