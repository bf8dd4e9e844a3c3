"""The hours of a local day, above all of days on which clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.phrase_views.hours import hours, steps
from tests.examples import examples

FIRST_DAY = date(1972, 1, 1)
ZONES = sorted(available_timezones() - {"localtime", "Factory"})


def seen(day: str, time_zone: str) -> list[tuple[str, int]]:
    """Return the hours as (start in UTC, HH:MM of which day, and what clocks show)."""
    return [(f"{hour.start:%d %H:%M}", hour.hour) for hour in hours(date.fromisoformat(day), time_zone)]


@pytest.mark.parametrize(
    ("day", "time_zone", "first"),
    [
        ("2025-01-01", "UTC", "01 00:00"),
        ("2025-01-01", "Europe/Berlin", "31 23:00"),
        ("2025-01-01", "Asia/Kolkata", "31 18:30"),
        ("2025-01-01", "Asia/Kathmandu", "31 18:15"),
        ("2025-01-01", "Pacific/Kiritimati", "31 10:00"),
        ("2025-01-01", "America/Los_Angeles", "01 08:00"),
        ("1972-01-03", "Africa/Monrovia", "03 00:44"),  # and 30 seconds
        ("1975-01-01", "Pacific/Kiritimati", "01 10:40"),
    ],
)
def test_a_plain_day_has_24_hours(day, time_zone, first):
    """From local midnight, wherever that lies."""
    found = seen(day, time_zone)
    assert found[0] == (first, 0)
    assert [hour for _, hour in found] == list(range(24))
    assert steps(date.fromisoformat(day), time_zone).seconds == 3600


@pytest.mark.parametrize(
    ("day", "time_zone", "number", "step_s", "around"),
    [
        ("2025-03-30", "Europe/Berlin", 23, 3600, [("30 00:00", 1), ("30 01:00", 3)]),
        ("2025-10-26", "Europe/Berlin", 25, 3600, [("26 00:00", 2), ("26 01:00", 2), ("26 02:00", 3)]),
        # Half an hour: 02:00 becomes 02:30, and 02:00 becomes 01:30.
        ("2025-10-05", "Australia/Lord_Howe", 24, 1800, [("04 14:30", 1), ("04 15:30", 2), ("04 16:00", 3)]),
        (
            "2025-04-06",
            "Australia/Lord_Howe",
            25,
            1800,
            [("05 14:00", 1), ("05 15:00", 1), ("05 15:30", 2), ("05 16:30", 3)],
        ),
        # Midnight is skipped, or shown twice; so is the last hour.
        ("2018-11-04", "America/Sao_Paulo", 23, 3600, [("04 03:00", 1), ("04 04:00", 2)]),
        ("2018-02-17", "America/Sao_Paulo", 25, 3600, [("18 01:00", 23), ("18 02:00", 23)]),
        ("2025-03-09", "America/Havana", 23, 3600, [("09 05:00", 1), ("09 06:00", 2)]),
        ("2025-11-02", "America/Havana", 25, 3600, [("02 04:00", 0), ("02 05:00", 0), ("02 06:00", 1)]),
        # One minute past midnight: 00:01 becomes 01:01, and 23:01 of the day before.
        ("2011-03-13", "America/St_Johns", 24, 60, [("13 03:30", 0), ("13 03:31", 1), ("13 04:30", 2)]),
        (
            "2010-11-07",
            "America/St_Johns",
            26,
            60,
            [("07 02:30", 0), ("07 02:31", 23), ("07 03:30", 0), ("07 04:30", 1)],
        ),
        ("2022-10-02", "Antarctica/Casey", 22, 60, [("01 16:00", 0), ("01 16:01", 3), ("01 17:00", 4)]),
    ],
)
def test_a_day_on_which_clocks_change(day, time_zone, number, step_s, around):
    """As many hours as clocks showed, each with the instant it began: two of one name are two."""
    found = seen(day, time_zone)
    assert len(found) == number
    start = found.index(around[0])
    assert found[start : start + len(around)] == around
    assert steps(date.fromisoformat(day), time_zone).seconds == step_s


@pytest.mark.parametrize(
    ("time_zone", "skipped"), [("Pacific/Apia", date(2011, 12, 30)), ("Pacific/Kwajalein", date(1993, 8, 21))]
)
def test_a_skipped_day_has_no_hours(time_zone, skipped):
    """And its neighbours follow each other."""
    assert hours(skipped, time_zone) == []
    before, after = (hours(skipped + timedelta(days=step), time_zone) for step in (-1, 1))
    assert len(before) == len(after) == 24
    assert before[-1].start + timedelta(hours=1) == after[0].start


@examples(60)
@given(st.dates(FIRST_DAY, date(2100, 1, 1)), st.sampled_from(ZONES), st.integers(0, 86_399))
@example(date(2011, 3, 13), "America/St_Johns", 90)
@example(date(2022, 10, 2), "Antarctica/Casey", 90)
@example(date(1976, 8, 22), "Pacific/Guam", 7300)
@example(date(1979, 9, 30), "Pacific/Kiritimati", 86_399)
def test_days_follow_each_other_and_every_instant_is_in_the_hour_that_clocks_show(day, time_zone, second):
    """Steps fill the day up to the next one; the step of any instant has the local clock's hour."""
    step_s, of_steps = steps(day, time_zone)
    zone = ZoneInfo(time_zone)
    midnight = datetime.combine(day, time.min, zone).astimezone(UTC)
    after = datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
    assert midnight + timedelta(seconds=step_s * len(of_steps)) == after
    if not of_steps:
        return
    at = midnight + timedelta(seconds=second % (step_s * len(of_steps)))
    hour = of_steps[int((at - midnight).total_seconds()) // step_s]
    assert hour.hour == at.astimezone(zone).hour
    assert hour.start <= at
    assert at - hour.start < timedelta(hours=1)
    assert [key for key, _ in groupby(of_steps)] == hours(day, time_zone)
