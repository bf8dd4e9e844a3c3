"""The hours of a local day as instants: 24 of them, 23 or 25 where clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

QUARTER = timedelta(minutes=15)  # every zone's offset since 1972 is a multiple of it


class Hour(NamedTuple):
    """An hour of a day. start, an aware instant (UTC); hour, what local clocks show, 0 to 23."""

    start: datetime
    hour: int


def quarters(day: date, time_zone: str) -> list[Hour]:
    """Return the hour that each quarter of an hour of the local `day` is in, in order.

    Two hours of one name are two hours. Empty for a day that a zone left out.
    """
    zone = ZoneInfo(time_zone)
    quarter, end = (_midnight(each, zone) for each in (day, day + timedelta(days=1)))
    found: list[Hour] = []
    before: tuple[int, timedelta | None] | None = None
    while quarter < end:
        local = quarter.astimezone(zone)
        name = (local.hour, local.utcoffset())
        found.append(found[-1] if name == before else Hour(quarter, local.hour))
        before, quarter = name, quarter + QUARTER
    return found


def hours(day: date, time_zone: str) -> list[Hour]:
    """Return the hours of the local `day`, in order."""
    return list(dict.fromkeys(quarters(day, time_zone)))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # Where clocks skip midnight this is the instant at which they do; where they show it twice, the first.
    return datetime.combine(day, time.min, zone).astimezone(UTC)
