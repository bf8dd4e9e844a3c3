"""What the cells of a column may hold, one by one and many at once, and how they stand in a request."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import cached_property
from typing import Literal, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from include.text import safe_repr

Kind = Literal["text", "integer", "number", "boolean", "date", "choice"]
Text = str | None  # of a cell; None where it is empty

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_SHORT_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}+")  # each has less than 64 bits
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_NUMBER = 40
_UNQUOTED = ("integer", "number", "boolean")
_JSON = msgspec.json.Encoder()


class Column(BaseModel):
    """A column of the file that a recipe names.

    Attributes: type; required, an empty cell is refused; max_length, in characters, and pattern, which the
    whole must match, of a text; choices, of a choice.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    type: Kind = "text"
    required: bool = True
    max_length: int | None = Field(default=None, ge=1)
    pattern: str | None = None
    choices: list[str] = []

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.type != "text" and (self.max_length is not None or self.pattern is not None):
            raise ValueError("max_length and pattern are for type text")
        if (self.type == "choice") != bool(self.choices):
            raise ValueError('choices = ["...", "..."] belongs to type choice, and type choice needs it')
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"pattern is no regular expression: {error}") from None
        return self

    def check(self, cell: str) -> None:
        """Require that a cell fits. Raises: ValueError, with the reason."""
        if text := cell if self.type == "text" else cell.strip():
            self._check(text)
        elif self.required:
            raise ValueError("is empty")

    def fit(self, cells: Sequence[str]) -> bool:
        """Tell whether check() takes all cells: many times faster than to check each."""
        return self._all_fit(cells) or (self.type != "text" and self._all_fit(list(map(str.strip, cells))))

    def texts(self, cells: Sequence[str]) -> Sequence[Text]:
        """Return cells that fit as they stand in a path or a query."""
        if self.type != "text":
            cells = list(map(str.strip, cells))
        if self.type == "boolean":
            cells = list(map(str.lower, cells))
        return cells if all(cells) else [cell or None for cell in cells]

    def json_texts(self, texts: Sequence[Text]) -> Sequence[str]:
        """Return the texts of cells as they stand in JSON; a number goes on as it is written."""
        if self.type not in _UNQUOTED:
            return _JSON.encode_lines(texts).decode().split("\n")[:-1]
        return [text or "null" for text in texts]

    def _all_fit(self, cells: Sequence[str]) -> bool:
        if not all(cells):
            if self.required:
                return False
            cells = list(filter(None, cells))
        return not cells or self._fit(cells)

    @cached_property
    def _check(self) -> Callable[[str], None]:
        """What requires that a cell fits that is not empty."""
        of_type: dict[str, Callable[[str], None]] = {
            "text": self._check_text,
            "choice": self._check_choice,
            "integer": _check_integer,
            "number": _check_number,
            "boolean": _check_boolean,
            "date": _check_date,
        }
        return of_type[self.type]

    @cached_property
    def _fit(self) -> Callable[[Sequence[str]], bool]:
        """What tells whether all cells fit, none of them empty."""
        of_type: dict[str, Callable[[Sequence[str]], bool]] = {
            "text": self._texts_fit,
            "choice": frozenset(self.choices).issuperset,
            "integer": _integers_fit,
            "number": _numbers_fit,
            "boolean": lambda cells: {*map(str.lower, cells)} <= {"true", "false"},
            "date": _dates_fit,
        }
        return of_type[self.type]

    def _check_text(self, cell: str) -> None:
        longest = self.max_length
        if longest is not None and len(cell) > longest:
            raise ValueError(f"has {len(cell)} characters, at most {longest} are allowed")
        if self.pattern is not None and not re.fullmatch(self.pattern, cell):
            raise ValueError(f"{safe_repr(cell)} does not match {safe_repr(self.pattern)}")

    def _texts_fit(self, cells: Sequence[str]) -> bool:
        if self.max_length is not None and max(map(len, cells)) > self.max_length:
            return False
        return self.pattern is None or all(map(re.compile(self.pattern).fullmatch, cells))

    def _check_choice(self, cell: str) -> None:
        if cell not in self.choices:
            raise ValueError(f"{safe_repr(cell)} is none of {safe_repr(sorted(set(self.choices)))}")


def as_text(value: str | int | bool) -> str:
    """Return a value of a recipe as it stands in a query."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _check_integer(cell: str) -> None:
    if not _INTEGER.fullmatch(cell) or not -(2**63) <= int(cell) < 2**63:
        raise ValueError(
            f"{safe_repr(cell)} is no integer of 64 bits, digits without leading zeros (text keeps them)"
        )


def _integers_fit(cells: Sequence[str]) -> bool:
    return _all_match(_SHORT_INTEGERS, cells) or (
        _all_match(_INTEGERS, cells) and all(-(2**63) <= number < 2**63 for number in map(int, cells))
    )


def _check_number(cell: str) -> None:
    if len(cell) > _LONGEST_NUMBER or not _NUMBER.fullmatch(cell):
        raise ValueError(f"{safe_repr(cell)} is no number such as -12.50")


def _numbers_fit(cells: Sequence[str]) -> bool:
    return max(map(len, cells)) <= _LONGEST_NUMBER and _all_match(_NUMBERS, cells)


def _check_boolean(cell: str) -> None:
    if cell.lower() not in ("true", "false"):
        raise ValueError(f"{safe_repr(cell)} is neither true nor false")


def _check_date(cell: str) -> None:
    if not _dates_fit([cell]):
        raise ValueError(f"{safe_repr(cell)} is no date YYYY-MM-DD")


def _dates_fit(cells: Sequence[str]) -> bool:
    if not _all_match(_DATES, cells):
        return False
    try:
        return all(map(date.fromisoformat, {*cells}))
    except ValueError:
        return False


def _all_match(lines: re.Pattern[str], cells: Sequence[str]) -> bool:
    """Tell whether each cell is a line of what `lines` matches: one search is faster than one for each."""
    text = "\n".join(cells)
    return text.count("\n") == len(cells) - 1 and bool(lines.fullmatch(text))


def _lines_of(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """Return what matches lines that the pattern matches; what it has found it does not look at again."""
    return re.compile(rf"(?:(?:{pattern.pattern})(?:\n|\Z))*+")


_SHORT_INTEGERS, _INTEGERS = _lines_of(_SHORT_INTEGER), _lines_of(_INTEGER)
_NUMBERS, _DATES = _lines_of(_NUMBER), _lines_of(_DATE)
