"""Reads the commits of every ranked repository, resumes after a kill, and stages the run's tables."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time

from pydantic import JsonValue

from include.github.budget import Tally
from include.github.client import GitHubClient
from include.github.commits import CommitCount, count_commits
from include.github.errors import Blocked, Empty, GitHubError, MostlyGone, NotFound, RateLimitedUntil
from include.github.models import Repository
from include.github.progress import Progress
from include.github.ranking import RANKING, Ranking, require_request
from include.github.records import FetchedRepository, Outcome, read_records, remove_record, save_record
from include.github.request import TopRepositoriesRequest
from include.github.retries import RetryBudget
from include.github.tables import write_tables
from include.staging.files import StagingPath
from include.staging.manifest import Manifest, StagedBy, own_manifest, parts_are_whole, save_manifest

TASK = "fetch"  # of the DAG: what an error of its files says to clear
TICK_S = 5.0
# One or two of the top repositories may vanish between ranking and fetch; three, and most of all, do not.
FEWEST_GONE = 3

log = logging.getLogger(__name__)


async def fetch(
    client: GitHubClient,
    ranking: Ranking,
    request: TopRepositoriesRequest,
    directory: StagingPath,
    *,
    dag_id: str,
    run_id: str,
    now: Callable[[], datetime],
    still_allowed: Callable[[], None] = lambda: None,
    tick_s: float = TICK_S,
) -> Manifest:
    """Stage a run's day and return its manifest; where that is there already, without a request.

    Each finished repository is kept at once: a new try, also after a kill, asks only for the others.

    Args: directory: of the run, the same in every try. still_allowed: called at the start and every
        `tick_s` seconds; what it raises (a lost lease) ends the fetch.
    Raises: WrongRanking; RateLimitedUntil; MostlyGone; whatever GitHubClient.get raises; BadRow; OSError.
    """
    require_request(ranking, request, str(directory / RANKING))
    manifest = own_manifest(directory, StagedBy(dag_id, run_id, request.day, TASK))
    if manifest and parts_are_whole(directory, manifest):
        log.info("all of %s is staged already: nothing to ask", request)
        return manifest
    fetching = _Fetching(client, ranking, directory)
    records = await fetching.run(still_allowed, tick_s)
    manifest = Manifest(
        dag_id=dag_id,
        run_id=run_id,
        day=request.day,
        task=TASK,
        host=socket.gethostname(),
        written_at=now(),
        tables=write_tables(directory, ranking, records),
        facts=_facts(client, ranking, records),
    )
    save_manifest(directory, manifest)
    return manifest


class _Fetching:
    """One try: the finished repositories of the tries before it, a queue of the others, and workers."""

    def __init__(self, client: GitHubClient, ranking: Ranking, directory: StagingPath) -> None:
        self._client, self._directory, self._day = client, directory, ranking.request.day
        ranked = list(enumerate(ranking.repositories, start=1))
        self._records = read_records(directory, ranking)
        self._records |= {
            position: _record(position, repository, "unpushed", Tally(), CommitCount(self._day))
            for position, repository in ranked
            if is_unpushed(repository, self._day)
        }
        self._asked = sum(record.outcome != "unpushed" for record in self._records.values())
        self._queue = deque(item for item in ranked if item[0] not in self._records)
        self._asked += len(self._queue)
        self._limited: RateLimitedUntil | None = None
        self._saves: set[asyncio.Task[None]] = set()
        client.retries = RetryBudget.for_repositories(len(ranked))
        self._progress = Progress(client, len(self._records), len(ranked))

    async def run(self, still_allowed: Callable[[], None], tick_s: float) -> list[FetchedRepository]:
        """Work until every repository has an outcome; return them by position."""
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._progress.watch(tick_s, still_allowed))
                async with asyncio.TaskGroup() as workers:
                    for _ in range(self._client.max_concurrent_requests):
                        workers.create_task(self._work())
                watch.cancel()
            self._refuse_mostly_gone()
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        finally:
            await self._end()
        if self._limited:
            raise self._limited
        return [self._records[position] for position in sorted(self._records)]

    async def _work(self) -> None:
        # A worker that meets a long limit ends; the others finish what GitHub still answers, and keep it.
        while self._queue and not self._limited:
            position, repository = self._queue.popleft()
            try:
                record = await fetch_repository(self._client, position, repository, self._day)
            except RateLimitedUntil as limit:
                self._limited = max(limit, self._limited or limit, key=lambda limited: limited.until)
                return
            except GitHubError as error:
                log.error("%s failed, the fetch stops: %s", repository.full_name, error)  # noqa: TRY400
                error.add_note(f"repository {repository.full_name}, position {position}")
                raise
            self._records[position] = record
            await self._save(record)
            self._progress.done += 1
            if record.outcome == "gone":  # no other can make them most; to count them takes all records
                self._refuse_mostly_gone()

    async def _save(self, record: FetchedRepository) -> None:
        # In a thread, so that a slow disk delays no request; a thread cannot be cancelled, so it is kept.
        saving = asyncio.create_task(asyncio.to_thread(save_record, self._directory, record))
        self._saves.add(saving)
        saving.add_done_callback(self._saves.discard)
        await asyncio.shield(saving)

    def _mostly_gone(self) -> list[FetchedRepository]:
        """Return the repositories not found, if they are most of those asked for: not their fault."""
        gone = [record for record in self._records.values() if record.outcome == "gone"]
        return gone if len(gone) >= FEWEST_GONE and len(gone) * 2 > self._asked else []

    def _refuse_mostly_gone(self) -> None:
        if gone := self._mostly_gone():
            raise MostlyGone(len(gone), self._asked, gone[0].repo)

    async def _end(self) -> None:
        if self._saves:
            await asyncio.wait(self._saves)
        # Or the next try, with a better token, would believe them.
        for record in self._mostly_gone():
            remove_record(self._directory, record)
        self._progress.tell()


def is_unpushed(repository: Repository, day: date) -> bool:
    """Tell whether nothing was pushed since the day began: then the day has no commits, and nobody asks."""
    return repository.pushed_at is not None and repository.pushed_at < datetime.combine(day, time(), UTC)


async def fetch_repository(
    client: GitHubClient, position: int, repository: Repository, day: date
) -> FetchedRepository:
    """Ask for the commits of one repository.

    Raises: whatever GitHubClient.get raises, but for what is an outcome: 404, 409 empty, 451.
    """
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
    if count.outside:
        log.warning("%s: %d commits are not of %s: left out", repository.full_name, count.outside, day)
    if count.cleaned:
        log.warning(
            "%s: %d commits have an author that no table takes: NUL, a lone surrogate, or too long",
            repository.full_name,
            count.cleaned,
        )
    return _record(position, repository, outcome, tally, count)


async def _count_twice(client: GitHubClient, repository: Repository, day: date, tally: Tally) -> CommitCount:
    """Count; on a 404 once more a little later, for replicas of GitHub lag."""
    names = (repository.owner.login, repository.name)
    try:
        return await count_commits(client, *names, day, tally)
    except NotFound:
        await asyncio.sleep(client.bounds.gone_delay_s)
        return await count_commits(client, *names, day, tally)


def _record(
    position: int, repository: Repository, outcome: Outcome, tally: Tally, count: CommitCount
) -> FetchedRepository:
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
        authors=dict(count.authors),
    )


def _facts(
    client: GitHubClient, ranking: Ranking, records: Sequence[FetchedRepository]
) -> dict[str, JsonValue]:
    read_on = ranking.fetched_at.astimezone(UTC)
    return {
        "api": str(client.base_url),
        "top": ranking.request.top,
        "query": ranking.request.query,
        "ranked": len(ranking.repositories),
        "ranked_at": read_on.isoformat(),
        "is_current": ranking.request.is_current(read_on.date()),
        "outcomes": dict(Counter(record.outcome for record in records)),
        "commits": sum(record.commits for record in records),
        "commits_outside_day": sum(record.outside for record in records),
        "authors_cleaned": sum(record.cleaned for record in records),
        "requests": ranking.requests + sum(record.requests for record in records),
        "retries": sum(record.retries for record in records),
        "waited_s": round(client.waited_s, 1),
    }


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
