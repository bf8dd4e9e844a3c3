"""Cells and rows are taken many at once exactly where each is taken by itself."""

import json
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.api_calls import texts
from include.api_calls.calling import NAMED_BY, CallMaker
from include.api_calls.checking import Checked
from include.api_calls.columns import Column
from include.api_calls.layout import Layout
from include.api_calls.recipe import Recipe, parse_recipe
from include.api_calls.rows import Row, read_blocks
from tests.examples import examples
from tests.unit.api_calls.hostile import CELLS, HEADER, PIECES, TABLES, csv_of, opened

LAYOUT = Layout(format="csv", encoding="utf-8", header=HEADER)
KINDS = [
    {"type": "text"},
    {"type": "text", "max_length": 3},
    {"type": "text", "pattern": "[a-z0-9 ]+"},
    {"type": "integer"},
    {"type": "number"},
    {"type": "boolean"},
    {"type": "date"},
    {"type": "choice", "choices": ["a", "1", "."]},
]
REQUIRED = st.sampled_from([Column(**kind) for kind in KINDS])
COLUMNS = REQUIRED | st.sampled_from([Column(**kind, required=False) for kind in KINDS])
UNIQUE = st.sampled_from([[], ["a"], ["b", "a"]])
RECIPE = """
method = "POST"
path = "/x/{a}"
[columns]
a = {}
b = {}
[query]
b = "{b}"
[body]
b = ["{b}", { a = "{a}" }]
"""
VALUES = {
    "text": str,
    "choice": str.strip,
    "date": lambda cell: date.fromisoformat(cell.strip()).isoformat(),
    "integer": int,
    "number": Decimal,
    "boolean": lambda cell: {"true": True, "false": False}[cell.strip().lower()],
}


def fits(column: Column, cell: str) -> bool:
    """Tell whether a cell fits, by itself."""
    try:
        column.check(cell)
    except ValueError:
        return False
    return True


@given(COLUMNS, st.lists(CELLS, max_size=6))
@examples(1000)
def test_a_column_fits_where_each_of_its_cells_does(column: Column, cells: list[str]):
    """Neither more is taken together than one by one, nor less."""
    assert column.fit(cells) == all(fits(column, cell) for cell in cells)


@given(COLUMNS, st.lists(CELLS, max_size=6))
@examples(500)
def test_cells_that_fit_become_values(column: Column, cells: list[str]):
    """Of their type in JSON, null where a cell is empty."""
    good = [cell for cell in cells if fits(column, cell)]
    found = column.texts(good)
    blank = [not (cell if column.type == "text" else cell.strip()) for cell in good]
    expected = [None if empty else VALUES[column.type](cell) for cell, empty in zip(good, blank, strict=True)]
    exact = {"parse_int": Decimal, "parse_float": Decimal}
    assert [json.loads(text, **exact) for text in column.json_texts(found)] == expected
    assert list(found) == [column.texts([cell])[0] for cell in good]


def recipe_of(a: Column, b: Column, unique: list[str]) -> Recipe:
    """Return a recipe of these columns."""
    return parse_recipe("r", RECIPE).model_copy(update={"columns": {"a": a, "b": b}, "unique": unique})


def problem_of(maker: CallMaker, row: Row, unique: dict[str, int] | None) -> str:
    """Return why a row is not to be called, looked at by itself. Args: unique, rows before it by line."""
    if row.problem:
        return row.problem
    try:
        maker.check(row.cells)
    except ValueError as error:
        return str(error)[:300]
    line = row.line if unique is None else unique.setdefault(maker.uniques([row.cells])[0], row.line)
    return "" if line == row.line else f"line {line} has the same values of the recipe's unique columns"


def rejected_one_by_one(
    maker: CallMaker, rows: Sequence[Row], unique: list[str]
) -> Iterator[tuple[int, int, str]]:
    """Yield row, line and reason of each row that is not to be called."""
    seen: dict[str, int] | None = {} if unique else None
    for row in rows:
        if problem := problem_of(maker, row, seen):
            yield row.row, row.line, problem


