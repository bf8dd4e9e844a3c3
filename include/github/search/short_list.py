"""The best results of one query, as far as search shows them: as few pages as possible, though they drift.

Of repositories with equal stars at the end of the list those are in it that search lists first: all of them
would be known one page later only, which would cost a request each day.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from include.github.api.errors import TooManyPages
from include.github.api.models import Repository
from include.github.api.odd_items import FEWEST_ODD
from include.github.search.errors import ListCutShort
from include.github.search.order import Order
from include.github.search.source import PAGE_SIZE, PageRequest, PageResult, Search
from include.http.request_cost import RequestCost

READINGS = 3  # of a list that drifts; the last one is filled up from further pages

log = logging.getLogger(__name__)


class ShortList:
    """Reads the best of a query.

    Args: top: how many, at most the capacity of the search. check_lease: called before each page; what it
        raises ends the reading. pages: after so many the reading fails.
    Attributes: odd, results that were left out.
    """

    def __init__(
        self,
        search: Search,
        query: str,
        top: int,
        cost: RequestCost,
        check_lease: Callable[[], None],
        pages: int,
    ) -> None:
        self._search, self._query, self._top = search, query, top
        self._cost, self._pages, self._check_lease = cost, pages, check_lease
        self.odd: set[str] = set()

    async def read(self, order: Order) -> None:
        """Read the list, again while it drifts: an item seen on two pages means that another was on none.

        Raises: ListCutShort; TooManyPages; and as Search.read.
        """
        for reading in range(1, READINGS + 1):
            found, drifted = await self._read_pages(fill_up=reading == READINGS)
            if not drifted:
                break
            log.warning("reading %d of %d: the list moved between two pages", reading, READINGS)
        order.add(found)

    async def _read_pages(self, *, fill_up: bool) -> tuple[list[Repository], bool]:
        """Read as few pages as give `top` names; stop at the first repeated item unless told to `fill_up`."""
        self.odd = set()
        repositories: list[Repository] = []
        ids: set[int] = set()
        names: set[str] = set()
        asked: set[str] = set()
        after, drifted = "", False
        while True:
            asked.add(after)
            await asyncio.to_thread(self._check_lease)
            first = min(PAGE_SIZE, max(self._top, FEWEST_ODD))  # or a page could not be judged
            (page,) = await self._search.read([PageRequest(self._query, first, after)], self._cost)
            drifted |= any(repository.id in ids for repository in page.repositories)
            repositories += page.repositories
            ids |= {repository.id for repository in page.repositories}
            self.odd |= set(page.odd)
            names |= {repository.full_name.lower() for repository in page.repositories}
            if drifted and not fill_up:
                return repositories, drifted
            if not page.next:
                self._require_all(page, len(ids) + len(self.odd))
            if not page.next or len(names) >= self._top:
                return repositories, drifted
            if page.next in asked or len(asked) >= self._pages:
                raise TooManyPages(page.next, len(asked))
            after = page.next

    def _require_all(self, page: PageResult, found: int) -> None:
        """Refuse a list that ends before what it promised: a page without Link is no proof of the end.

        Also one that has all that was asked for: where Link is dropped here, it is dropped from lists of
        commits too, and of those nothing tells how long they are. A few missing ones are the index.
        """
        reachable = min(page.total_count, self._search.capacity)
        if found < min(self._top, reachable) or found + PAGE_SIZE <= reachable:
            raise ListCutShort(self._query, found, reachable)
