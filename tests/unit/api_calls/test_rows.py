"""The rows of a file: cells kept exactly, rows numbered, what cannot be read told by its line."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.api_calls.json_rows import MAX_CELL
from include.api_calls.layout import is_encoding, read_layout
from include.api_calls.rows import read_blocks
from include.api_calls.texts import MAX_LINE
from include.inbox.errors import ImportFileError


def layout_of(data: bytes, **options):
    """Return the layout of a file."""
    options = {"form": "auto", "encoding": "utf-8", "delimiter": "auto", "columns": ["a"], **options}
    return read_layout("file.csv", lambda: io.BufferedReader(io.BytesIO(data)), **options)


def rows_of(data: bytes, **options):
    """Return the rows of a file."""
    layout = layout_of(data, **options)
    blocks = read_blocks("file.csv", lambda: io.BufferedReader(io.BytesIO(data)), layout)
    return [row for block in blocks for row in block.rows()]


def test_rows_have_the_number_of_the_line_where_they_begin():
    """The header is line 1; blank lines, and lines inside a cell, count."""
    rows = rows_of(b'a,b\r\n1,x\r\n\r\n"2\r\n2",y\r\n3,z')
    assert [(row.row, row.line, row.cells) for row in rows] == [
        (1, 2, ["1", "x"]),
        (2, 4, ["2\r\n2", "y"]),
        (3, 6, ["3", "z"]),
    ]


def test_cells_are_kept_exactly():
    """Blanks, zeros and quotes; only names of the header are trimmed."""
    layout = layout_of(b" a , b\n")
    assert layout.header == ["a", "b"]
    (row,) = rows_of(b'a,b\n 007 ,"say ""hi"""\n')
    assert row.cells == [" 007 ", 'say "hi"']


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b,c\n1;2\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("x|a\n1|2\n", "|"),
        ("a\n1\n", ","),
    ],
)
def test_the_delimiter_is_that_of_the_header(text: str, delimiter: str):
    """The one that finds the recipe's columns, then the one that makes most columns."""
    assert layout_of(text.encode()).delimiter == delimiter


def test_a_delimiter_that_is_named_counts():
    """Also where another one would fit."""
    assert layout_of(b"a;b,a\n", delimiter=",").header == ["a;b", "a"]


@pytest.mark.parametrize(
    "data",
    [
        "\ufeffa,b\nя,2\n".encode(),
        "a,b\nя,2\n".encode("utf-16"),
        b"\xfe\xff" + "a,b\nя,2\n".encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-16 little", "utf-16 big"],
)
def test_a_byte_order_mark_decides(data: bytes):
    """Whatever encoding is named."""
    assert rows_of(data, encoding="cp1251")[0].cells == ["я", "2"]


def test_an_encoding_that_is_named():
    """Without a mark it is what counts."""
    assert rows_of("a\nя\n".encode("cp1251"), encoding="cp1251")[0].cells == ["я"]
    assert [is_encoding(name) for name in ("latin-1", "UTF8", "hex", "utf-7", "nonsense", "a\0b")] == [
        *(True, True),
        *(False, False, False, False),
    ]


def test_rows_of_another_width_are_told():
    """Row by row."""
    rows = rows_of(b"a,b\n1\n1,2\n1,2,3\n")
    assert [row.problem for row in rows] == [
        "it has 1 cells, the header has 2",
        "",
        "it has 3 cells, the header has 2",
    ]


BAD = [
    (b"", "empty"),
    (b"\n1,2\n", "blank"),
    (b"b,c\n1,2\n", "'a' is not in the header"),
    (b"a,b,a\n1,2,3\n", "'a' twice"),
    (b"a,,\n1,2,3\n", "several columns without a name"),
    ("a,b\n1,x\n2,я\n".encode("cp1251"), "line 3: no text in utf-8"),
    (b'a,b\n1,2\n\n3,"open\n4,5\n', "line 4"),
    (b'a,b\n1,"x"y\n', "line 2"),
    (b"a,b\n1,x\0y\n", "line 2: it has a NUL"),
    (b"a,b\n1," + b"x" * (MAX_CELL + 1) + b"\n", "line 2"),
    (b"a,b\n1," + b"x" * (MAX_LINE + 1), "line 2: longer than"),
    (b"PK\x03\x04\0\0\0\0", "NUL"),
    (b"{}\n", "blank"),
    (b"{\n", "line 1 is no JSON object"),
    (b'{"b": 1}\n', "'a' is not in the header"),
    (b'{"a": 1, "\\ud800": 2}\n', "line 1"),
    (b'{"a": 1, "b\\u0000": 2}\n', "line 1"),
]


@pytest.mark.parametrize(("data", "told"), BAD, ids=lambda value: str(value)[:40])
def test_a_file_that_cannot_be_read(data: bytes, told: str):
    """Is refused in one line, which says where."""
    with pytest.raises(ImportFileError) as caught:
        rows_of(data)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


def test_rows_of_json():
    """The names of the first one are the columns; numbers keep their digits; a row that is wrong says so."""
    lines = [
        '{"a": 1.10, "b": "x"}',
        "",
        '{"b": true, "a": null}',
        '{"a": "y"}',
        '{"a": 1, "c": 2}',
        '{"a": 1, "a": 2}',
        '{"a": [1]}',
        '{"a": "\\ud83d"}',
        "nonsense",
        '{"a": NaN}',
    ]
    rows = rows_of("\n".join(lines).encode())
    assert [(row.row, row.line) for row in rows] == [(1, 1), *((at, at + 1) for at in range(2, 10))]
    assert [list(row.cells) for row in rows[:3]] == [["1.10", "x"], ["", "true"], ["y", ""]]
    assert [bool(row.problem) for row in rows] == [False] * 3 + [True] * 6


@given(
    st.lists(
        st.tuples(*[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))] * 2),
        min_size=1,
    )
)
def test_any_cells_come_back(table):
    """What a CSV was made of is what is read."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerows([("a", "b"), *table])
    assert [tuple(row.cells) for row in rows_of(text.getvalue().encode(), delimiter=",")] == table
    lines = "\n".join(json.dumps({"a": a, "b": b}) for a, b in table)
    assert [tuple(row.cells) for row in rows_of(lines.encode())] == table
