"""Reads a sample of a GraphQL run again by REST: two APIs that count the same commits have to agree."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from datetime import date
from functools import partial
from hashlib import blake2b

from include.github.api.client import GitHubClient
from include.github.api.models import Repository
from include.github.commits.errors import ApisDiffer
from include.github.commits.rest import RestCommits
from include.github.commits.source import CommitSource, FetchedRepository, Outcome, RankedDay
from include.http.request_cost import RequestCost

_Day = tuple[Outcome, dict[str, int]]  # of a repository

log = logging.getLogger(__name__)


def verified_by_rest(
    client: GitHubClient,
    graphql: CommitSource,
    ranking: RankedDay,
    count: int,
    check_lease: Callable[[], None],
) -> Callable[[Iterable[FetchedRepository]], Awaitable[RequestCost]]:
    """Return what a fetch calls before it stages anything: see verify()."""
    rest = RestCommits(client)
    return partial(verify, ranking=ranking, count=count, graphql=graphql, rest=rest, check_lease=check_lease)


async def verify(
    records: Iterable[FetchedRepository],
    ranking: RankedDay,
    count: int,
    *,
    graphql: CommitSource,
    rest: CommitSource,
    check_lease: Callable[[], None] = lambda: None,
) -> RequestCost:
    """Read `count` of the repositories that were asked for by REST too, the same ones in every try of a day.

    The authors and the outcome have to be the same: a repository without commits may have lost them all.

    A repository may be pushed to between two readings, so a difference is believed when it is there after
    both have read once more. Returns what it cost. A verification that ends by an error or a long limit
    begins anew in the next try, and what it cost until then is in no figure: those are of finished work.

    Args: check_lease: called before each repository; what it raises ends the verification.
    Raises: ApisDiffer; and as CommitSource.fetch.
    """
    cost = RequestCost()
    if not count:
        return cost
    day = ranking.day
    sample = sample_of(records, count, day)
    positions = {record.position for record in sample}
    ranked = {n: repository for n, repository in enumerate(ranking, start=1) if n in positions}
    for record in sample:
        await asyncio.to_thread(check_lease)
        read = partial(_read, repository=(record.position, ranked[record.position]), day=day, cost=cost)
        if (record.outcome, record.authors) == await read(rest):
            continue
        log.warning("%s: GraphQL and REST differ, reading both again", record.repo)
        again, by_rest = await read(graphql), await read(rest)
        if again != by_rest:
            raise ApisDiffer(record.repo, *_difference(again, by_rest))
    log.info("verified by REST: outcome and authors of %d repositories are those of GraphQL", len(sample))
    return cost


def sample_of(records: Iterable[FetchedRepository], count: int, day: date) -> list[FetchedRepository]:
    """Return so many of the repositories that were asked for, chosen by day and id alone."""
    found = (record for record in records if record.outcome != "unpushed")
    return heapq.nsmallest(
        count, found, key=lambda record: (blake2b(f"{day} {record.id}".encode()).digest(), record.id)
    )


async def _read(
    source: CommitSource, repository: tuple[int, Repository], day: date, cost: RequestCost
) -> _Day:
    (record,) = [record async for records in source.fetch([repository], day) for record in records]
    for name in asdict(cost):
        setattr(cost, name, getattr(cost, name) + getattr(record, name))
    return record.outcome, record.authors


def _difference(graphql: _Day, rest: _Day) -> tuple[str, str, str]:
    """Return what differs and what both say: the outcome, else the author whose commits differ most."""
    (outcome, one), (outcome_by_rest, other) = graphql, rest
    if outcome != outcome_by_rest:
        return "the outcome", outcome, outcome_by_rest
    author = max(
        sorted(one.keys() | other.keys()), key=lambda author: abs(one.get(author, 0) - other.get(author, 0))
    )
    return f"commits of {author!a}", str(one.get(author, 0)), str(other.get(author, 0))
