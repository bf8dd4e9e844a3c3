"""Who committed to a repository on a day, and how often, by REST."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from yarl import URL

from include.github.answer_errors import Blocked, Empty, NotFound
from include.github.budget import Tally
from include.github.client import GitHubClient
from include.github.errors import RequestFailed, TooManyPages
from include.github.models import Commit, Repository, read_commits
from include.github.reading import Page
from include.github.records import FetchedRepository, Outcome

PAGE_SIZES = (100, 50, 25)  # a page that is too much for GitHub's 10 s is asked for in smaller ones

log = logging.getLogger(__name__)


@dataclass
class CommitCount:
    """The commits of one day. Memory grows with authors and commit ids, not with what they say.

    Attributes: authors, commits of each; outside, commits GitHub sent that are not of the day; cleaned,
    commits of the day whose author is not written as it was sent; moved, the repository answered under
    another address.
    """

    day: date
    authors: Counter[str] = field(default_factory=Counter)
    outside: int = 0
    cleaned: int = 0
    moved: bool = False
    _seen: set[str] = field(default_factory=set)

    @property
    def seen(self) -> int:
        """Return how many different commits came, of the day or not."""
        return len(self._seen)

    def add(self, commits: Iterable[Commit]) -> None:
        """Count each commit once: a push between two pages shows some of them twice."""
        begin = datetime.combine(self.day, time(), UTC)
        end = begin + timedelta(days=1)
        for commit in commits:
            if commit.sha in self._seen:
                continue
            self._seen.add(commit.sha)
            if begin <= commit.committed_at < end:
                author = commit.author
                self.authors[author.name] += 1
                self.cleaned += author.cleaned
            else:
                self.outside += 1


def bounds_of(day: date) -> dict[str, str]:
    """Return since and until of a day: GitHub's include both ends, so the closed range of its seconds."""
    return {"since": f"{day}T00:00:00Z", "until": f"{day}T23:59:59Z"}


async def count_commits(client: GitHubClient, owner: str, name: str, day: date, tally: Tally) -> CommitCount:
    """Read all commits of a day (committer date, UTC, half-open) on the default branch.

    A server that keeps failing is asked from the start for smaller pages.

    Raises: NotFound, Empty, Blocked for the repository; whatever else GitHubClient.get raises.
    Source: https://docs.github.com/en/rest/commits/commits#list-commits
    """
    for per_page in PAGE_SIZES:
        url = client.url("repos", owner, name, "commits", **bounds_of(day), per_page=per_page)
        try:
            return await _count_pages(client, url, CommitCount(day), tally)
        except RequestFailed as error:
            if per_page == PAGE_SIZES[-1] or not overloaded(error):
                raise
            log.warning("%s/%s: pages of %d are too much for the server: %s", owner, name, per_page, error)
    raise AssertionError("the last page size returns or raises")


async def _count_pages(client: GitHubClient, url: URL, count: CommitCount, tally: Tally) -> CommitCount:
    """Follow Link `next` to its end. A full page without one is the last: a day may have just 100 commits."""
    asked: set[URL] = set()
    while True:
        asked.add(url)
        page: Page[list[Commit]] = await client.get(url, read_commits, tally)
        count.add(page.value)
        count.moved |= page.moved
        if page.next_url is None:
            return count
        if page.next_url in asked or len(asked) >= client.bounds.pages:
            raise TooManyPages(str(page.next_url), len(asked))
        url = page.next_url


def overloaded(error: RequestFailed) -> bool:
    """Tell whether a smaller request may be answered."""
    return error.status >= 500 or isinstance(error.__cause__, TimeoutError)  # noqa: PLR2004


class RestCommits:
    """Asks for the commits of each repository by itself, by GET /repos/{owner}/{name}/commits."""

    batch = 1

    def __init__(self, client: GitHubClient) -> None:
        self._client = client

    async def fetch(
        self, ranked: Sequence[tuple[int, Repository]], day: date
    ) -> AsyncIterator[list[FetchedRepository]]:
        """Yield what is known of each repository; 404, 409 empty and 451 are outcomes.

        Raises: whatever else GitHubClient.get raises.
        """
        for positioned in ranked:
            yield [await _fetch_repository(self._client, *positioned, day)]


async def _fetch_repository(
    client: GitHubClient, position: int, repository: Repository, day: date
) -> FetchedRepository:
    tally, count = Tally(), CommitCount(day)
    outcome: Outcome
    try:
        count = await _count_twice(client, repository, day, tally)
        outcome = "moved" if count.moved else "ok"
    except NotFound as error:
        outcome = "gone"
        log.warning("%s is gone: %s", repository.full_name, error)
    except Blocked as error:
        outcome = "blocked"
        log.warning("%s is blocked: %s", repository.full_name, error)
    except Empty:
        outcome = "empty"
    return record_of(position, repository, outcome, tally, count)


def record_of(
    position: int, repository: Repository, outcome: Outcome, tally: Tally, count: CommitCount
) -> FetchedRepository:
    """Make the record of a repository whose commits are counted, and tell what was left out or changed."""
    if count.outside:
        log.warning("%s: %d commits are not of %s: left out", repository.full_name, count.outside, count.day)
    if count.cleaned:
        log.warning(
            "%s: %d commits have an author that no table takes: NUL, a lone surrogate, or too long",
            repository.full_name,
            count.cleaned,
        )
    return FetchedRepository(
        position=position,
        id=repository.id,
        repo=repository.full_name,
        day=count.day,
        outcome=outcome,
        commits=count.authors.total(),
        outside=count.outside,
        cleaned=count.cleaned,
        requests=tally.requests,
        retries=tally.retries,
        points=tally.points,
        unchanged=tally.unchanged,
        authors=dict(count.authors),
    )


async def _count_twice(client: GitHubClient, repository: Repository, day: date, tally: Tally) -> CommitCount:
    """Count; on a 404 once more a little later, for replicas of GitHub lag."""
    names = (repository.owner.login, repository.name)
    try:
        return await count_commits(client, *names, day, tally)
    except NotFound:
        await asyncio.sleep(client.bounds.gone_delay_s)
        return await count_commits(client, *names, day, tally)
