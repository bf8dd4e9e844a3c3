"""Authors of commits to many repositories on a day, by GraphQL: a page of each in one request.

Outcomes are those of REST: what GraphQL refuses for a repository (blocked, forbidden, unknown), what it
cannot answer in time even alone, and what does not add up is read by REST. A request for many counts on the
first of them, so that the requests of all repositories add up to those that were sent.
Source: https://docs.github.com/en/graphql/reference/objects#commit
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from pydantic import JsonValue

from include.github.api.client import GitHubClient
from include.github.api.errors import TooManyPages
from include.github.api.graphql_batches import QueryBatcher, QueryTemplate
from include.github.api.graphql_memory import GraphQLMemory
from include.github.api.graphql_queries import PAGE_SIZE
from include.github.api.graphql_responses import Refusal
from include.github.api.models import Repository
from include.github.commits.accounts import Accounts
from include.github.commits.counting import CommitCount, bounds_of, record_of
from include.github.commits.graphql_page import CommitPage, commits_query, read_commit_pages
from include.github.commits.source import CommitSource, FetchedRepository, Outcome
from include.http.errors import HttpError
from include.http.request_cost import RequestCost

log = logging.getLogger(__name__)


@dataclass
class _Reading:
    """A repository whose day is being read.

    Attributes: after, where its last page ended; pages read; times_not_found, of the page that is asked for;
    outcome, None until it is known; refusal, why it is to be read by REST.
    """

    position: int
    repository: Repository
    count: CommitCount
    cost: RequestCost = field(default_factory=RequestCost)
    after: str = ""
    pages: int = 0
    times_not_found: int = 0
    outcome: Outcome | None = None
    refusal: str = ""

    @property
    def open(self) -> bool:
        return self.outcome is None and not self.refusal


class GraphQLCommits:
    """Asks for the commits of many repositories together, and `rest` for what GraphQL does not answer."""

    batch = 50

    def __init__(self, client: GitHubClient, rest: CommitSource, memory: GraphQLMemory | None = None) -> None:
        self._client, self._rest, self._accounts = client, rest, Accounts(client)
        template = QueryTemplate(commits_query, _variables, read_commit_pages)
        self._batcher = QueryBatcher(client, template, self.batch, memory)

    async def fetch(
        self, ranked: Sequence[tuple[int, Repository]], day: date
    ) -> AsyncIterator[list[FetchedRepository]]:
        """Yield records of all repositories that GraphQL answers for together, then of each other by itself.

        Raises: whatever GitHubClient.query and .get raise but for what is an outcome; TooManyPages. What
        was finished until then is yielded before.
        """
        readings = [_Reading(position, repository, CommitCount(day)) for position, repository in ranked]
        try:
            await self._read(readings)
        except HttpError:
            if answered := _answered(readings):
                yield answered
            raise
        if answered := _answered(readings):
            yield answered
        for reading in readings:
            if reading.refusal:
                yield [await self._by_rest(reading)]

    async def _read(self, readings: Sequence[_Reading]) -> None:
        """Read until each is answered or refused. Unfinished lists go on together, in one request a page."""
        while unfinished := [reading for reading in readings if reading.open]:
            if any(reading.times_not_found for reading in unfinished):  # replicas of GitHub lag for a moment
                await asyncio.sleep(self._client.bounds.gone_delay_s)
            await self._read_pages(unfinished)

    async def _read_pages(self, readings: Sequence[_Reading]) -> None:
        answers = await self._batcher.ask(readings, readings[0].cost)
        for reading, answer in zip(readings, answers, strict=True):
            if isinstance(answer, Refusal):
                _take_refusal(reading, answer, hidden=self._client.has_several_tokens)
            else:
                await self._take_page(reading, answer)

    async def _take_page(self, reading: _Reading, page: CommitPage) -> None:
        repository, count = reading.repository, reading.count
        count.add(await self._accounts.complete(repository, page.commits, reading.cost))
        count.moved |= page.full_name.lower() != repository.full_name.lower()
        reading.pages, reading.times_not_found = reading.pages + 1, 0
        if not page.next:
            if count.seen < page.total:
                reading.refusal = f"{count.seen} commits came of {page.total}"
            reading.outcome = "moved" if count.moved else "ok"
        elif page.next == reading.after or reading.pages >= self._client.bounds.pages:
            raise TooManyPages(f"GraphQL: commits of {repository.full_name}", reading.pages)
        reading.after = page.next

    async def _by_rest(self, reading: _Reading) -> FetchedRepository:
        repository, cost = reading.repository, reading.cost
        log.info("asking REST for %s, GraphQL refuses it: %s", repository.full_name, reading.refusal)
        asked = self._rest.fetch([(reading.position, repository)], reading.count.day)
        (record,) = [record async for records in asked for record in records]
        spent = {
            name: getattr(record, name) + getattr(cost, name)
            for name in ("requests", "retries", "points", "unchanged")
        }
        return record.model_copy(update=spent)


def _answered(readings: Sequence[_Reading]) -> list[FetchedRepository]:
    return [
        record_of(reading.position, reading.repository, reading.outcome, reading.cost, reading.count)
        for reading in readings
        if reading.outcome and not reading.refusal
    ]


def _take_refusal(reading: _Reading, refusal: Refusal, *, hidden: bool) -> None:
    """Take in that there is no page. Not found is believed at the second look, as by REST.

    Args: hidden: it may be there for another token, which REST asks.
    """
    match refusal.kind:
        case "empty":
            reading.outcome = "empty"
        case "not_found" if not reading.pages:
            reading.times_not_found += 1
            if reading.times_not_found > 1 and hidden:
                reading.refusal = refusal.reason or refusal.kind
            elif reading.times_not_found > 1:
                reading.outcome = "gone"
                log.warning("%s is gone: %s", reading.repository.full_name, refusal.reason)
        case _:
            reading.refusal = refusal.reason or refusal.kind


def _variables(readings: Sequence[_Reading]) -> dict[str, JsonValue]:
    variables: dict[str, JsonValue] = {"first": PAGE_SIZE, **bounds_of(readings[0].count.day)}
    for number, reading in enumerate(readings):
        variables |= {
            f"owner{number}": reading.repository.owner.login,
            f"name{number}": reading.repository.name,
            f"after{number}": reading.after or None,
        }
    return variables
