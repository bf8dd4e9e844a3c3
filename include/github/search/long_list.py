"""The best results of a query beyond what search shows of one: slice by slice, by stars downwards.

What is promised of repositories that gain or lose stars while the list is read: none is in it twice, and its
order is exact by the stars each had when it was read last. One that was passed from a slice not yet read into
one that was, and so seen by none, is missed by a count of all that have at least as many stars as the last
slice: the slices that have more than was found there are looked for, by counts of halves, and read again.
That is done until nothing is missed, READINGS times at most; what is missed then is told by a warning. Not
told is one that is missed while another vanishes from the same slice.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from include.github.api.models import Repository
from include.github.search.errors import ListCutShort, SliceTooLarge
from include.github.search.order import Order
from include.github.search.slices import CannotBeCut, Cut, Slice, Slices
from include.github.search.source import PAGE_SIZE, PageRequest, PageResult, Search
from include.github.search.star_range import StarRange, take_stars_out
from include.http.request_cost import RequestCost

READINGS = 3  # of a slice

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Reading:
    """A slice that is being read. Attributes: total results; after, to go on; pages read; found; odd."""

    cut: Cut
    total: int = 0
    after: str = ""
    pages: int = 0
    found: list[Repository] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)


class LongList:
    """Reads the best of a query into an order.

    Args: search: asks the same again after the same answers, so that what it keeps is of use. query: with
        one range of stars at most. day: the younger repositories' days of creation end soon after it.
    Attributes: odd, results that were left out.
    """

    def __init__(
        self, search: Search, query: str, top: int, day: date, order: Order, cost: RequestCost
    ) -> None:
        self._search, self._top = search, top
        self._order, self._cost = order, cost
        self.odd: set[str] = set()
        self._rest, stars = take_stars_out(query)
        soon = datetime.combine(day, time(), UTC) + timedelta(days=2)
        # Two qualifiers `created:` are no better defined than two of stars.
        last_created = None if "created:" in self._rest.lower() else soon
        self._slices = Slices(stars, search.wanted, search.capacity, last_created)
        self._unfinished: list[_Reading] = []
        self._ranges: set[StarRange] = set()  # that were read
        self._inexact: dict[StarRange, int] = {}  # results that are counted and never shown
        self._left_out: Counter[StarRange] = Counter()  # odd results, which are counted too

    async def read(self) -> None:
        """Read until there are `top` names, or no more.

        Raises: ListCutShort; SliceTooLarge; and as Search.read.
        """
        await self._read_slices()
        for reading in range(2, READINGS + 1):
            lacking = await self._lacking()
            for stars in lacking:
                log.warning("reading %d of %d: %s has more than was found", reading, READINGS, stars)
                found, count = len(self._order), lacking[stars]
                self._left_out.pop(stars, None)
                self._slices.read_again(stars)
                await self._read_slices()
                if len(self._order) == found:
                    self._inexact[stars] = count - self._accounted_for(stars, [stars])
            if not lacking:
                return
        for stars, count in (await self._lacking()).items():
            missed = count - self._accounted_for(stars, [stars])
            log.warning("%d repositories of %s were counted and not found: they keep moving", missed, stars)

    async def _read_slices(self) -> None:
        while readings := self._next():
            asked = [
                PageRequest(reading.cut.slice.text(self._rest), PAGE_SIZE, reading.after, divisible=True)
                for reading in readings
            ]
            found = await self._search.read(asked, self._cost)
            for reading, page in zip(readings, found, strict=True):
                self._take(reading, page)

    def _next(self) -> list[_Reading]:
        """Choose what to read together: further pages first, then slices while more are wanted."""
        width, slices = self._search.width, self._slices
        chosen, self._unfinished = self._unfinished[:width], self._unfinished[width:]
        under_way = sum(reading.total for reading in (*chosen, *self._unfinished))
        short = self._top - len(self._order) - under_way
        while len(chosen) < width and slices.unread and not self._enough():
            if short <= 0 and chosen and slices.at_last:
                break  # what is under way may be all
            try:
                cut = slices.cut(short)
            except CannotBeCut as too_large:
                raise SliceTooLarge(too_large.slice.text(self._rest), too_large.results) from None
            short -= int(cut.aim)
            chosen.append(_Reading(cut))
        return chosen

    def _enough(self) -> bool:
        """Tell whether all that is still to be read comes after the first `top`."""
        high = self._slices.unread[-1].slice.stars.high
        return high is not None and len(self._order) >= self._top <= self._order.names(above=high)

    def _take(self, reading: _Reading, page: PageResult) -> None:
        cut, reading.total, readable = reading.cut, page.total_count, not page.incomplete
        if not reading.pages:
            stars = [repository.stars for repository in page.repositories]
            readable = self._slices.answered(cut, page.total_count, stars, readable=readable)
        elif not readable:
            self._slices.put_back(cut.slice, page.total_count)
        if not readable:
            self._ranges.discard(cut.slice.stars)
            self._left_out.pop(cut.slice.stars, None)
            return
        reading.pages, reading.after = reading.pages + 1, page.next
        reading.found += page.repositories
        reading.odd += page.odd
        if page.next and reading.pages < self._search.capacity / PAGE_SIZE:
            self._unfinished.append(reading)
            return
        seen = len({r.id for r in reading.found}) + len(reading.odd)
        if not page.next and seen + PAGE_SIZE <= page.total_count:
            raise ListCutShort(cut.slice.text(self._rest), len(reading.found), page.total_count)
        self._order.add(reading.found)
        self.odd |= set(reading.odd)
        self._ranges.add(cut.slice.stars)
        self._left_out[cut.slice.stars] += len(reading.odd)

    async def _lacking(self) -> dict[StarRange, int]:
        """Return the ranges that have more than was found there, and how much they have."""
        read = sorted((r for r in self._ranges if r.low >= self._slices.read_down_to), reverse=True)
        groups, lacking = [read] if read else [], dict[StarRange, int]()
        while groups:
            spans = [StarRange(group[-1].low, group[0].high) for group in groups]
            larger = []
            for group, span, count in zip(groups, spans, await self._count(spans), strict=True):
                inexact = sum(self._inexact.get(stars, 0) for stars in group)
                if count > self._accounted_for(span, group) + inexact:
                    larger.append(group)
                    lacking |= {span: count} if len(group) == 1 else {}
            halves = [(group, len(group) // 2) for group in larger if len(group) > 1]
            groups = [part for group, half in halves for part in (group[:half], group[half:])]
        return lacking

    def _accounted_for(self, span: StarRange, ranges: Sequence[StarRange]) -> int:
        """Return how many results of a span are held, or were left out of its ranges."""
        return self._order.held(*span) + sum(self._left_out[stars] for stars in ranges)

    async def _count(self, spans: Sequence[StarRange]) -> list[int]:
        pages = [PageRequest(Slice(span).text(self._rest), first=0, divisible=True) for span in spans]
        width = self._search.width
        chunks = [pages[at : at + width] for at in range(0, len(pages), width)]
        return [page.total_count for chunk in chunks for page in await self._search.read(chunk, self._cost)]
