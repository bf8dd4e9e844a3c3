"""Reads a sample of a GraphQL run again by REST: two APIs that count the same commits have to agree."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import date
from functools import partial
from hashlib import blake2b

from include.github.client import GitHubClient
from include.github.commits import RestCommits
from include.github.errors import ApisDiffer
from include.github.fetch import CommitSource
from include.github.models import Repository
from include.github.ranking import Ranking
from include.github.records import FetchedRepository

log = logging.getLogger(__name__)


def verified_by_rest(
    client: GitHubClient, graphql: CommitSource, ranking: Ranking, count: int
) -> Callable[[Iterable[FetchedRepository]], Awaitable[None]]:
    """Return what a fetch calls before it stages anything: see verify()."""
    return partial(verify, ranking=ranking, count=count, graphql=graphql, rest=RestCommits(client))


async def verify(
    records: Iterable[FetchedRepository],
    ranking: Ranking,
    count: int,
    *,
    graphql: CommitSource,
    rest: CommitSource,
) -> None:
    """Read `count` of the repositories with commits by REST too, the same ones in every try of a day.

    A repository may be pushed to between two readings, so a difference is believed when it is there after
    both have read once more.

    Raises: ApisDiffer; and as CommitSource.fetch.
    """
    if not count:
        return
    day = ranking.request.day
    sample = sample_of(records, count, day)
    positions = {record.position for record in sample}
    ranked = {n: repository for n, repository in enumerate(ranking, start=1) if n in positions}
    for record in sample:
        repository = record.position, ranked[record.position]
        if record.authors == (await _read(rest, repository, day)).authors:
            continue
        log.warning("%s: GraphQL and REST differ, reading both again", record.repo)
        again, by_rest = await _read(graphql, repository, day), await _read(rest, repository, day)
        if again.authors != by_rest.authors:
            raise ApisDiffer(record.repo, *_largest_difference(again.authors, by_rest.authors))
    log.info("verified by REST: the authors of %d repositories are those of GraphQL", len(sample))


def sample_of(records: Iterable[FetchedRepository], count: int, day: date) -> list[FetchedRepository]:
    """Return so many of the repositories that have commits, chosen by day and id alone."""
    found = (record for record in records if record.commits)
    return heapq.nsmallest(
        count, found, key=lambda record: (blake2b(f"{day} {record.id}".encode()).digest(), record.id)
    )


async def _read(source: CommitSource, repository: tuple[int, Repository], day: date) -> FetchedRepository:
    (record,) = await source.fetch([repository], day)
    return record


def _largest_difference(one: dict[str, int], other: dict[str, int]) -> tuple[str, int, int]:
    """Return the author whose commits differ most, and both counts."""
    return max(
        ((author, one.get(author, 0), other.get(author, 0)) for author in sorted(one.keys() | other.keys())),
        key=lambda counts: abs(counts[1] - counts[2]),
    )
