"""Types of columns: the cells that each allows, and the value of a cell."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Literal, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from include.text import safe_repr

Kind = Literal["text", "integer", "number", "boolean", "date", "choice"]
Value = str | int | bool | msgspec.Raw | None  # a number goes on as it is written: Raw

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 40
_SHORT = 19  # digits of which each number has less than 64 bits, and one more
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


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

    def reader(self) -> Callable[[str], Value]:
        """Return what makes a value of a cell; it raises ValueError with the reason."""
        required = self.required
        if self.type == "text" and self.max_length is None and self.pattern is None:
            read: Callable[[str], Value] = str
        elif self.type == "text":
            read = self._text()
        else:
            read = {"integer": _integer, "number": _number, "boolean": _boolean, "date": _date}.get(
                self.type, self._choice()
            )
        strip = self.type != "text"

        def value(cell: str) -> Value:
            if strip:
                cell = cell.strip()
            if cell:
                return read(cell)
            if required:
                raise ValueError("is empty")
            return None

        return value

    def _text(self) -> Callable[[str], Value]:
        longest, pattern = self.max_length, re.compile(self.pattern) if self.pattern is not None else None

        def text(cell: str) -> Value:
            if longest is not None and len(cell) > longest:
                raise ValueError(f"has {len(cell)} characters, at most {longest} are allowed")
            if pattern is not None and not pattern.fullmatch(cell):
                raise ValueError(f"{safe_repr(cell)} does not match {safe_repr(pattern.pattern)}")
            return cell

        return text

    def _choice(self) -> Callable[[str], Value]:
        choices = frozenset(self.choices)

        def choice(cell: str) -> Value:
            if cell not in choices:
                raise ValueError(f"{safe_repr(cell)} is none of {safe_repr(sorted(choices))}")
            return cell

        return choice


def as_text(value: Value) -> str:
    """Return a value as it stands in a path or a query."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else str(value)


def _integer(cell: str) -> Value:
    if len(cell) < _SHORT and cell.isascii() and cell.isdigit() and cell[0] != "0":  # most of them
        return int(cell)
    if not _INTEGER.fullmatch(cell) or not -(2**63) <= int(cell) < 2**63:
        raise ValueError(
            f"{safe_repr(cell)} is no integer of 64 bits, digits without leading zeros (text keeps them)"
        )
    return int(cell)


def _number(cell: str) -> Value:
    if len(cell) > _LONGEST_NUMBER or not _NUMBER.fullmatch(cell):
        raise ValueError(f"{safe_repr(cell)} is no number such as -12.50")
    return msgspec.Raw(cell.encode())


def _boolean(cell: str) -> Value:
    if (word := cell.lower()) not in ("true", "false"):
        raise ValueError(f"{safe_repr(cell)} is neither true nor false")
    return word == "true"


def _date(cell: str) -> Value:
    try:
        if _DATE.fullmatch(cell):
            date.fromisoformat(cell)
            return cell
    except ValueError:
        pass
    raise ValueError(f"{safe_repr(cell)} is no date YYYY-MM-DD")
