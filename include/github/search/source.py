"""Searches for repositories, page by page: the interface of all ways to ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from include.github.api.models import Repository
from include.http.request_cost import RequestCost

PAGE_SIZE = 100  # the most GitHub gives
SEARCH_SHOWS = 1000  # https://docs.github.com/en/rest/search/search: "up to 1,000 results for each search"
CAPACITY = SEARCH_SHOWS


class PageRequest(NamedTuple):
    """A page to be read.

    Attributes: query, in GitHub's syntax; first, how many results, at most PAGE_SIZE, 0 where only their
    count is wanted; after, where the page before it ended (its `next`); divisible: where results are
    incomplete the query will be divided, so that is told and not asked again.
    """

    query: str
    first: int = PAGE_SIZE
    after: str = ""
    divisible: bool = False


class PageResult(NamedTuple):
    """A page that was read.

    Attributes: total_count, results of the query; repositories of the page, by stars downwards; next, what
    to ask `after` for the page that follows, empty at the end of the list; incomplete, results are missing;
    odd, results that were left out, and why.
    """

    total_count: int
    repositories: tuple[Repository, ...]
    next: str = ""
    incomplete: bool = False
    odd: tuple[str, ...] = ()


class Search(Protocol):
    """A way to search.

    Attributes: capacity, results of one query that can be read; wanted, results to aim a slice at; width,
    pages to ask for together.
    """

    capacity: int
    wanted: int
    width: int

    async def read(self, pages: Sequence[PageRequest], cost: RequestCost) -> list[PageResult]:
        """Read up to `width` pages, and return them in their order.

        Raises: as GitHubClient.get, also for incomplete results of what is not divisible.
        """
