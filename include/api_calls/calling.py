"""Rows -> the requests that a recipe makes of them: the bytes that are sent, and a key that names each.

A recipe's texts are templates for whole columns: many rows become requests at once, or one does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

import msgspec
from pydantic import JsonValue

from include.api_calls.columns import Text, as_text
from include.api_calls.recipe import Recipe, column_of

NAMED_BY = 48  # hex digits of a key that name the call; the other 16 may be of a run that sends it anew
Rows = Sequence[Sequence[str]]  # the cells of each
_LEADING_UP = frozenset((".", ".."))  # a server reads them so, encoded too
_UNRESERVED = re.compile("[A-Za-z0-9_.~-]*")  # what quote() leaves as it is


class Call(NamedTuple):
    """A request without its host. Attributes: method; target, path and query, encoded; body, JSON or None."""

    method: str
    target: str
    body: bytes | None


class _Template(NamedTuple):
    """A text with `%s` for each value of a row. Attributes: text; columns, of the values, in their order."""

    text: str
    columns: tuple[str, ...] = ()

    def filled(self, columns: Mapping[str, Sequence[Text]], rows: int) -> list[str]:
        """Return the text of each row. Args: columns: values by column."""
        if not self.columns:
            return [self.text % ()] * rows
        values = zip(*(columns[column] for column in self.columns), strict=True)
        return list(map(self.text.__mod__, values))


class CallMaker:
    """Makes calls of the rows of a file.

    Args: name, of the recipe; header, the columns of the file; file_sha256, of its bytes; salt, of a run
        that is to send all rows again.
    """

    def __init__(
        self, name: str, recipe: Recipe, header: Sequence[str], file_sha256: str = "", salt: str = ""
    ) -> None:
        self._recipe = recipe
        self._places = {column: header.index(column) for column in recipe.columns}
        self._prefix = f"{name}\0\0"
        self._file = file_sha256
        self._salt = hashlib.sha256(salt.encode()).hexdigest() if salt else ""
        self._path = _path_template(recipe.segments)
        self._query = [
            (f"{quote(key, safe='')}=", column_of(value), quote(as_text(value), safe=""))
            for key, value in recipe.query.items()
        ]
        self._body = _json_template(recipe.body) if recipe.body is not None else None

    def check(self, cells: Sequence[str]) -> None:
        """Require that a call can be made of a row. Raises: ValueError, with column and reason."""
        for column in self._recipe.columns:
            try:
                self._check(column, cells[self._places[column]])
            except ValueError as error:
                raise ValueError(f"column {ascii(column)[1:-1][:80]}: {error}") from None

    def fit(self, rows: Rows) -> bool:
        """Tell whether check() takes all rows: many times faster than to check each."""
        for column, kind in self._recipe.columns.items():
            cells = self._column(column, rows)
            if not kind.fit(cells):
                return False
            if column in self._path.columns and not _LEADING_UP.isdisjoint(kind.texts(cells)):
                return False
        return True

    def uniques(self, rows: Rows) -> list[str]:
        """Return texts that are the same for rows that are the same; the recipe must have `unique`."""
        columns = [self._texts(column, rows) for column in self._recipe.unique]
        distinct = [["" if text is None else f"={text}" for text in texts] for texts in columns]
        return list(map("\0".join, zip(*distinct, strict=True)))

    def calls(self, numbers: Sequence[int], rows: Rows) -> list[tuple[Call, str]]:
        """Return the calls of rows that were checked, each with its key. Args: numbers, of the rows."""
        targets, bodies = self._requests(rows)
        keys = self._keys(numbers, rows, targets, bodies)
        sent = map(str.encode, bodies) if self._body else [None] * len(rows)
        calls = (Call(self._recipe.method, *each) for each in zip(targets, sent, strict=True))
        return list(zip(calls, keys, strict=True))

    def keys(self, numbers: Sequence[int], rows: Rows) -> list[str]:
        """Return the sha256 that names each call: of the recipe, what makes the row, and what is sent.

        A salt is in its last digits: so the API takes it for another call, and later runs know which one.
        """
        return self._keys(numbers, rows, *self._requests(rows))

    def _check(self, column: str, cell: str) -> None:
        kind = self._recipe.columns[column]
        kind.check(cell)
        if column in self._path.columns and (text := kind.texts([cell])[0]) in _LEADING_UP:
            raise ValueError(f"{text!r} is no segment of a path")

    def _keys(
        self, numbers: Sequence[int], rows: Rows, targets: Sequence[str], bodies: Sequence[str]
    ) -> list[str]:
        unique, method = bool(self._recipe.unique), self._recipe.method
        which = self.uniques(rows) if unique else [f"{self._file}\0{number}" for number in numbers]
        texts = (
            f"{self._prefix}{row}\0{method} {target}\0{body}"
            for row, target, body in zip(which, targets, bodies, strict=True)
        )
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        return [key[:NAMED_BY] + self._salt[NAMED_BY:] for key in keys] if self._salt else keys

    def _requests(self, rows: Rows) -> tuple[list[str], list[str]]:
        """Return target and body of each row, "" without one."""
        queried = [column for _, column, _ in self._query if column is not None]
        sent = {*self._path.columns, *queried, *(self._body.columns if self._body else ())}
        texts = {column: self._texts(column, rows) for column in sent}
        quoted = {column: _quoted(texts[column]) for column in (*self._path.columns, *queried)}
        targets = self._path.filled(quoted, len(rows))
        if self._query:
            targets = list(map("".join, zip(targets, self._queries(quoted, len(rows)), strict=True)))
        if not self._body:
            return targets, [""] * len(rows)
        kinds = self._recipe.columns
        json = {column: kinds[column].json_texts(texts[column]) for column in self._body.columns}
        return targets, self._body.filled(json, len(rows))

    def _queries(self, quoted: Mapping[str, Sequence[Text]], rows: int) -> list[str]:
        """Return the query of each row with its question mark, "" where it has none."""
        pairs = [
            [f"{name}{text}"] * rows
            if column is None
            else [value and f"{name}{value}" for value in quoted[column]]
            for name, column, text in self._query
        ]
        joined = ("&".join(filter(None, row)) for row in zip(*pairs, strict=True))
        return [query and f"?{query}" for query in joined]

    def _texts(self, column: str, rows: Rows) -> Sequence[Text]:
        return self._recipe.columns[column].texts(self._column(column, rows))

    def _column(self, column: str, rows: Rows) -> list[str]:
        place = self._places[column]
        return [cells[place] for cells in rows]


def _quoted(texts: Sequence[Text]) -> Sequence[Text]:
    if _UNRESERVED.fullmatch("".join(filter(None, texts))):
        return texts
    return [text and quote(text, safe="") for text in texts]


def _path_template(segments: Sequence[str]) -> _Template:
    columns = {segment: column for segment in segments if (column := column_of(segment)) is not None}
    texts = ["%s" if segment in columns else segment.replace("%", "%%") for segment in segments]
    return _Template(
        "".join(f"/{text}" for text in texts),
        tuple(columns[segment] for segment in segments if segment in columns),
    )


def _json_template(node: JsonValue) -> _Template:
    """Return the JSON of the body."""
    if (column := column_of(node)) is not None:
        return _Template("%s", (column,))
    if isinstance(node, dict):
        parts = [(f"{_json(name)}:", _json_template(value)) for name, value in node.items()]
        return _joined("{", parts, "}")
    if isinstance(node, list):
        return _joined("[", [("", _json_template(item)) for item in node], "]")
    return _Template(_json(node))


def _joined(begin: str, parts: Sequence[tuple[str, _Template]], end: str) -> _Template:
    text = ",".join(f"{name}{part.text}" for name, part in parts)
    return _Template(f"{begin}{text}{end}", tuple(column for _, part in parts for column in part.columns))


def _json(node: JsonValue) -> str:
    return msgspec.json.encode(node).decode().replace("%", "%%")
