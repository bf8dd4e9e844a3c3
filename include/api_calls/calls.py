"""Calls the rows of a file in their order, each at most once where it must not be repeated.

A row is marked (marks.py), then sent, and its outcome is saved before its worker takes another one. So of a
try that is killed at any moment, at most as many rows as were in flight are marked and have no outcome: those
are `unknown`, unless it does no harm to send them again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import NamedTuple

from include.api_calls.calling import Call
from include.api_calls.earlier import Earlier, left_out
from include.api_calls.errors import AccessRefused, ApiAway
from include.api_calls.marks import Marks, Taken
from include.api_calls.outcomes import Outcome, Outcomes
from include.api_calls.progress import Progress
from include.api_calls.request import CallsRequest
from include.api_calls.sender import Sender
from include.api_calls.staging import StagedFile
from include.errors import facts_of
from include.http.errors import (
    LimitNeverLifts,
    ProxyRefused,
    RateLimitedUntil,
    RetryBudgetSpent,
    Untrusted,
)

TICK_S = 5.0
READ_AHEAD = 200  # rows whose calls are in memory
KEPT_BACK = 100  # outcomes of repeatable rows that are saved together, at each tick at the latest
MOST_AT_ONCE = 100  # requests at the same time that a connection may allow

NOT_CARRIED_OUT = (
    AccessRefused,
    ApiAway,
    LimitNeverLifts,
    ProxyRefused,
    RateLimitedUntil,
    RetryBudgetSpent,
    Untrusted,
)

NO_TIME = (
    "this run has no more time for calls. Next: clear task call with all after it, which goes on from here"
)

log = logging.getLogger(__name__)


class Todo(NamedTuple):
    """A row to be sent."""

    row: int
    call: Call
    key: str


@dataclass(frozen=True)
class Run:
    """The settings of one run's calls.

    Attributes: staged, the file; request; salt, of the keys: the run's id where all rows are sent again;
    outcomes; marks, None where every call is repeatable; now, our clock; keys, by row, of those that have
    another one than by the rows' own.
    """

    staged: StagedFile
    request: CallsRequest
    salt: str
    outcomes: Outcomes
    marks: Marks | None
    now: Callable[[], datetime]
    keys: dict[int, str] = field(default_factory=dict)

    @property
    def limit(self) -> int:
        """The last row that may be sent."""
        return min(self.request.limit or self.staged.rows, self.staged.rows)


def settle(run: Run, earlier: Earlier, taken: Taken, high: int) -> tuple[int, list[Outcome]]:
    """Give their outcomes to the rows that are not sent.

    Args: earlier, of other runs; taken, what earlier tries of this one marked; high, row up to which they
        may have sent.
    Returns: how many rows are to be sent; outcomes that are to be saved: rows that may have been carried out.
    """
    maker, outcomes, unsent = run.staged.maker(run.salt), run.outcomes, frozenset(taken.unsent)
    again = _may_send_again(run, taken)
    lost, to_do = list[Outcome](), 0
    for row in run.staged:
        if outcomes.of(row.row):
            continue
        if row.problem:
            outcomes.take([Outcome(row.row, "rejected", reason=row.problem)])
            continue
        known = None
        if run.marks and row.row <= high and row.row not in unsent:
            if not again:
                lost.append(_lost(row.row, taken.oldest_at))
                continue
        elif not earlier.empty:
            values = maker.values(row.cells)
            known = left_out(row.row, earlier.of(maker.key(row.row, values, maker.call(values))), run.request)
        if known:
            outcomes.take([known])
        else:
            to_do += row.row <= run.limit
    return to_do, lost


def keep_keys(run: Run, earlier: Earlier) -> None:
    """Give rows that an earlier run left unknown the key by which that one sent them: the API may know it."""
    if not (run.staged.recipe.idempotency and run.request.retry_unknown) or earlier.empty:
        return
    maker = run.staged.maker(run.salt)
    for row in run.staged:
        if not row.problem:
            values = maker.values(row.cells)
            done = earlier.of(key := maker.key(row.row, values, maker.call(values)))
            if done and done.outcome == "unknown" and done.key != key:
                run.keys[row.row] = done.key


def _may_send_again(run: Run, taken: Taken) -> bool:
    """Tell whether rows that may have been sent are known again by the API."""
    key = run.staged.recipe.idempotency
    return bool(key and taken.oldest_at and run.now() - taken.oldest_at < timedelta(hours=key.hours))


def _lost(row: int, marked_at: datetime | None) -> Outcome:
    reason = "the try that sent it was killed before its answer was kept: it may have been carried out or not"
    return Outcome(row, "unknown", 0, reason, 1, "", int(marked_at.timestamp()) if marked_at else 0)


def presumed(taken: Taken, outcomes: Outcomes) -> Taken:
    """Return what earlier tries may have sent.

    Where answers are beyond what is marked, PostgreSQL has been set back: rows go in order, so that no more
    than those at the same time can have been sent beyond the last answer. What was not sent then may have
    been since.
    """
    if outcomes.last <= taken.high:
        return taken
    log.warning("row %d is answered, and not marked: was PostgreSQL restored?", outcomes.last)
    return taken._replace(high=outcomes.last + MOST_AT_ONCE, unsent=())


class Calls:
    """One try: the outcomes of the tries before it, the rows that are left, and workers.

    Args: requests, tells how many were sent so far; to_do, rows to be sent; taken, what earlier tries marked;
        ends_at, when the run has no more time for calls.
    Attributes: stopped, why no more rows are sent, "" where all are.
    """

    def __init__(
        self,
        run: Run,
        sender: Sender,
        progress: Progress,
        requests: Callable[[], int],
        *,
        to_do: int,
        taken: Taken,
        ends_at: datetime | None = None,
    ) -> None:
        self._run, self._sender, self._progress, self._requests = run, sender, progress, requests
        self._to_do, self._taken, self._ends_at = to_do, taken, ends_at
        self._left = self._rows_left()
        self._queue: list[Todo] = []
        self._queueing, self._finished = asyncio.Lock(), asyncio.Event()
        self._marked: dict[int, datetime] = {}
        self._kept_back: list[Outcome] = []
        self._given_back: list[int] = []
        self._ended: Exception | None = None
        self.stopped = ""

    async def run(self, workers: int, check_lease: Callable[[], None], tick_s: float) -> None:
        """Send until every row has an outcome, or no more are to be sent.

        Raises: RateLimitedUntil; whatever ends the try: what is in flight has ended then, and is kept.
        """
        self._progress.begin(self._requests(), self._to_do)
        watch = asyncio.create_task(self._watch(check_lease, tick_s))
        self._judge()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work())
        finally:
            self._finished.set()
            await watch
            await self._keep([], flush=True)
            await self._give_back()
            state = "waiting" if isinstance(self._ended, RateLimitedUntil) else "called"
            await self._tell(state)
        if self._ended:
            raise self._ended

    async def _work(self) -> None:
        while not (self._ended or self.stopped) and (todo := await self._next()):
            try:
                await self._mark(todo.row)
                await self._keep([await self._sender.send(*todo)])
            except NOT_CARRIED_OUT as error:
                self._given_back.append(todo.row)
                if isinstance(error, AccessRefused):
                    self.stopped = self.stopped or str(error)
                elif isinstance(error, RateLimitedUntil) and self._is_late(error.until):
                    self.stopped = self.stopped or f"{facts_of(error)}: {NO_TIME}"
                else:
                    self._end(error)
            except Exception as error:  # noqa: BLE001 - the others end first, and what they know is kept
                self._end(error)
            else:
                self._to_do -= 1
                self._judge()

    async def _mark(self, row: int) -> None:
        """Say that a row may be sent from now on."""
        if self._run.marks:
            now = self._run.now()
            self._marked[row] = now
            await self._run.marks.mark(row, min([*self._marked.values(), self._taken.oldest_at or now]))

    async def _give_back(self) -> None:
        """Say of marked rows that they were not carried out; those with a key may have been, and go again."""
        rows = [row for row in self._given_back if not self._is_unsure(row)]
        if not self._run.marks or not rows:
            return
        try:
            await self._run.marks.unmark(rows)
        except Exception as error:  # noqa: BLE001 - then they count as unknown
            log.warning("rows %s count as perhaps sent: %s", rows, error)

    def unsure(self) -> set[int]:
        """Return rows without an outcome that may have been carried out: they have a key, to go again by."""
        last, unsent = min(self._taken.high, self._run.staged.rows), frozenset(self._taken.unsent)
        before = (row for row in range(1, last + 1) if row not in unsent)
        return {row for row in chain(before, self._sender.unsure) if not self._run.outcomes.of(row)}

    def _is_unsure(self, row: int) -> bool:
        """Whether this try, or an earlier one, may have had a row carried out that is given back."""
        high, unsent, *_ = self._taken
        return row in self._sender.unsure or (row <= high and row not in unsent)

    async def _keep(self, outcomes: Sequence[Outcome], *, flush: bool = False) -> None:
        """Save outcomes: of rows that must not be sent twice at once, others together."""
        self._kept_back += outcomes
        if not self._run.marks and not flush and len(self._kept_back) < KEPT_BACK:
            return
        batch, self._kept_back = self._kept_back, []
        if not batch:
            return
        saving = asyncio.to_thread(self._run.outcomes.save, sorted(batch, key=lambda each: each.row))
        await asyncio.shield(asyncio.ensure_future(saving))
        single = self._run.outcomes.saved(batch)
        for outcome in batch:
            self._marked.pop(outcome.row, None)
        if single:
            records = [record for row in single if (record := self._run.outcomes.get(row))]
            await asyncio.to_thread(self._run.outcomes.merge, records)

    def _judge(self) -> None:
        failed, most = self._run.outcomes.failed_here, self._run.request.max_failed
        if failed > most and not self.stopped:
            self.stopped = f"{failed} rows failed, param max_failed allows {most}"

    def _end(self, error: Exception) -> None:
        """Take no more rows. What is wrong counts more than a limit, and of limits the one that ends last."""
        known = self._ended
        if known is None or (
            isinstance(known, RateLimitedUntil)
            and not (isinstance(error, RateLimitedUntil) and error.until <= known.until)
        ):
            self._ended = error

    def _is_late(self, moment: datetime) -> bool:
        return self._ends_at is not None and moment >= self._ends_at

    async def _tell(self, state: str) -> None:
        """Tell how far it is; the requests go on meanwhile, however slow that place is."""
        requests, to_do = self._requests(), self._to_do
        await asyncio.to_thread(self._progress.tell, self._run.outcomes, state, requests, to_do)

    async def _next(self) -> Todo | None:
        async with self._queueing:
            if not self._queue:
                try:
                    self._queue = await asyncio.to_thread(lambda: list(islice(self._left, READ_AHEAD)))
                except Exception as error:  # noqa: BLE001 - as above
                    self._end(error)
            return self._queue.pop(0) if self._queue else None

    def _rows_left(self) -> Iterator[Todo]:
        run = self._run
        maker = run.staged.maker(run.salt)
        for row in islice(run.staged, run.limit):
            if not run.outcomes.of(row.row):
                values = maker.values(row.cells)
                call = maker.call(values)
                yield Todo(row.row, call, run.keys.get(row.row) or maker.key(row.row, values, call))

    async def _watch(self, check_lease: Callable[[], None], tick_s: float) -> None:
        while not self._finished.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._finished.wait(), tick_s)
                return
            try:
                await asyncio.to_thread(check_lease)
                await self._keep([], flush=True)
                if self._is_late(self._run.now()):
                    self.stopped = self.stopped or NO_TIME
                await self._tell("calling")
            except Exception as error:  # noqa: BLE001 - as above
                self._end(error)
                return
