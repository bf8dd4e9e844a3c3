"""The parameters of a run, checked before anything is asked, written or stored."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from include.params import BadParam, read_day, refuse_unknown_params
from include.shown import shown

MAX_TOP = 1000  # https://docs.github.com/en/rest/search/search: "up to 1,000 results for each search"
MAX_QUERY = 256  # the same page: "You cannot use queries that are longer than 256 characters"
DEFAULT_TOP = 100
DEFAULT_QUERY = "stars:>1"
FIRST_DAY = date(1970, 1, 1)  # GitHub takes since/until within 1970..2099, ClickHouse's Date begins here too

_ALLOWED = {
    "top": f"a whole number from 1 to {MAX_TOP} (GitHub's search never shows more)",
    "query": f"text of 1 to {MAX_QUERY} characters, not blank, without control characters",
}


def _plain_text(text: str) -> str:
    if not text.strip() or any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError
    return text


class TopRepositoriesRequest(BaseModel):
    """What one run is asked for.

    Attributes: top, how many repositories; query, in GitHub's search syntax; day, whose commits (UTC).
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    top: int = Field(ge=1, le=MAX_TOP)
    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY), AfterValidator(_plain_text)]
    day: date

    def is_current(self, today: date) -> bool:
        """Tell whether stars and positions read on `today` may be stored for the day: today's or yesterday's.

        GitHub shows the stars of now. Under an older date they would be a lie: that run is a backfill and
        stores commits and outcomes only.
        """
        return self.day in (today, today - timedelta(days=1))

    def __str__(self) -> str:
        return f"day {self.day}, top {self.top}, query {self.query!r}"


def read_request(params: Mapping[str, object], *, run_day: date, today: date) -> TopRepositoriesRequest:
    """Turn the params of a run (top, query, day; each may be left out) into a request.

    Args: run_day: the day meant by an empty `day`. today: by UTC; later days are refused.
    Raises: BadParam, which names the param, its value and what is allowed.
    """
    refuse_unknown_params(params, (*_ALLOWED, "day"))
    day = read_day(params.get("day"), run_day, FIRST_DAY, today)
    values = {"top": params.get("top", DEFAULT_TOP), "query": params.get("query", DEFAULT_QUERY), "day": day}
    try:
        return TopRepositoriesRequest.model_validate(values)
    except ValidationError as error:
        name = str(error.errors(include_url=False, include_context=False)[0]["loc"][0])
        raise BadParam(name, shown(values[name]), _ALLOWED[name]) from None
