"""The params of a run that reads a file of the inbox: which file, and how many of its rows may be wrong."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

MAX_PATH = 1024  # what object stores allow in a key
MAX_REJECTED = 100_000  # rejects are kept in memory until they are written
ALLOWED = {
    "path": f"the path of a file below the variable inbox_root, or its URL: at most {MAX_PATH} characters, "
    "none of them a control character",
    "format": "auto (a file that begins with '{' is ndjson, any other csv), csv or ndjson",
    "max_rejected": f"a whole number from 0 to {MAX_REJECTED}",
}


def _printable(path: str) -> str:
    if not path.strip() or any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        raise ValueError
    return path


FilePath = Annotated[str, Field(max_length=MAX_PATH), AfterValidator(_printable)]
MaxRejected = Annotated[int, Field(ge=0, le=MAX_REJECTED)]
