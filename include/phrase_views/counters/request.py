"""Which file an import run is asked for, checked before anything is read."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from include.params import BadParam, refuse_unknown_params
from include.text import safe_repr

MAX_PATH = 1024  # what object stores allow in a key
MAX_REJECTED = 100_000  # rejects are kept in memory until they are written
DEFAULT_FORMAT: Format = "auto"
DEFAULT_MAX_REJECTED = 0
DEFAULT_REQUIRE_LAST_LINE_END = False  # many tools write none

Format = Literal["auto", "csv", "ndjson"]
_ALLOWED = {
    "path": f"the path of a file below the variable inbox_root, or its URL: at most {MAX_PATH} characters, "
    "none of them a control character",
    "format": "auto (a file that begins with '{' is ndjson, any other csv), csv or ndjson",
    "max_rejected": f"a whole number from 0 to {MAX_REJECTED}",
    "require_last_line_end": "true or false",
}


def _printable(path: str) -> str:
    if not path.strip() or any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        raise ValueError
    return path


class ImportRequest(BaseModel):
    """What one import is asked for.

    Attributes: path, as the user gave it; format of the file; max_rejected, lines, above which it fails;
    require_last_line_end, whether it fails where the last line has none.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    path: Annotated[str, Field(max_length=MAX_PATH), AfterValidator(_printable)]
    format: Format = DEFAULT_FORMAT
    max_rejected: Annotated[int, Field(ge=0, le=MAX_REJECTED)] = DEFAULT_MAX_REJECTED
    require_last_line_end: bool = DEFAULT_REQUIRE_LAST_LINE_END


def read_request(params: Mapping[str, object]) -> ImportRequest:
    """Turn the params of a run into a request; only `path` must be given.

    Raises: BadParam, which names the param, its value and what is allowed.
    """
    refuse_unknown_params(params, _ALLOWED)
    try:
        return ImportRequest.model_validate(dict(params))
    except ValidationError as error:
        name = str(error.errors(include_url=False, include_context=False)[0]["loc"][0])
        raise BadParam(name, safe_repr(params.get(name)), _ALLOWED[name]) from None
