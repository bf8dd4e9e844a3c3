"""The parameters of a run, checked before anything is asked, written or stored."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from include.github.api.graphql_memory import GraphQLMemory
from include.github.search.source import SEARCH_SHOWS
from include.github.search.star_range import is_sorted, take_stars_out
from include.params import BadParam, checked, read_day, refuse_unknown_params
from include.staging.files import StagingPath
from include.text import safe_repr

MAX_TOP = 100_000  # beyond SEARCH_SHOWS a list is read in slices; so many take 40 minutes at 27 searches each
# https://docs.github.com/en/rest/search/search: "You cannot use queries that are longer than 256 characters"
MAX_QUERY = 256
SLICE_CHARACTERS = 80  # what the longest slice adds to a query
DEFAULT_TOP = 100
DEFAULT_QUERY = "stars:>1"
MAX_VERIFY = 100
APIS = ("auto", "rest", "graphql")
FIRST_DAY = date(1970, 1, 1)  # GitHub takes since/until within 1970..2099, ClickHouse's Date begins here too

_ALLOWED = {
    "top": f"a whole number from 1 to {MAX_TOP}",
    "query": f"text of 1 to {MAX_QUERY} characters, not blank, without control characters",
    "api": f"one of {', '.join(APIS)}",
    "verify": f"a whole number from 0 to {MAX_VERIFY}",
    "plan_only": "true or false",
}

Api = Literal["rest", "graphql"]

log = logging.getLogger(__name__)


def _plain_text(text: str) -> str:
    if not text.strip() or any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError
    return text


class TopRepositoriesRequest(BaseModel):
    """The request of one run.

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


class RunOptions(BaseModel):
    """The way one run asks. No part of its request: a saved ranking stays the run's, whatever these say.

    Attributes: api, which of GitHub's; verify, how many repositories a GraphQL run reads again by REST;
    plan_only, stop before the first commit request.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    api: Literal["auto", "rest", "graphql"] = "auto"
    verify: int = Field(default=0, ge=0, le=MAX_VERIFY)
    plan_only: bool = False

    def chosen_api(self, *, has_token: bool) -> Api:
        """Return the API that `auto` means for a client with or without a token, else the one that is named.

        Raises: BadParam where that one cannot be asked.
        """
        if self.api == "graphql" and not has_token:
            missing = "connection 'github_default' has no token in its password"
            raise BadParam("api", safe_repr(self.api), f"rest or auto: GraphQL asks for a token, {missing}")
        if self.api == "auto":
            return "graphql" if has_token else "rest"
        return self.api

    def graphql_memory(self, directory: StagingPath) -> GraphQLMemory:
        """Return what the run knows of GraphQL; where it was asked for by name, each try finds out anew."""
        return GraphQLMemory(directory if self.api == "auto" else None)

    def verified(self, api: Api) -> int:
        """Return how many repositories to verify: none by REST, which is what GraphQL is compared with."""
        if api == "rest" and self.verify:
            log.warning("param verify is %d, and is not used: this run asks by REST itself", self.verify)
            return 0
        return self.verify


def read_request(params: Mapping[str, object], *, run_day: date, today: date) -> TopRepositoriesRequest:
    """Turn the params of a run (top, query, day; each may be left out) into a request.

    Args: run_day: the day meant by an empty `day`. today: by UTC; later days are refused.
    Raises: BadParam, which names the param, its value and what is allowed.
    """
    _refuse_unknown(params)
    day = read_day(params.get("day"), run_day, FIRST_DAY, today)
    values = {"top": params.get("top", DEFAULT_TOP), "query": params.get("query", DEFAULT_QUERY), "day": day}
    request = checked(TopRepositoriesRequest, values, _ALLOWED)
    if is_sorted(request.query):
        raise BadParam("query", safe_repr(request.query), "a query without sort:, for the list is by stars")
    if request.top > SEARCH_SHOWS:
        _require_slices(request.query)
    return request


def _require_slices(query: str) -> None:
    """Refuse a query that no slices of its stars can be made of."""
    longest = MAX_QUERY - SLICE_CHARACTERS
    try:
        rest, _ = take_stars_out(query)
    except ValueError as error:
        raise BadParam(
            "query", safe_repr(query), f"a query {error}, where top is above {SEARCH_SHOWS}"
        ) from None
    if len(rest) > longest:
        allowed = f"a query of at most {longest} characters beside stars:, where top is above {SEARCH_SHOWS}"
        raise BadParam("query", safe_repr(query), allowed)


def read_options(params: Mapping[str, object]) -> RunOptions:
    """Turn the other params of the same run (api, verify, plan_only; each may be left out) into options.

    Raises: BadParam.
    """
    _refuse_unknown(params)
    options = {name: params[name] for name in RunOptions.model_fields if name in params}
    return checked(RunOptions, options, _ALLOWED)


def _refuse_unknown(params: Mapping[str, object]) -> None:
    refuse_unknown_params(params, ("top", "query", "day", *RunOptions.model_fields))
