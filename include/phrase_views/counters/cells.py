"""A cell of a file of counters -> the value of its column, or words that say why it is none.

Taken is what common tools write, where it has one meaning. All functions raise ValueError, whose text names
the column, the value and what is taken.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from include.text import safe_repr

MAX_PHRASE = 1_000  # characters
INT32 = 2**31 - 1
_DT_END = int(datetime(2106, 1, 1, tzinfo=UTC).timestamp())
# pandas writes the whole numbers of a column with empty cells as 5.0.
_WHOLE = re.compile(r"([0-9]+)(?:\.0+)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # would break the report's tab-separated lines
_DT = re.compile(
    "([0-9]{4}-[0-9]{2}-[0-9]{2})[ Tt]([0-9]{2}:[0-9]{2})"  # spreadsheets leave seconds out that are 0
    "(?:(:[0-9]{2})(?:[.,][0-9]{1,9})?)?"  # log4j, as ISO 8601, has a comma
    r"(?: ?(?:[Zz]|UTC|GMT|\+0000 UTC|(?:Z|\+00:00)\[UTC\]"  # Go; Java and JavaScript's Temporal
    "|([+-][0-9]{2}(?::?[0-9]{2})?)))?"
)
_LARGEST_OFFSET = "1400"  # hours and minutes, of Kiribati; others are errors of typing
_AS_DT = "2026-08-20 11:50:00, 2026-08-20T11:50Z or 2026-08-20 13:50:00.5 +0200"


def read_campaign(value: object) -> int:
    """Return the number of a campaign."""
    return _read_whole("campaign_id", value, 1)


def read_views(value: object) -> int:
    """Return the views of a counter."""
    return _read_whole("views", value, 0)


def read_phrase(value: object) -> str:
    """Return a phrase. An empty one is none: a CSV, and systems without NULL, write so what is missing."""
    if not isinstance(value, str):
        problem = f"{safe_repr(value)} is no text"
    elif not value:
        problem = "it is empty, as many systems write one that is missing"
    elif not value.strip():
        problem = f"{safe_repr(value)} is blank"
    elif len(value) > MAX_PHRASE:
        problem = f"{safe_repr(value)} has {len(value)} characters"
    elif found := _CONTROL.search(value):
        problem = f"{safe_repr(value)} has the control character U+{ord(found[0]):04X}"
    else:
        return value
    raise ValueError(f"phrase: {problem}; taken are 1 to {MAX_PHRASE} characters, no control characters")


def read_dt(value: object) -> int:
    """Return the instant in seconds since 1970, cut to the second; without a zone it is UTC."""
    found = _DT.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"dt: {safe_repr(value)} is no date and time such as {_AS_DT}")
    date, minutes, seconds, offset = found.groups(default="")
    in_digits = offset[1:].replace(":", "").ljust(4, "0")
    if in_digits > _LARGEST_OFFSET or in_digits[2:] > "59":
        raise ValueError(f"dt: {safe_repr(value)} has the offset {offset}; taken are -14:00 to +14:00")
    try:
        moment = datetime.fromisoformat(f"{date} {minutes}{seconds or ':00'}{offset or 'Z'}")
    except ValueError as error:
        raise ValueError(f"dt: {safe_repr(value)} does not exist: {error}") from None
    instant = int(moment.timestamp())
    if not 0 <= instant < _DT_END:
        raise ValueError(f"dt: {safe_repr(value)} is not from 1970 to 2105")
    return instant


def _read_whole(column: str, value: object, least: int) -> int:
    number = -1
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str | float) and (found := _WHOLE.fullmatch(str(value))):
        number = int(found[1].lstrip("0")[:11] or 0)  # 11 digits are too many, and int() reads 4,300 at most
    if number > INT32:
        problem = f"is above {INT32}, the largest number that the column holds (Int32)"
    elif number < least:
        problem = f"is no whole number from {least} to {INT32}"
    else:
        return number
    raise ValueError(f"{column}: {safe_repr(value)} {problem}")
