"""The top repositories, read once a run and then used by all of it: the list drifts while one looks at it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from yarl import URL

from include.github.budget import Tally
from include.github.client import GitHubClient
from include.github.errors import DayNotOver, ListCutShort, NothingRanked, TooManyPages, WrongRanking
from include.github.models import Repository, SearchPage, read_search_page
from include.github.request import MAX_TOP, TopRepositoriesRequest
from include.staging.files import StagingPath, write_atomically

RANKING = "ranking.json"
PAGE_SIZE = 100  # the most GitHub gives
READINGS = 3  # of a list that drifts; the last one is filled up from further pages

log = logging.getLogger(__name__)


class Ranking(BaseModel):
    """The ranked repositories, best first: position = index + 1.

    Attributes: request it answers; fetched_at, when stars were read; requests it took; repositories.
    """

    model_config = ConfigDict(frozen=True)
    request: TopRepositoriesRequest
    fetched_at: AwareDatetime
    requests: int
    repositories: tuple[Repository, ...]


async def rank(
    client: GitHubClient,
    request: TopRepositoriesRequest,
    directory: StagingPath,
    now: datetime,
    still_allowed: Callable[[], None] = lambda: None,
) -> Ranking:
    """Return the ranking of this run: the saved one, else read it from GitHub and save it.

    `still_allowed` is called before each page; what it raises (a lost lease) ends the reading.

    Raises: WrongRanking where the saved one is of another request; NothingRanked; DayNotOver; and as
        GitHubClient.get.
    """
    path = directory / RANKING
    if saved := _read_saved(path):
        require_request(saved, request, str(path))
        log.info("ranking of %d repositories is there already, read at %s", _size(saved), saved.fetched_at)
        return saved
    tally = Tally()
    repositories = in_order(await _read_list(client, request, tally, still_allowed))[: request.top]
    _require_over(client, request, now)
    if not repositories:
        raise NothingRanked(request.query)
    if len(repositories) < request.top:
        log.warning(
            "only %d repositories match %r, asked for %d", len(repositories), request.query, request.top
        )
    ranking = Ranking(request=request, fetched_at=now, requests=tally.requests, repositories=repositories)
    await asyncio.to_thread(write_atomically, path, ranking.model_dump_json(by_alias=True).encode())
    log.info("ranked %d repositories with %d requests", _size(ranking), tally.requests)
    return ranking


def require_request(ranking: Ranking, request: TopRepositoriesRequest, path: str) -> None:
    """Raise WrongRanking unless the ranking is of this request."""
    if ranking.request != request:
        raise WrongRanking(path, str(ranking.request), str(request))


def _require_over(client: GitHubClient, request: TopRepositoriesRequest, now: datetime) -> None:
    """Refuse to go on where only our clock, being ahead, takes the day for a whole one."""
    end, theirs = datetime.combine(request.day, time(), UTC) + timedelta(days=1), client.server_time
    if theirs and theirs < end <= now:
        raise DayNotOver(request.day, theirs, now)


def in_order(repositories: Iterable[Repository]) -> tuple[Repository, ...]:
    """Return each repository once, by stars downwards; of equal stars the older (smaller id) first.

    Two ids under one name: a name is set free by a rename or a removal and taken by a newer repository, so
    the larger id is the one that answers to the name; the other is left over in the search index.
    """
    by_name: dict[str, Repository] = {}
    for repository in sorted({r.id: r for r in repositories}.values(), key=lambda r: r.id):
        if stale := by_name.get(repository.full_name.lower()):
            log.warning(
                "%s is listed with ids %d and %d: using the newer", stale.full_name, stale.id, repository.id
            )
        by_name[repository.full_name.lower()] = repository
    return tuple(sorted(by_name.values(), key=lambda r: (-r.stars, r.id)))


async def _read_list(
    client: GitHubClient, request: TopRepositoriesRequest, tally: Tally, still_allowed: Callable[[], None]
) -> list[Repository]:
    """Read the list again while it drifts: an item seen on two pages means that another was seen on none."""
    for reading in range(1, READINGS + 1):
        fill_up = reading == READINGS
        found, drifted = await _read_pages(client, request, tally, still_allowed, fill_up=fill_up)
        if not drifted:
            break
        log.warning("reading %d of %d: the list moved between two pages", reading, READINGS)
    return found


async def _read_pages(
    client: GitHubClient,
    request: TopRepositoriesRequest,
    tally: Tally,
    still_allowed: Callable[[], None],
    *,
    fill_up: bool,
) -> tuple[list[Repository], bool]:
    """Read as few pages as give `top` names; stop at the first repeated item unless told to `fill_up`."""
    found: list[Repository] = []
    ids: set[int] = set()
    names: set[str] = set()
    asked: set[URL] = set()
    url, drifted = _first_page(client, request), False
    while True:
        asked.add(url)
        await asyncio.to_thread(still_allowed)
        page = await client.get(url, read_search_page, tally)
        items = page.value.items
        drifted |= any(repository.id in ids for repository in items)
        found += items
        ids |= {repository.id for repository in items}
        names |= {repository.full_name.lower() for repository in items}
        if drifted and not fill_up:
            return found, drifted
        if page.next_url is None:
            _require_all(page.value, len(ids), request, url)
        if page.next_url is None or len(names) >= request.top:
            return found, drifted
        if page.next_url in asked or len(asked) >= client.bounds.pages:
            raise TooManyPages(str(page.next_url), len(asked))
        url = page.next_url


def _require_all(page: SearchPage, found: int, request: TopRepositoriesRequest, url: URL) -> None:
    """Refuse a list that ends before what it promised: a page without Link is no proof of the end.

    Also one that has all that was asked for: where Link is dropped here, it is dropped from lists of commits
    too, and of those nothing tells how long they are. A few missing ones are the index, which drifts.
    """
    reachable = min(page.total_count, MAX_TOP)
    if found < min(request.top, reachable) or found + PAGE_SIZE <= reachable:
        raise ListCutShort(str(url), found, reachable)


def _first_page(client: GitHubClient, request: TopRepositoriesRequest) -> URL:
    per_page = min(PAGE_SIZE, request.top)
    return client.url(
        "search", "repositories", q=request.query, sort="stars", order="desc", per_page=per_page, page=1
    )


def _read_saved(path: StagingPath) -> Ranking | None:
    try:
        return Ranking.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        log.warning(
            "%s is not readable, asking GitHub again: %s", path, error.errors(include_url=False)[0]["msg"]
        )
        return None


def _size(ranking: Ranking) -> int:
    return len(ranking.repositories)
