"""Authors of commits to a repository on a day, with their counts, by REST."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import date

from yarl import URL

from include.errors import facts_of
from include.github.api.answer_errors import Blocked, Empty, Forbidden, NotFound
from include.github.api.client import GitHubClient
from include.github.api.errors import TooManyPages
from include.github.api.models import Repository
from include.github.api.odd_items import SoundCommits, sound_commits
from include.github.api.reading import Page
from include.github.commits.counting import CommitCount, bounds_of, record_of
from include.github.commits.source import FetchedRepository, Outcome
from include.http.errors import RequestFailed
from include.http.request_cost import RequestCost

PAGE_SIZES = (100, 50, 25)  # a page that is too much for GitHub's 10 s is asked for in smaller ones

log = logging.getLogger(__name__)


async def count_commits(
    client: GitHubClient, owner: str, name: str, day: date, cost: RequestCost
) -> CommitCount:
    """Read all commits of a day (committer date, UTC, half-open) on the default branch.

    A server that keeps failing is asked from the start for smaller pages.

    Raises: NotFound, Empty, Blocked, Forbidden for the repository; whatever else GitHubClient.get raises.
    Source: https://docs.github.com/en/rest/commits/commits#list-commits
    """
    for per_page in PAGE_SIZES:
        url = client.url("repos", owner, name, "commits", **bounds_of(day), per_page=per_page)
        try:
            return await _count_pages(client, url, CommitCount(day), cost)
        except RequestFailed as error:
            if per_page == PAGE_SIZES[-1] or not error.overloaded:
                raise
            log.warning(
                "%s/%s: pages of %d are too much for the server: %s", owner, name, per_page, facts_of(error)
            )
    raise AssertionError("the last page size returns or raises")


async def _count_pages(client: GitHubClient, url: URL, count: CommitCount, cost: RequestCost) -> CommitCount:
    """Follow Link `next` to its end. A full page without one is the last: a day may have just 100 commits."""
    asked: set[URL] = set()
    while True:
        asked.add(url)
        page: Page[SoundCommits] = await client.get(url, sound_commits(), cost)
        count.add(page.value.commits)
        count.odd |= set(page.value.odd)
        count.moved |= page.moved
        if page.next_url is None:
            return count
        if page.next_url in asked or len(asked) >= client.bounds.pages:
            raise TooManyPages(str(page.next_url), len(asked))
        url = page.next_url


class RestCommits:
    """Asks for the commits of each repository by itself, by GET /repos/{owner}/{name}/commits."""

    batch = 1

    def __init__(self, client: GitHubClient) -> None:
        self._client = client

    async def fetch(
        self, ranked: Sequence[tuple[int, Repository]], day: date
    ) -> AsyncIterator[list[FetchedRepository]]:
        """Yield what is known of each repository; 403, 404, 409 empty and 451 are outcomes.

        Raises: whatever else GitHubClient.get raises; Forbidden, where a token is refused everything.
        """
        for positioned in ranked:
            yield [await _fetch_repository(self._client, *positioned, day)]


async def _fetch_repository(
    client: GitHubClient, position: int, repository: Repository, day: date
) -> FetchedRepository:
    cost, count = RequestCost(), CommitCount(day)
    outcome: Outcome
    try:
        count = await _count_twice(client, repository, day, cost)
        outcome = "moved" if count.moved else "ok"
    except NotFound as error:
        outcome = "gone"
        log.warning("%s is gone: %s", repository.full_name, facts_of(error))
    except Blocked as error:
        outcome = "blocked"
        log.warning("%s is blocked: %s", repository.full_name, facts_of(error))
    except Forbidden as error:
        await client.require_accepted(cost)
        outcome = "forbidden"
        log.warning("%s is forbidden: %s", repository.full_name, facts_of(error))
    except Empty:
        outcome = "empty"
    return record_of(position, repository, outcome, cost, count)


async def _count_twice(
    client: GitHubClient, repository: Repository, day: date, cost: RequestCost
) -> CommitCount:
    """Count; on a 404 once more a little later, for replicas of GitHub lag."""
    names = (repository.owner.login, repository.name)
    try:
        return await count_commits(client, *names, day, cost)
    except NotFound:
        await asyncio.sleep(client.bounds.gone_delay_s)
        return await count_commits(client, *names, day, cost)
