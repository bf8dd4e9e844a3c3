"""Searches for repositories by GraphQL: several searches in one request, at a point for a hundred of them.

What GraphQL does not tell is `incomplete_results`: a search that runs out of GitHub's time shows here as one
with fewer results, or as an error of its alias, which is then asked of REST. So only lists are read here that
are longer than search shows: a count of all of them tells where something is missing, as long as
that count itself is whole.
Source: https://docs.github.com/en/graphql/reference/queries#search
"""

from __future__ import annotations

import logging
from base64 import b64decode
from collections.abc import Sequence

from pydantic import JsonValue

from include.github.api.client import GitHubClient
from include.github.api.graphql_batches import QueryBatcher, QueryTemplate
from include.github.api.graphql_memory import GraphQLMemory
from include.github.api.graphql_responses import Refusal
from include.github.search.graphql_page import read_result_pages, search_query
from include.github.search.rest import search_url
from include.github.search.source import CAPACITY, PageRequest, PageResult, Search
from include.http.errors import RequestFailed
from include.http.request_cost import RequestCost

log = logging.getLogger(__name__)


class GraphQLSearch:
    """Searches by GraphQL, and by `rest` for what GraphQL refuses, or cannot answer in time even alone."""

    capacity = CAPACITY
    wanted = 80  # a slice is one page, with room for its growth
    width = 10

    def __init__(self, client: GitHubClient, rest: Search, memory: GraphQLMemory | None = None) -> None:
        self._client, self._rest = client, rest
        template = QueryTemplate(search_query, _variables, read_result_pages)
        self._batcher = QueryBatcher(client, template, self.width, memory)

    async def read(self, pages: Sequence[PageRequest], cost: RequestCost) -> list[PageResult]:
        """Read pages together. A list that REST began is REST's to its end: its `after` is an address."""
        asked = [page for page in pages if not _is_rest(page)]
        answers = iter(await self._batcher.ask(asked, cost))
        found = []
        for page in pages:
            answer = Refusal("refused", "") if _is_rest(page) else next(answers)
            if isinstance(answer, Refusal):
                found.append(await self._read_by_rest(page, answer, cost))
            else:
                found.append(answer)
        return found

    async def _read_by_rest(self, page: PageRequest, refusal: Refusal, cost: RequestCost) -> PageResult:
        if refusal.reason:
            log.warning("asking REST for %r, GraphQL refuses it: %s", page.query, refusal.reason)
        if page.after and not _is_rest(page):
            page = page._replace(after=self._address(page, refusal))
        return (await self._rest.read([page], cost))[0]

    def _address(self, page: PageRequest, refusal: Refusal) -> str:
        """Return where REST has the page after a cursor, which says how many results are before it."""
        try:
            before = int(b64decode(page.after, validate=True).removeprefix(b"cursor:"))
        except ValueError:
            raise RequestFailed(f"GraphQL search {page.query!r}", 1, refusal.reason, 0) from None
        number = before // page.first + 1
        return str(search_url(self._client, page.query, page.first, number))


def _is_rest(page: PageRequest) -> bool:
    # In GraphQL the order is part of the query: one that a user put there would be in the way of ours.
    return page.after.startswith("http") or "sort:" in page.query


def _variables(pages: Sequence[PageRequest]) -> dict[str, JsonValue]:
    variables: dict[str, JsonValue] = {}
    for number, page in enumerate(pages):
        variables |= {
            f"query{number}": f"{page.query} sort:stars-desc",
            f"first{number}": page.first or 1,  # GitHub takes 1 to 100
            f"after{number}": page.after or None,
        }
    return variables
