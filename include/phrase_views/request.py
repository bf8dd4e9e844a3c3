"""The request of a report, checked before any statement."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from include.params import BadParam, checked, read_day, refuse_unknown_params
from include.phrase_views.hours import hours
from include.text import safe_repr

FIRST_DAY = date(1972, 1, 1)  # before it, zones had offsets of odd seconds
MAX_CAMPAIGNS = 1000
DEFAULT_TIME_ZONE = "UTC"
DEFAULT_HOUR_RULE: HourRule = "sample"
DEFAULT_FALLS: Falls = "correct"
_NO_ZONES = {"localtime", "Factory"}  # listed with the zones, but the one is what a machine is set to

HourRule = Literal["sample", "closing"]
Falls = Literal["correct", "reset"]
_ALLOWED = {
    "campaign_ids": f"a list of at most {MAX_CAMPAIGNS} whole numbers from 1 to {2**31 - 1}, each once; "
    "empty for all campaigns",
    "time_zone": "a name of the IANA time zone database, such as UTC or Europe/Berlin",
    "hour_rule": "sample (a gain belongs to the hour of the sample that shows it) or closing (a sample "
    "stamped HH:00:00 closes the hour before)",
    "falls": "correct (a counter that falls to half its value or more was corrected) or reset (each counter "
    "that falls was reset)",
}


def _each_once(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(numbers)) < len(numbers):
        raise ValueError
    return tuple(sorted(numbers))


def _known_zone(name: str) -> str:
    if name not in available_timezones() - _NO_ZONES:
        raise ValueError
    return name


class PhraseViewsRequest(BaseModel):
    """The request of one report.

    Attributes: campaign_ids, ascending, empty for all; day, local in time_zone; hour_rule, which hour a
    sample stamped HH:00:00 belongs to: its own (sample) or the one before (closing); falls, how a counter
    that falls is read: as corrected where it stays near its old value (correct), or always as reset.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    campaign_ids: Annotated[
        tuple[Annotated[int, Field(ge=1, lt=2**31)], ...],
        Field(max_length=MAX_CAMPAIGNS),
        AfterValidator(_each_once),
    ] = ()
    day: date
    time_zone: Annotated[str, AfterValidator(_known_zone)] = DEFAULT_TIME_ZONE
    hour_rule: HourRule = DEFAULT_HOUR_RULE
    falls: Falls = DEFAULT_FALLS

    def __str__(self) -> str:
        campaigns = ", ".join(map(str, self.campaign_ids)) or "all"
        rules = f"hour rule {self.hour_rule}, falls {self.falls}"
        return f"day {self.day} ({self.time_zone}), {rules}, campaigns {campaigns}"


def read_request(params: Mapping[str, object], *, run_day: date, today: date) -> PhraseViewsRequest:
    """Turn the params of a run into a request; each may be left out.

    Args: run_day: the day meant by an empty `day`. today: by UTC; later days are refused.
    Raises: BadParam, which names the param, its value and what is allowed.
    """
    refuse_unknown_params(params, (*_ALLOWED, "day"))
    values: dict[str, object] = {name: params[name] for name in _ALLOWED if name in params}
    values["day"] = day = read_day(params.get("day"), run_day, FIRST_DAY, today)
    campaign_ids = values.get("campaign_ids")
    if isinstance(campaign_ids, list) or campaign_ids is None:
        values["campaign_ids"] = tuple(campaign_ids or ())
    request = checked(PhraseViewsRequest, values, _ALLOWED)
    if not hours(day, request.time_zone):
        raise BadParam(
            "day", safe_repr(str(day)), f"a day that {request.time_zone} has: clocks there skipped it"
        )
    return request
