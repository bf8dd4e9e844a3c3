"""Slices of a query: ranges of stars, and of moments of creation, of which search can show all results.

The regions still to be read lie on a stack, the one of the most stars on top. Slices are cut off the top of
a region, each aimed at so many results: by what is known of the region, or, for the last one, which reaches
down to the least stars, by how the number of repositories has grown so far. A slice that has too many results
becomes a region itself, and is cut at least in half.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from attrs import define

from include.github.search.star_range import StarRange

FIRST_CREATED = datetime(2007, 10, 1, tzinfo=UTC)  # no repository of GitHub's is older
SECOND = timedelta(seconds=1)
STRETCH, MOST_STRETCH = 4.0, 1e6  # of a slice's range, after one that had hardly any results
LEAST_POWER, MOST_POWER = 0.1, 100.0
FARTHEST = 16  # a slice of the last region does not reach below this part of its stars


class Slice(NamedTuple):
    """A part of the results. Attributes: stars; since and until, of creation; both ends included.

    since and until are None where there is no end.
    """

    stars: StarRange
    since: datetime | None = None
    until: datetime | None = None

    def text(self, rest: str) -> str:
        """Return the query. Args: rest: of the user's, without its stars."""
        low, high = self.stars
        stars = f"stars:>={low}" if high is None else f"stars:{low}..{high}"
        return " ".join(filter(None, (rest, stars, self._created())))

    def _created(self) -> str:
        since, until = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else "" for moment in self[1:])
        if since and until:
            return f"created:{since}..{until}"
        return f"created:>={since}" if since else f"created:<={until}" if until else ""


@dataclass(eq=False)
class Region:
    """The rest of a slice.

    Attributes: slice; expected results, None where not known; stretch: so many times farther the next slice
    reaches, for the one before had hardly any results.
    """

    slice: Slice
    expected: float | None = None
    stretch: float = 1.0


@dataclass(eq=False)
class Cut:
    """A slice to be read. Attributes: slice; region that it was cut off; aim, the results it should have."""

    slice: Slice
    region: Region
    aim: float = 0.0


@define(slots=False)
class CannotBeCut(Exception):
    """A slice has too many results, and no part of it could have fewer. Attributes: slice; results.

    Never leaves the search, which says SliceTooLarge.
    """

    slice: Slice
    results: int


