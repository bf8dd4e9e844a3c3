"""The sample's history: the commits of a repository on a day, as a pure function of the two."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from include.github_stand_in.sample_names import draw

ONE_DAY = timedelta(days=1)
SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The habit of a repository: how often it is pushed to.

    Attributes:
        key: what its history is drawn from.
        begins: day of its first commit, UTC.
        active_per_mille: chance that a day has commits.
        typical: commits on an active day are 1 to 2 * typical, or typical to 1.2 * typical when `steady`.
        steady: a busy repository that always needs several pages.
        at_midnights: always a commit in the first and in the last second of the day: both ends of a range.
    """

    key: int
    begins: date
    active_per_mille: int
    typical: int
    steady: bool = False
    at_midnights: bool = False


@lru_cache(maxsize=32_768)
def seconds_of_day(rhythm: Rhythm, day: date) -> tuple[int, ...]:
    """Return the second of the day (UTC) of each commit, oldest first; empty on a quiet day."""
    if day < rhythm.begins:
        return ()
    chance, amount = draw(rhythm.key, day, count=2)
    if day > rhythm.begins and chance % 1000 >= rhythm.active_per_mille:
        return ()
    least, spread = (rhythm.typical, rhythm.typical // 5) if rhythm.steady else (1, 2 * rhythm.typical)
    seconds = [
        second % SECONDS_A_DAY for second in draw(rhythm.key, day, "at", count=least + amount % spread)
    ]
    if rhythm.at_midnights:
        seconds += [0, SECONDS_A_DAY - 1]
    return tuple(sorted(seconds))


def moment(day: date, second: int) -> datetime:
    """Return the aware UTC time of a second of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=second)


def second_of_day(at: datetime) -> float:
    """Return the seconds from midnight (UTC) to a time."""
    return (at - moment(at.date(), 0)).total_seconds()


def last_moment(rhythm: Rhythm, as_of: datetime) -> datetime | None:
    """Return the time of the latest commit up to `as_of` (included); None before the first."""
    day = as_of.date()
    while day >= rhythm.begins:
        seconds = seconds_of_day(rhythm, day)
        past = bisect_right(seconds, second_of_day(as_of)) if day == as_of.date() else len(seconds)
        if past:
            return moment(day, seconds[past - 1])
        day -= ONE_DAY
    return None


def last_position(rhythm: Rhythm, before: date) -> tuple[date, int] | None:
    """Return day and position in it of the last commit before a day; None before the first."""
    day = before - ONE_DAY
    while day >= rhythm.begins:
        if seconds := seconds_of_day(rhythm, day):
            return day, len(seconds) - 1
        day -= ONE_DAY
    return None
