"""The request of one run: its params, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from include.api_calls.layout import DELIMITERS, Format, is_encoding
from include.api_calls.recipe import NAME
from include.inbox.params import ALLOWED, FilePath, MaxRejected
from include.params import checked, refuse_unknown_params

MAX_ROWS = 10_000_000
DELIMITER_NAMES = ("auto", *DELIMITERS)
RESEND = ("none", "failed", "all")

_ALLOWED = {
    "path": ALLOWED["path"],
    "recipe": "the name of a file below the variable recipes_root, without .toml",
    "format": ALLOWED["format"],
    "encoding": "an encoding of texts that Python knows, such as utf-8, cp1251 or iso-8859-1",
    "delimiter": f"one of {' '.join(DELIMITER_NAMES)}",
    "max_rejected": ALLOWED["max_rejected"],
    "max_failed": f"a whole number from 0 to {MAX_ROWS}",
    "resend": f"one of {', '.join(RESEND)}",
    "retry_unknown": "true or false",
    "limit": f"a whole number from 0, which means all rows, to {MAX_ROWS}",
    "dry_run": "true or false",
}


def _encoding(name: str) -> str:
    if not is_encoding(name):
        raise ValueError
    return name


class CallsRequest(BaseModel):
    """The request of one run.

    Attributes: path, of the file, as the user gave it; recipe, its name; format, encoding and delimiter, of
    the file; max_rejected, rows, above which nothing is called; max_failed, rows, above which no more are;
    resend, rows that were sent before: none, those that failed, or all; retry_unknown, whether to send what
    may have been carried out; limit, rows from the first on, 0 or None for all; dry_run, show and send none.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    path: FilePath
    recipe: Annotated[str, Field(pattern=NAME)]
    format: Format = "auto"
    encoding: Annotated[str, Field(max_length=40), AfterValidator(_encoding)] = "utf-8"
    delimiter: Literal["auto", ",", ";", "|", "tab"] = "auto"
    max_rejected: MaxRejected = 0
    max_failed: Annotated[int, Field(ge=0, le=MAX_ROWS)] = 0
    resend: Literal["none", "failed", "all"] = "none"
    retry_unknown: bool = False
    limit: Annotated[int, Field(ge=0, le=MAX_ROWS)] | None = 0
    dry_run: bool = False


def read_request(params: Mapping[str, object]) -> CallsRequest:
    """Turn the params of a run into a request; only `path` and `recipe` must be given.

    Raises: BadParam, which names the param, its value and what is allowed.
    """
    refuse_unknown_params(params, _ALLOWED)
    return checked(CallsRequest, params, _ALLOWED)
