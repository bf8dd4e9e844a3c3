r"""How a value of each kind of column is written in a part that has the form of text, and read back.

NULL is `\N`, text has the escapes of COPY, all else is a number or a UUID: days and seconds since 1970, and
of a float its bits as a signed number, as each engine and Postgres can make and take them. There is one way
to write a value, so a line whose values are read and written again is the same line, or the line is wrong.
Source: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, TypeAdapter, ValidationError

from include.staging.column_kinds import COLUMN_KINDS, without_null
from include.text import first_problem, safe_repr

NULL = r"\N"
ESCAPES = {"\\": r"\\", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}
_ESCAPED = re.compile(f"[{re.escape(''.join(ESCAPES))}]")
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_MEANT = {written[1]: meant for meant, written in ESCAPES.items()}
_DAY_0 = date(1970, 1, 1).toordinal()


def texts(kind: str, values: Iterable[Any]) -> list[str]:
    """Return a column of checked values as it is written."""
    if kind == "String":
        column = list(values)
        together = "".join(column)  # most columns have nothing to escape: looked at once, not value by value
        return list(map(_escaped, column)) if any(each in together for each in ESCAPES) else column
    write = _WRITTEN.get(without_null(kind), str)
    if kind.startswith("Nullable("):
        return [NULL if value is None else write(value) for value in values]
    return list(map(write, values))


def value_of(kind: str, text: str) -> Any:
    """Return the value that a text means.

    Raises: ValueError, whose text is the reason, for what does not fit the column, or is not as it is
        written.
    """
    if kind.startswith("Nullable(") and text == NULL:
        return None
    try:
        value = _adapter(kind).validate_python(_READ.get(without_null(kind), int)(text))
    except ValidationError as error:
        raise ValueError(first_problem(error)) from None
    except (OverflowError, OSError, struct.error):  # the first two are of instants
        raise ValueError("out of range") from None
    if (as_written := texts(kind, [value])[0]) != text:
        raise ValueError(f"not as a {kind} is written, which is {safe_repr(as_written)}")
    return value


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(COLUMN_KINDS[kind].checked, config=ConfigDict(strict=True))


def _escaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: ESCAPES[found[0]], text) if _ESCAPED.search(text) else text


def _unescaped(text: str) -> str:
    if text == NULL:
        raise ValueError("it is NULL, which the column cannot be")
    return _ESCAPE.sub(_meant, text) if "\\" in text else text


def _meant(escape: re.Match[str]) -> str:
    if escape[1] not in _MEANT:
        raise ValueError(f"{escape[0]!r} is no escape of COPY")
    return _MEANT[escape[1]]


def _bits(number: float) -> str:
    (bits,) = struct.unpack("<q", struct.pack("<d", number))
    return str(bits)


def _of_bits(text: str) -> float:
    (number,) = struct.unpack("<d", struct.pack("<q", int(text)))
    return float(number)


_WRITTEN: dict[str, Callable[[Any], str]] = {
    "Date": lambda day: str(day.toordinal() - _DAY_0),
    "DateTime('UTC')": lambda moment: str(int(moment.timestamp())),
    "String": _escaped,
    "Float64": _bits,
}
_READ: dict[str, Callable[[str], Any]] = {
    "Date": lambda text: date.fromordinal(int(text) + _DAY_0),
    "DateTime('UTC')": lambda text: datetime.fromtimestamp(int(text), UTC),
    "String": _unescaped,
    "UUID": UUID,
    "Float64": _of_bits,
}
