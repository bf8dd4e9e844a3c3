"""A row -> the request that a recipe makes of it: the bytes that are sent, and a key that names it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

import msgspec
from pydantic import JsonValue

from include.api_calls.columns import Value, as_text
from include.api_calls.recipe import Recipe, column_of

NAMED_BY = 48  # hex digits of a key that name the call; the other 16 may be of a run that sends it anew


class Call(NamedTuple):
    """A request without its host. Attributes: method; target, path and query, encoded; body, JSON or None."""

    method: str
    target: str
    body: bytes | None


class CallMaker:
    """Makes calls of the rows of a file.

    Args: name, of the recipe; header, the columns of the file; file_sha256, of its bytes; salt, of a run
        that is to send all rows again.
    """

    def __init__(
        self, name: str, recipe: Recipe, header: Sequence[str], file_sha256: str = "", salt: str = ""
    ) -> None:
        self._recipe = recipe
        self._cells = [
            (column, header.index(column), kind.reader()) for column, kind in recipe.columns.items()
        ]
        self._prefix = f"{name}\0\0"
        self._file = file_sha256
        self._salt = hashlib.sha256(salt.encode()).hexdigest() if salt else ""
        self._segments = [(column_of(segment), segment) for segment in recipe.segments]
        self._path_columns = [column for column, _ in self._segments if column is not None]
        self._query = [
            (quote(key, safe=""), column_of(value), value if isinstance(value, str) else as_text(value))
            for key, value in recipe.query.items()
        ]
        self._body = _filler(recipe.body) if recipe.body is not None else None

    def values(self, cells: Sequence[str]) -> dict[str, Value]:
        """Return the typed values of a row by column. Raises: ValueError, with column and reason."""
        values: dict[str, Value] = {}
        column = ""
        try:
            for column, place, read in self._cells:
                values[column] = read(cells[place])
        except ValueError as error:
            raise ValueError(f"column {ascii(column)[1:-1][:80]}: {error}") from None
        return values

    def check(self, cells: Sequence[str]) -> dict[str, Value]:
        """Return the values of a row of which a call can be made. Raises: ValueError."""
        values = self.values(cells)
        for column in self._path_columns:
            if values[column] in (".", ".."):
                raise ValueError(
                    f"column {ascii(column)[1:-1][:80]}: {values[column]!r} is no segment of a path"
                )
        return values

    def all_fit(self, rows: Sequence[Sequence[str]]) -> bool:
        """Tell whether calls can be made of all these rows: many times faster than to check each."""
        try:
            for column, place, read in self._cells:
                values = [read(cells[place]) for cells in rows]
                if column in self._path_columns and not {".", ".."}.isdisjoint(values):
                    return False
        except ValueError:
            return False
        return True

    def unique(self, values: Mapping[str, Value]) -> str:
        """Return a text that is the same for rows that are the same; the recipe must have `unique`."""
        return "\0".join(_distinct(values[column]) for column in self._recipe.unique)

    def call(self, values: Mapping[str, Value]) -> Call:
        """Return the call of a row that was checked."""
        path = self._recipe.path
        if self._path_columns:
            path = "".join(
                f"/{quote(as_text(values[column]), safe='') if column is not None else segment}"
                for column, segment in self._segments
            )
        pairs = [
            f"{name}={quote(as_text(values[column]) if column is not None else text, safe='')}"
            for name, column, text in self._query
            if column is None or values[column] is not None
        ]
        body = msgspec.json.encode(self._body(values)) if self._body else None
        return Call(self._recipe.method, f"{path}?{'&'.join(pairs)}" if pairs else path, body)

    def key(self, row: int, values: Mapping[str, Value], call: Call) -> str:
        """Return the sha256 that names a call: of the recipe, what makes the row, and what is sent.

        A salt is in its last digits: so the API takes it for another call, and later runs know which one.
        """
        which = self.unique(values) if self._recipe.unique else f"{self._file}\0{row}"
        text = f"{self._prefix}{which}\0{call.method} {call.target}\0"
        key = hashlib.sha256(text.encode() + (call.body or b"")).hexdigest()
        return key[:NAMED_BY] + self._salt[NAMED_BY:] if self._salt else key


def _distinct(value: Value) -> str:
    return "" if value is None else f"={as_text(value)}"


def _filler(node: JsonValue) -> Callable[[Mapping[str, Value]], object]:
    """Return what makes the body: the node with the values in it."""
    column = column_of(node)
    if column is not None:
        return lambda values: values[column]
    if isinstance(node, dict):
        fields = [(name, _filler(value)) for name, value in node.items()]
        return lambda values: {name: fill(values) for name, fill in fields}
    if isinstance(node, list):
        items = [_filler(value) for value in node]
        return lambda values: [fill(values) for fill in items]
    return lambda _: node
