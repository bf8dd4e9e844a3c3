"""Searches for repositories, page by page, by REST."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue
from yarl import URL

from include.github.api.client import GitHubClient
from include.github.api.models import read_divisible_page, read_search_page
from include.github.api.odd_items import sound_repositories
from include.github.api.rules import GitHubRules
from include.github.search.source import CAPACITY, PageRequest, PageResult
from include.http.errors import ForeignOrigin
from include.http.origin import origin_of
from include.http.request_cost import RequestCost


class RestSearch:
    """Searches by GET /search/repositories, a page a request."""

    capacity = CAPACITY
    wanted = 900  # a slice's last page is seldom full: the fewer slices the better, and some grow
    width = 1

    def __init__(self, client: GitHubClient) -> None:
        self._client = client

    async def read(self, pages: Sequence[PageRequest], cost: RequestCost) -> list[PageResult]:
        """Read pages one after the other."""
        return [await self._read_page(page, cost) for page in pages]

    async def _read_page(self, asked: PageRequest, cost: RequestCost) -> PageResult:
        per_page = asked.first or 1  # GitHub takes 0 for its default
        url = self._page_after(asked) if asked.after else search_url(self._client, asked.query, per_page)
        read = read_divisible_page if asked.divisible else read_search_page
        if not asked.first:
            page = (await self._client.get(url, lambda value: read(_without_items(value)), cost)).value
            return PageResult(page.total_count, (), "", page.incomplete_results)
        answer = await self._client.get(url, sound_repositories(read), cost)
        (page, odd), next_url = answer.value, str(answer.next_url or "")
        return PageResult(page.total_count, tuple(page.items), next_url, page.incomplete_results, odd)

    def _page_after(self, asked: PageRequest) -> URL:
        url, origin = URL(asked.after), origin_of(self._client.base_url)
        if not url.absolute or origin_of(url) != origin:  # kept from a try with another host or API
            raise ForeignOrigin(asked.query, asked.after[:200], str(origin), GitHubRules.connection)
        return url


def _without_items(value: JsonValue) -> JsonValue:
    return value | {"items": []} if isinstance(value, dict) else value


def search_url(client: GitHubClient, query: str, per_page: int, page: int = 1) -> URL:
    """Return the address of a page of a search by stars downwards. page: from 1."""
    parts: dict[str, str | int] = {"q": query, "sort": "stars", "order": "desc"}
    return client.url("search", "repositories", **parts, per_page=per_page, page=page)
