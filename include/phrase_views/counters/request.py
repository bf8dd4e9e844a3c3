"""The request of an import: its file, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from include.inbox.params import ALLOWED, FilePath, MaxRejected
from include.params import checked, refuse_unknown_params

DEFAULT_FORMAT: Format = "auto"
DEFAULT_MAX_REJECTED = 0
DEFAULT_REQUIRE_LAST_LINE_END = False  # many tools write none

Format = Literal["auto", "csv", "ndjson"]
_ALLOWED = {**ALLOWED, "require_last_line_end": "true or false"}


class ImportRequest(BaseModel):
    """The request of one import.

    Attributes: path, as the user gave it; format of the file; max_rejected, lines, above which it fails;
    require_last_line_end, whether it fails where the last line has none.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    path: FilePath
    format: Format = DEFAULT_FORMAT
    max_rejected: MaxRejected = DEFAULT_MAX_REJECTED
    require_last_line_end: bool = DEFAULT_REQUIRE_LAST_LINE_END


def read_request(params: Mapping[str, object]) -> ImportRequest:
    """Turn the params of a run into a request; only `path` must be given.

    Raises: BadParam, which names the param, its value and what is allowed.
    """
    refuse_unknown_params(params, _ALLOWED)
    return checked(ImportRequest, params, _ALLOWED)
