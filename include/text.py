"""Text from outside: shown in an error, on one line and cut; made safe to keep; searched for secrets."""

from __future__ import annotations

import json
import re
import reprlib
from base64 import b64encode, urlsafe_b64encode
from html import escape
from itertools import product
from urllib.parse import quote, quote_plus

from pydantic import ValidationError

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
SHOWN = 80  # characters

# Python's own repr() ends in a RecursionError where lists are nested deep enough, and writes megabytes first.
_REPR = reprlib.Repr()
_REPR.maxlevel = _REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = _REPR.maxset = SHOWN
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = 2 * SHOWN


def safe_repr(value: object) -> str:
    """Return a value for an error: on one line, cut."""
    try:
        text = ascii(value[: SHOWN + 1]) if isinstance(value, str) else _REPR.repr(value)
    except ValueError:  # a number of more than 4,300 digits
        text = f"a {type(value).__name__} too long to show"
    return text if len(text) <= SHOWN else text[:SHOWN] + "... (cut)"


def duration(seconds: float) -> str:
    """Return a time in its two largest units: 3 s, 12 min 5 s, 1 h 30 min, 2 d 3 h; at least 0 s."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join([f"{number}\xa0{unit}" for number, unit in parts if number][:2]) or "0\xa0s"


def first_problem(error: ValidationError) -> str:
    """Return the first thing that pydantic found: the field, what is wrong with it, and the value."""
    problem = error.errors(include_url=False, include_context=False)[0]
    # A name of a field may be from outside too: the key of an object.
    names = (ascii(name)[1:-1][:SHOWN] if isinstance(name, str) else str(name) for name in problem["loc"])
    field = ".".join(names)
    said = f"{problem['msg']}, got {safe_repr(problem['input'])}"
    return f"{field}: {said}" if field else said


def clean_text(text: str) -> str:
    r"""Return `text` without NUL and with lone surrogates replaced by U+FFFD; all else stays.

    A lone surrogate ("\ud83d" is legal JSON) cannot be encoded as UTF-8 and would fail the insert.
    NUL separates the columns of a row where its checksum is taken (row_checksum).
    """
    return _LONE_SURROGATE.sub("\ufffd", text.replace("\0", ""))


def text_of(value: str | bytes) -> str:
    """Return what the driver read of a String: as text, or as bytes where it is no UTF-8.

    Each byte that is no UTF-8 becomes half of a surrogate pair (PEP 383), so that bytes_of() gives all back.
    """
    return value if isinstance(value, str) else value.decode(errors="surrogateescape")


def bytes_of(text: str) -> bytes:
    """Return a text as UTF-8, with the bytes that text_of() found to be none as they were."""
    return text.encode(errors="surrogateescape")


def shown_text(text: str) -> str:
    r"""Return a text for people: bytes that are no UTF-8 as \xff."""
    return bytes_of(text).decode(errors="backslashreplace")


def secret_encodings(secret: str) -> list[str]:
    """Return a secret as it is, and as URLs, JSON, Python, HTML and base64 write it; the longest first."""
    forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), escape(secret)}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], ascii(secret)[1:-1]}
    for before, encode in product(range(3), (b64encode, urlsafe_b64encode)):
        # In base64 "name:secret" looks unlike "secret": it depends on how many bytes stand before it.
        first, last = -(-before * 8 // 6), (before + len(secret.encode())) * 8 // 6
        forms.add(encode(b"\0" * before + secret.encode())[first:last].decode())
    return sorted(forms - {""}, key=len, reverse=True)
