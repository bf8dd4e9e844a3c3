"""A line of NDJSON -> its cells: texts, with the digits of numbers as they stand there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from include.text import safe_repr

MAX_CELL = 131_072  # characters: what Python's csv reads


class _Pairs(list[tuple[str, Any]]):
    """The names and values of a JSON object, as they stand there."""


def json_cells(line: str, header: Sequence[str]) -> list[str]:
    """Return the cells of a row, "" where it does not name a column. Raises: ValueError, with the reason."""
    pairs = [(name.strip(), value) for name, value in json_pairs(line)]
    cells = {name: _cell(name, value) for name, value in pairs}
    if len(cells) < len(pairs):
        raise ValueError("a name stands there twice")
    if stray := cells.keys() - header:
        raise ValueError(f"the first row has no {safe_repr(min(stray))}")
    return [cells.get(name, "") for name in header]


def json_pairs(line: str) -> list[tuple[str, Any]]:
    """Return names and values of an object; numbers are texts. Raises: ValueError, with the reason."""
    try:
        pairs = json.loads(
            line, parse_int=str, parse_float=str, parse_constant=_refuse, object_pairs_hook=_Pairs
        )
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(pairs, _Pairs):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - a reason like any
    return pairs


def _refuse(text: str) -> str:
    raise ValueError(f"{text} is no number of JSON")


def _cell(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{safe_repr(name)} is neither a text nor a number, true, false or null")  # noqa: TRY004
    if "\0" in value or len(value) > MAX_CELL:
        raise ValueError(f"{safe_repr(name)} has a NUL, or more than {MAX_CELL} characters")
    value.encode()  # half a surrogate pair cannot be sent
    return value
