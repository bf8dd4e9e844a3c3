"""Reads the commits of every ranked repository, resumes after a kill, and stages the run's tables."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice

from pydantic import JsonValue

from include.github.api.client import GitHubClient
from include.github.api.models import Repository
from include.github.commits.checkpoint import CommitCheckpoint, unseen_because
from include.github.commits.source import CommitSource, FetchedRepository
from include.github.errors import MostlyForbidden, MostlyGone, MostlyOdd
from include.github.progress import Progress
from include.github.rank import Ranking, require_request
from include.github.request import TopRepositoriesRequest
from include.github.tables import write_tables
from include.http.errors import HttpError, RateLimitedUntil
from include.http.request_cost import RequestCost
from include.http.retries import RetryBudget
from include.staging.files import StagingPath
from include.staging.manifest import Manifest, StagedBy, own_manifest, parts_are_whole, save_manifest

TASK = "fetch"  # of the DAG: what an error of its files says to clear
TICK_S = 5.0
# One or two of the top repositories may vanish between ranking and fetch; three, and most of all, do not.
FEWEST_UNSEEN = 3
ENOUGH_TO_JUDGE = 100  # repositories: a token that sees nothing is not to be tried on the rest of a long list
READ_AHEAD = 500  # ranked repositories in memory: 100,000 take 1.35 times what 1,000 do (bench rank_memory)

log = logging.getLogger(__name__)


async def _unverified(records: CommitCheckpoint) -> RequestCost:  # noqa: ARG001
    """Believe the records."""
    return RequestCost()


async def fetch(
    client: GitHubClient,
    source: CommitSource,
    ranking: Ranking,
    request: TopRepositoriesRequest,
    directory: StagingPath,
    *,
    dag_id: str,
    run_id: str,
    now: Callable[[], datetime],
    check_lease: Callable[[], None] = lambda: None,
    verify: Callable[[CommitCheckpoint], Awaitable[RequestCost]] = _unverified,
    tick_s: float = TICK_S,
) -> Manifest:
    """Stage a run's day and return its manifest; where that is there already, without a request.

    What is finished is kept at once: a new try, also after a kill, asks only for the others.

    Args: directory: of the run, the same in every try. check_lease: called at the start and every
        `tick_s` seconds; what it raises (a lost lease) ends the fetch. verify: called
        before anything is staged, with the records of all repositories; returns what it cost. What it raises
        ends the fetch too.
    Raises: WrongRanking; RateLimitedUntil; MostlyGone; MostlyForbidden; MostlyOdd; whatever the source
        raises; BadRow; OSError.
    """
    require_request(ranking, request)
    manifest = own_manifest(directory, StagedBy(dag_id, run_id, request.day, TASK))
    if manifest and parts_are_whole(directory, manifest):
        log.info("all of %s is staged already: nothing to ask", request)
        return manifest
    records = await asyncio.to_thread(CommitCheckpoint, directory, ranking)
    await _Fetching(client, source, ranking, records).run(check_lease, tick_s)
    verifying = await verify(records)
    manifest = Manifest(
        dag_id=dag_id,
        run_id=run_id,
        day=request.day,
        task=TASK,
        host=socket.gethostname(),
        written_at=now(),
        tables=write_tables(directory, ranking, records),
        facts=_facts(client, ranking, records, verifying),
    )
    save_manifest(directory, manifest)
    return manifest


class _Fetching:
    """One try: the finished repositories of the tries before it, a queue of the others, and workers."""

    def __init__(
        self, client: GitHubClient, source: CommitSource, ranking: Ranking, records: CommitCheckpoint
    ) -> None:
        self._client, self._source, self._records = client, source, records
        self._day = ranking.request.day
        self._left, self._queueing = records.left(), asyncio.Lock()
        self._queue: list[tuple[int, Repository]] = []
        self._limited: RateLimitedUntil | None = None
        self._saves: set[asyncio.Task[None]] = set()
        client.retries = RetryBudget.for_items(len(ranking))
        unpushed = len(ranking) - records.asked
        self._progress = Progress(client, unpushed + records.finished, len(ranking))

    async def run(self, check_lease: Callable[[], None], tick_s: float) -> None:
        """Work until every repository has an outcome."""
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._progress.watch(tick_s, check_lease))
                async with asyncio.TaskGroup() as workers:
                    for _ in range(self._client.max_concurrent_requests):
                        workers.create_task(self._work())
                watch.cancel()
            self._refuse_mostly_unseen()
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        finally:
            await self._end()
        if self._limited:
            raise self._limited

    async def _work(self) -> None:
        # A worker that meets a long limit ends; the others finish what GitHub still answers, and keep it.
        while not self._limited and (batch := await self._next_batch()):
            try:
                async for records in self._source.fetch(batch, self._day):
                    await self._keep(records)
            except RateLimitedUntil as limit:
                self._limited = max(limit, self._limited or limit, key=lambda limited: limited.until)
                return
            except (MostlyGone, MostlyForbidden, MostlyOdd):
                raise
            except HttpError as error:
                log.error("%s failed, the fetch stops: %s", batch[0][1].full_name, error)  # noqa: TRY400
                error.add_note(_named(batch))
                raise

    async def _keep(self, records: list[FetchedRepository]) -> None:
        await self._save(records)
        self._records.take(records)
        self._progress.done += len(records)
        if any(map(unseen_because, records)):  # no other can make them most
            self._refuse_mostly_unseen()

    async def _next_batch(self) -> list[tuple[int, Repository]]:
        async with self._queueing:
            if not self._queue:  # the ranking may be in an object store
                self._queue = await asyncio.to_thread(lambda: list(islice(self._left, READ_AHEAD)))
            batch, self._queue = self._queue[: self._source.batch], self._queue[self._source.batch :]
        return batch

    async def _save(self, records: list[FetchedRepository]) -> None:
        # In a thread, so that a slow disk delays no request; a thread cannot be cancelled, so it is kept.
        saving = asyncio.create_task(asyncio.to_thread(self._records.save, records))
        self._saves.add(saving)
        saving.add_done_callback(self._saves.discard)
        await asyncio.shield(saving)

    @property
    def _compared(self) -> int:
        """The number of repositories that those not seen are compared with."""
        return max(self._records.finished, min(self._records.asked, ENOUGH_TO_JUDGE))

    @property
    def _mostly_unseen(self) -> bool:
        """Tell whether most are not found, forbidden or odd: that is not their fault."""
        records = self._records
        odd_of_all = records.unseen["odd"] if records.finished == records.asked else 0
        pairs = ((records.unseen.total(), self._compared), (odd_of_all, records.with_commits))
        return any(unseen >= FEWEST_UNSEEN and unseen * 2 > among for unseen, among in pairs)

    def _refuse_mostly_unseen(self) -> None:
        if not self._mostly_unseen:
            return
        unseen, example = self._records.unseen, self._records.first_unseen().repo
        if unseen["odd"] * 2 > unseen.total():
            raise MostlyOdd(unseen["odd"], self._records.finished, example)
        if unseen["forbidden"]:
            raise MostlyForbidden(unseen["forbidden"], unseen["gone"], self._compared, example)
        raise MostlyGone(unseen["gone"], self._compared, example)

    async def _end(self) -> None:
        if self._saves:
            await asyncio.wait(self._saves)
        if self._mostly_unseen:  # or the next try, with a better token, would believe them
            await asyncio.to_thread(self._records.forget_unseen)
        self._progress.tell()


def _named(batch: Sequence[tuple[int, Repository]]) -> str:
    (position, first), (end, last) = batch[0], batch[-1]
    if position == end:
        return f"repository {first.full_name}, position {position}"
    return f"repositories {first.full_name} to {last.full_name}, positions {position} to {end}"


def _facts(
    client: GitHubClient, ranking: Ranking, records: CommitCheckpoint, verifying: RequestCost
) -> dict[str, JsonValue]:
    read_on = ranking.fetched_at.astimezone(UTC)
    outcomes: Counter[str] = Counter()
    totals = Counter(asdict(verifying))
    for record in records:
        outcomes[record.outcome] += 1
        for name in ("commits", "outside", "cleaned", "odd", "requests", "retries", "points", "unchanged"):
            totals[name] += getattr(record, name)
    return {
        "api": str(client.base_url),
        "top": ranking.request.top,
        "query": ranking.request.query,
        "ranked": len(ranking),
        "ranked_at": read_on.isoformat(),
        "is_current": ranking.request.is_current(read_on.date()),
        "outcomes": dict(outcomes),
        "commits": totals["commits"],
        "commits_outside_day": totals["outside"],
        "authors_cleaned": totals["cleaned"],
        "repositories_odd": ranking.odd,
        "commits_odd": totals["odd"],
        "requests": ranking.requests + totals["requests"],
        "retries": totals["retries"],
        "points": ranking.points + totals["points"],
        "unchanged": ranking.unchanged + totals["unchanged"],
        "waited_s": round(client.waited_s, 1),
    }


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