@given(TABLES, REQUIRED, COLUMNS, UNIQUE, PIECES)
@examples(500)
def test_the_same_rows_are_rejected(table, a: Column, b: Column, unique: list[str], piece: int):
    """By the same reasons, in blocks of a few as one by one."""
    text, maker = csv_of(table), CallMaker("r", recipe_of(a, b, unique), HEADER)
    rows = [row for block in read_blocks("f", opened(text), LAYOUT) for row in block.rows()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_PIECE_BYTES", piece)
        checked = Checked("f", opened(text), LAYOUT, maker)
        found = checked.rejects(1000, unique=bool(unique))
    assert [each[:3] for each in found] == list(rejected_one_by_one(maker, rows, unique))
    lines_of_last = rows[-1].line + sum(cell.count("\n") for cell in rows[-1].cells) if rows else 0
    assert (checked.rows, checked.end) == (len(rows), lines_of_last)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6), REQUIRED, COLUMNS, UNIQUE)
@examples(300)
def test_calls_and_keys_are_the_same_many_at_once(table, a: Column, b: Column, unique: list[str]):
    """Each row makes the request that it makes alone; rows that are not the same have other keys."""
    maker = CallMaker("r", recipe_of(a, b, unique), HEADER, "sha")
    good = [cells for cells in table if maker.fit([cells])]
    numbers = range(5, 5 + len(good))
    alone = [
        call for number, cells in zip(numbers, good, strict=True) for call in maker.calls([number], [cells])
    ]
    assert maker.calls(numbers, good) == alone
    assert maker.keys(numbers, good) == [key for _, key in alone]
    same = maker.uniques(good) if unique else numbers
    requests = [(each, call) for each, (call, _) in zip(same, alone, strict=True)]
    assert len({key for _, key in alone}) == len(set(requests))


PINNED = """
method = "POST"
path = "/users/{a}/x"
%s
[columns]
a = {}
i = { type = "integer" }
n = { type = "number" }
b = { type = "boolean" }
d = { type = "date", required = false }
c = { type = "choice", choices = ["x", "y%%"] }
[query]
q = "{d}"
fixed = true
n = "{n}"
[body]
a = "{a}"
"k %%s" = [1, 1.5, "100 %%", { i = "{i}", n = "{n}", b = "{b}", d = "{d}", c = "{c}" }]
"""
PINNED_ROWS = [
    ["пять/%s", " 7 ", "-1.50", "TRUE", "", " y% "],
    ["a", "-12", "1e5", "false", "2024-02-29", "x"],
]
PINNED_KEYS = {
    'unique = ["a", "d"]': [
        "f8358ececa65c50b842fb3067a550ccfd2ce432728d2e354ed25986d362c03bf",
        "bbbb64e14801b32daca5399b516ba961a5de7829d835e77c19a6c0dc231a6db1",
    ],
    "": [
        "f0867681b1f7be6106d72adb0ac7360e1f349c222121e102c5d1057e88d4caed",
        "e200b020b6de0a1099315ca38bf36062a604587727a696f0f03ad6745eab8cc3",
    ],
}
PINNED_ANEW = "57c944ccd1148e97"  # the last digits of each where a run sends all rows again


@pytest.mark.parametrize("salt", ["", "salt"])
@pytest.mark.parametrize("unique", PINNED_KEYS)
def test_keys_stay_what_they_were(unique: str, salt: str):
    """Rows that runs of older versions have done are known by them, and what was sent is too."""
    maker = CallMaker("t", parse_recipe("t", PINNED % unique), list("ainbdc"), "f" * 64, salt)
    ((call, _), _) = found = maker.calls([1, 2], PINNED_ROWS)
    pinned = [key[:NAMED_BY] + PINNED_ANEW if salt else key for key in PINNED_KEYS[unique]]
    assert [key for _, key in found] == pinned
    assert call.target == "/users/%D0%BF%D1%8F%D1%82%D1%8C%2F%25s/x?fixed=true&n=-1.50"
    body = '{"a":"пять/%s","k %s":[1,1.5,"100 %",{"i":7,"n":-1.50,"b":true,"d":null,"c":"y%"}]}'
    assert call.body == body.encode()
