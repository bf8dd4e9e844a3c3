"""The ranking of a run: a file that is streamed, for it may be of 100,000 repositories."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from include.github.api.client import GitHubClient
from include.github.api.models import Repository
from include.github.errors import DayNotOver, NothingRanked, WrongRanking
from include.github.request import TopRepositoriesRequest
from include.github.search.checkpoint import CheckpointedSearch
from include.github.search.long_list import LongList
from include.github.search.order import Order
from include.github.search.rest import RestSearch
from include.github.search.short_list import ShortList
from include.github.search.source import Search
from include.http.request_cost import RequestCost
from include.staging.errors import StagingFileDamaged
from include.staging.files import StagingPath, open_buffered, written_atomically
from include.text import first_problem

RANKING = "ranking.ndjson"
OLDER_RANKING = "ranking.json"  # of versions that kept it as one JSON document
TOLD = 10  # of many odd results
TASK = "rank"  # of the DAG: what an error of its file says to clear

log = logging.getLogger(__name__)


class RankingHeader(BaseModel):
    """The first line of a ranking.

    Attributes: request it answers; fetched_at, when stars were read; requests it took, points of GraphQL and
    answers that were unchanged; count of repositories; odd, results that were left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    request: TopRepositoriesRequest
    fetched_at: AwareDatetime
    requests: NonNegativeInt
    points: NonNegativeInt = 0
    unchanged: NonNegativeInt = 0
    count: NonNegativeInt
    odd: NonNegativeInt = Field(default=0, exclude_if=lambda odd: not odd)  # no older version knows it


class Ranking:
    """The ranked repositories, best first: the first has position 1. Each `for` reads the file anew.

    Attributes: path of the file; request it answers; fetched_at, when stars were read; requests it took,
    points of GraphQL, and answers that were unchanged; odd, results that were left out.
    """

    def __init__(self, path: StagingPath, header: RankingHeader) -> None:
        self.path, self._header = path, header
        self.request, self.fetched_at, self.requests = header.request, header.fetched_at, header.requests
        self.points, self.unchanged, self.odd = header.points, header.unchanged, header.odd

    @property
    def day(self) -> date:
        """The day of the commits, UTC."""
        return self.request.day

    def __len__(self) -> int:
        return self._header.count

    def __iter__(self) -> Iterator[Repository]:
        """Yield the repositories. Raises: StagingFileDamaged; OSError."""
        with open_buffered(self.path) as file:
            file.readline()
            count = 0
            for line in file:
                try:
                    yield Repository.model_validate_json(line)
                except ValidationError as error:
                    reason = f"line {count + 2}: {first_problem(error)}"
                    raise StagingFileDamaged(str(self.path), reason, TASK) from error
                count += 1
        if count != len(self):
            raise StagingFileDamaged(str(self.path), f"{count} repositories, expected {len(self)}", TASK)


async def rank(
    client: GitHubClient,
    search: Search,
    request: TopRepositoriesRequest,
    directory: StagingPath,
    now: datetime,
    check_lease: Callable[[], None] = lambda: None,
) -> Ranking:
    """Return the ranking of this run: the saved one, else read it from GitHub and save it.

    `check_lease` is called before each page; what it raises (a lost lease) ends the reading. Of a list that
    is longer than search shows, what was read is kept, and a new try goes on after it.

    Args: search: reads such a list. A shorter one is REST's by whatever API the run asks: it says where its
        results are incomplete, GraphQL does not.
    Raises: WrongRanking where the saved one is of another request; NothingRanked; DayNotOver; SliceTooLarge;
        and as GitHubClient.get.
    """
    if saved := await asyncio.to_thread(saved_ranking, directory):
        require_request(saved, request)
        log.info("ranking of %d repositories is there already, read at %s", len(saved), saved.fetched_at)
        return saved

    def allowed() -> None:
        check_lease()
        _require_over(client, request, now)

    cost, kept = RequestCost(), None
    with closing(Order()) as order:
        if request.top > search.capacity:
            # Where a page ends is told in another way by REST than by GraphQL.
            api, spend = f"{client.base_url} by {type(search).__name__}", client.retries.spend
            kept = CheckpointedSearch(search, directory, api, check_lease=allowed, spend=spend)
            long = LongList(kept, request.query, request.top, request.day, order, cost)
            await long.read()
            odd = long.odd
        else:
            pages = client.bounds.pages
            short = ShortList(RestSearch(client), request.query, request.top, cost, allowed, pages)
            await short.read(order)
            odd = short.odd
        _require_over(client, request, now)
        ranking = await asyncio.to_thread(_save, directory / RANKING, request, now, cost, order, odd)
    if kept:
        await asyncio.to_thread(kept.forget)
    log.info("ranked %d repositories with %d requests", len(ranking), ranking.requests)
    return ranking


def _save(
    path: StagingPath,
    request: TopRepositoriesRequest,
    now: datetime,
    cost: RequestCost,
    order: Order,
    odd: Collection[str],
) -> Ranking:
    count = min(request.top, order.names())
    if not count:
        raise NothingRanked(request.query)
    if count < request.top:
        log.warning("only %d repositories match %r, asked for %d", count, request.query, request.top)
    header = RankingHeader(
        request=request,
        fetched_at=now,
        requests=cost.requests,
        points=cost.points,
        unchanged=cost.unchanged,
        count=count,
        odd=len(odd),
    )
    for each in sorted(odd)[:TOLD]:
        log.warning("a result of the search is odd, and not in the list: %s", each)
    return save_ranking(path, header, order.best(request.top))


def _require_over(client: GitHubClient, request: TopRepositoriesRequest, now: datetime) -> None:
    """Refuse to go on where only our clock, being ahead, takes the day for a whole one."""
    end, theirs = datetime.combine(request.day, time(), UTC) + timedelta(days=1), client.server_time
    if theirs and theirs < end <= now:
        raise DayNotOver(request.day, theirs, now)


def save_ranking(path: StagingPath, header: RankingHeader, repositories: Iterable[Repository]) -> Ranking:
    """Write a ranking, whole or not at all. Raises: OSError."""
    with written_atomically(path) as write:
        write(header.model_dump_json().encode() + b"\n")
        for repository in repositories:
            write(repository.model_dump_json(by_alias=True).encode() + b"\n")
    return Ranking(path, header)


def saved_ranking(directory: StagingPath) -> Ranking | None:
    """Return the ranking of a run if it is there, and whole: what is not is told."""
    path = directory / RANKING
    try:
        with open_buffered(path) as file:
            header = RankingHeader.model_validate_json(file.readline())
        ranking = Ranking(path, header)
        for _ in ranking:
            pass
    except FileNotFoundError:
        if (directory / OLDER_RANKING).exists():
            log.warning("%s is of an older version, asking GitHub again", directory / OLDER_RANKING)
        return None
    except (ValidationError, StagingFileDamaged) as error:
        reason = first_problem(error) if isinstance(error, ValidationError) else error.reason
        log.warning("%s is not readable, asking GitHub again: %s", path, reason)
        return None
    return ranking


def require_request(ranking: Ranking, request: TopRepositoriesRequest) -> None:
    """Raise WrongRanking unless the ranking is of this request."""
    if ranking.request != request:
        raise WrongRanking(str(ranking.path), str(ranking.request), str(request))
