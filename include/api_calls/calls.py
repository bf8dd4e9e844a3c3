"""Calls the rows of a file in their order, each at most once where it must not be repeated.

A row is marked (marks.py), then sent, and its outcome is saved before its worker takes another one. So of a
try that is killed at any moment, at most as many rows as were in flight are marked and have no outcome: those
are `unknown`, unless it does no harm to send them again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice

from include.api_calls.errors import AccessRefused, ApiAway
from include.api_calls.marks import Taken
from include.api_calls.outcomes import Outcome
from include.api_calls.progress import Progress
from include.api_calls.sender import Sender
from include.api_calls.settling import READ_AHEAD, Run, Todo, rows_left
from include.errors import facts_of
from include.http.errors import (
    LimitNeverLifts,
    ProxyRefused,
    RateLimitedUntil,
    RetryBudgetSpent,
    Untrusted,
)

TICK_S = 5.0
KEPT_BACK = 100  # outcomes of repeatable rows that are saved together, at each tick at the latest

# Rows in a row. A connection that is cut loses those in flight, 5 unless it is told otherwise: so many are an
# outage, and somebody has to look in the API for each of them.
MOST_UNKNOWN = 20

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
        self._left = rows_left(run)
        self._queue: list[Todo] = []
        self._queueing, self._finished = asyncio.Lock(), asyncio.Event()
        self._marked: dict[int, datetime] = {}
        self._kept_back: list[Outcome] = []
        self._given_back: list[int] = []
        self._ended: Exception | None = None
        self._unknown_in_a_row = 0
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
                outcome = await self._sender.send(*todo)
                await self._keep([outcome])
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
                self._brake(outcome)

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
        outcomes, last = self._run.outcomes, min(self._taken.high, self._run.staged.rows)
        before = set(outcomes.open_rows(1, last)).difference(self._taken.unsent)
        return before.union(row for row in self._sender.unsure if not outcomes.of(row))

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
            await asyncio.to_thread(self._run.outcomes.merge, single)

    def _judge(self) -> None:
        failed, most = self._run.outcomes.failed_here, self._run.request.max_failed
        if failed > most and not self.stopped:
            self.stopped = f"{failed} rows failed, param max_failed allows {most}"

    def _brake(self, outcome: Outcome) -> None:
        """Send no more where one answer after the other is lost; rows with a key go again, by a budget."""
        is_lost = outcome.outcome == "unknown" and not self._run.staged.recipe.idempotency
        self._unknown_in_a_row = self._unknown_in_a_row + 1 if is_lost else 0
        if self._unknown_in_a_row == MOST_UNKNOWN and not self.stopped:
            self.stopped = (
                f"{MOST_UNKNOWN} rows in a row became unknown, the last one by: {outcome.reason[:200]}. "
                "Next: see whether the API is well again, then clear task call with all after it, which goes "
                "on from here"
            )

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