class Slices:
    """Cuts slices, by stars downwards.

    Args: wanted, results to aim at; capacity, that can be read of a slice; last_created, when the youngest
        repository may have been created, None where slices cannot be cut by that.
    Attributes: unread, the regions still to be read, the next one last.
    """

    def __init__(self, stars: StarRange, wanted: int, capacity: int, last_created: datetime | None) -> None:
        self._wanted, self._capacity, self._last_created = wanted, capacity, last_created
        self.unread, self._least = [Region(Slice(stars))], stars.low
        self._last: Region | None = None
        self._above = 0.0  # results of all that was cut off the last region
        self._unanswered = 0  # slices of it
        self._best = 0  # the most stars seen
        self._curve: list[tuple[float, float]] = []  # (stars, repositories of as many), of the last region

    @property
    def at_last(self) -> bool:
        """Tell whether the next slice is of the region that reaches down to the least stars."""
        return self.unread[-1] is self._last

    @property
    def read_down_to(self) -> int:
        """The least stars of which all has been read, when nothing is being read."""
        high = self.unread[-1].slice.stars.high if self.unread else None
        return self._least if high is None else high + 1

    def cut(self, short: float) -> Cut:
        """Take the next slice. Args: short, how many results are still wanted.

        Raises: CannotBeCut.
        """
        region = self.unread[-1]
        if region.expected is None or region.expected <= self._wanted:
            self.unread.pop()
            return Cut(region.slice, region, region.expected or 0.0)
        if region is self._last:
            aim = min(self._wanted, 1.1 * max(short, 0) + 10)
        else:
            aim = region.expected / math.ceil(region.expected / self._wanted)
        top, region.slice = self._divide(region, aim)
        region.expected -= aim
        if region is self._last:
            self._above += aim
            self._unanswered += 1
        return Cut(top, region, aim)

    def answered(self, cut: Cut, total: int, stars: Sequence[int], *, readable: bool = True) -> bool:
        """Take in how many results a slice has; return whether it is to be read as it is.

        Args: stars: of its first page. readable: False where results are missing: then it is cut, however
            few there are.
        """
        region, of_all = cut.region, cut.region.expected is None
        region.expected = (region.expected or 0.0) + cut.aim - total
        region.stretch = min(region.stretch * STRETCH, MOST_STRETCH) if total < cut.aim / STRETCH else 1.0
        self._best = max(self._best, *stars, 0)
        if region is self._last:
            self._above += total - cut.aim
            self._unanswered -= 1
        if readable and total <= self._capacity:
            return True
        too_large = self.put_back(cut.slice, total)
        if of_all and stars and not self._curve:
            self._last = too_large
            self._curve = [(max(stars), 1.0), (min(stars), float(len(stars)))]
        return False

    def put_back(self, uncut: Slice, results: int) -> Region:
        """Have a slice cut: it has too many results, or some are missing."""
        region = Region(uncut, float(max(results, self._wanted + 1)))
        self.unread.append(region)
        self.unread.sort(key=lambda each: (each.slice.stars.low, each.slice.since or FIRST_CREATED))
        return region

    def read_again(self, stars: StarRange) -> None:
        """Put a slice back that was read before."""
        self.unread.append(Region(Slice(stars)))

    def _divide(self, region: Region, aim: float) -> tuple[Slice, Slice]:
        (low, end), since, until = region.slice
        high = max(self._best, low) if end is None else end
        if low == high:
            return self._divide_in_time(region, aim)
        if region is self._last:
            cut = max(self._extrapolated(high, aim, region.stretch), high // FARTHEST)
        else:
            half = math.isqrt(max(low, 1) * high) + 1  # on a scale of powers
            cut = max(self._interpolated(low, high, _part(region, aim)), half)
        cut = min(max(cut, low + 1), high)
        return Slice(StarRange(cut, end), since, until), Slice(StarRange(low, cut - 1), since, until)

    def _divide_in_time(self, region: Region, aim: float) -> tuple[Slice, Slice]:
        stars, since, until = region.slice
        first, last = since or FIRST_CREATED, until or self._last_created
        if last is None or last - first < SECOND:
            raise CannotBeCut(region.slice, int(region.expected or 0))
        part = min(_part(region, aim), 0.5) * (last - first)
        cut = max((last - part).replace(microsecond=0), first + SECOND)
        return Slice(stars, cut, until), Slice(stars, since, cut - SECOND)

    def _extrapolated(self, high: int, aim: float, stretch: float) -> int:
        """Return the stars down to which there should be `aim` more: their number grows by a power."""
        if self._above < 1:
            stars, found = self._curve[-1]
        else:
            stars, found = high + 1.0, self._above
            if not self._unanswered and found > self._curve[-1][1]:
                self._curve.append((stars, found))
        power = max(self._power() / stretch, LEAST_POWER)
        return math.ceil(stars * math.pow(found / (self._above + aim), 1 / power))

    def _interpolated(self, low: int, high: int, part: float) -> int:
        """Return the stars down to which this part of a region's results should be."""
        power, most = min(self._power(), 30.0), high + 1.0
        growth = (most / max(low, 0.5)) ** power
        return math.ceil(most * math.pow(1 + part * (growth - 1), -1 / power))

    def _power(self) -> float:
        """Return the exponent by which the number of repositories has grown of late as stars went down."""
        points = self._curve or [(2.0, 1.0), (1.0, 2.0)]
        stars, found = points[-1]
        before = (point for point in reversed(points) if found - point[1] >= self._wanted / 2)
        stars_then, found_then = next(before, points[0])
        if stars_then <= stars or found_then >= found:
            return MOST_POWER
        power = math.log(found / found_then) / math.log(stars_then / stars)
        return min(max(power, LEAST_POWER), MOST_POWER)


def _part(region: Region, aim: float) -> float:
    """Return which part of a region's results to aim at."""
    return min(aim * region.stretch / (region.expected or aim), 1.0)
