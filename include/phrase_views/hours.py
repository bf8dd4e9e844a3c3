"""The hours of a local day as instants: 24 of them, 23 or 25 where clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from math import gcd
from typing import NamedTuple
from zoneinfo import ZoneInfo

_MINUTE = timedelta(minutes=1)  # since 1972 clocks change on a full one, but not always on a full quarter


class Hour(NamedTuple):
    """An hour of a day. start, an aware instant (UTC); hour, what local clocks show, 0 to 23."""

    start: datetime
    hour: int


class Steps(NamedTuple):
    """A day in equal steps. Attributes: seconds, of a step; hours, the one that each step is in, in order."""

    seconds: int
    hours: tuple[Hour, ...]


@lru_cache(maxsize=64)
def steps(day: date, time_zone: str) -> Steps:
    """Cut the local `day` into the longest equal steps of which each is in one hour: mostly hours.

    Where clocks change by half an hour they are that long; at St John's they changed one minute past
    midnight. Two hours of one name are two hours. No steps for a day that a zone left out.
    """
    of_minutes = _hours_of_minutes(day, ZoneInfo(time_zone))
    begins = [minute for minute, hour in enumerate(of_minutes) if hour != of_minutes[minute - 1]]
    step = gcd(*begins, len(of_minutes)) or 1
    return Steps(step * 60, tuple(of_minutes[::step]))


def hours(day: date, time_zone: str) -> list[Hour]:
    """Return the hours of the local `day`, in order."""
    return list(dict.fromkeys(steps(day, time_zone).hours))


def _hours_of_minutes(day: date, zone: ZoneInfo) -> list[Hour]:
    minute, end = (_midnight(each, zone) for each in (day, day + timedelta(days=1)))
    found: list[Hour] = []
    before: tuple[int, timedelta | None] | None = None
    while minute < end:
        local = minute.astimezone(zone)
        name = (local.hour, local.utcoffset())
        found.append(found[-1] if name == before else Hour(minute, local.hour))
        before, minute = name, minute + _MINUTE
    return found


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # Where clocks skip midnight this is the instant at which they do; where they show it twice, the first.
    return datetime.combine(day, time.min, zone).astimezone(UTC)
