"""Which rows of a file are to be sent: what earlier tries and earlier runs did is left out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from include.api_calls.calling import Call
from include.api_calls.earlier import Earlier, left_out
from include.api_calls.marks import Marks, Taken
from include.api_calls.outcomes import MERGED, Outcome, Outcomes
from include.api_calls.request import CallsRequest
from include.api_calls.staging import StagedFile
from include.staging.tables import batches

READ_AHEAD = 200  # rows whose calls are in memory
MOST_AT_ONCE = 100  # requests at the same time that a connection may allow

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


def settle(run: Run, earlier: Earlier, taken: Taken) -> tuple[int, list[Outcome]]:
    """Give their outcomes to the rows that are not sent.

    Args: earlier, of other runs; taken, what earlier tries of this one may have sent.
    Returns: how many rows are to be sent; outcomes that are to be saved: rows that may have been carried out.
    """
    staged, outcomes = run.staged, run.outcomes
    for batch in batches(staged.rejects(), MERGED):
        rejected = [Outcome(each.row, "rejected", reason=each.reason) for each in batch]
        outcomes.take([each for each in rejected if not outcomes.of(each.row)])
    marked = outcomes.open_rows(1, min(taken.high, staged.rows)) if run.marks else []
    sent = frozenset(marked).difference(taken.unsent)
    if not earlier.empty:
        _leave_out(run, earlier, sent)
    if _may_send_again(run, taken):
        return outcomes.count_open(run.limit), []
    lost = [_lost(row, taken.oldest_at) for row in sorted(sent)]
    return outcomes.count_open(run.limit) - sum(row <= run.limit for row in sent), lost


def _leave_out(run: Run, earlier: Earlier, sent: AbstractSet[int]) -> None:
    """Give their outcomes to rows that earlier runs have done. Args: sent, rows that this run perhaps has."""
    maker = run.staged.maker(run.salt)
    for block in run.staged.blocks(run.outcomes.any_open):
        rows = [row for row in run.outcomes.open_rows(block.first, block.last) if row not in sent]
        keys = maker.keys(rows, block.cells_of(rows))
        known = earlier.of(keys)
        outcomes = (left_out(row, known.get(key), run.request) for row, key in zip(rows, keys, strict=True))
        run.outcomes.take([outcome for outcome in outcomes if outcome])


def rows_left(run: Run) -> Iterator[Todo]:
    """Yield the rows that are to be sent, in their order; others are not looked at where that can be."""
    outcomes, maker = run.outcomes, run.staged.maker(run.salt)
    for block in run.staged.blocks(lambda first, last: outcomes.any_open(first, min(last, run.limit))):
        rows = outcomes.open_rows(block.first, min(block.last, run.limit))
        for some in batches(rows, READ_AHEAD):
            calls = maker.calls(some, block.cells_of(some))
            for row, (call, key) in zip(some, calls, strict=True):
                yield Todo(row, call, run.keys.get(row, key))


def keep_keys(run: Run, earlier: Earlier) -> None:
    """Give rows that an earlier run left unknown the key by which that one sent them: the API may know it."""
    if not (run.staged.recipe.idempotency and run.request.retry_unknown) or earlier.empty:
        return
    maker = run.staged.maker(run.salt)
    for block in run.staged.blocks():
        rows = block.to_call()
        keys = maker.keys(rows, block.cells_of(rows))
        known = earlier.of(keys)
        for row, key in zip(rows, keys, strict=True):
            if (done := known.get(key)) and done.outcome == "unknown" and done.key != key:
                run.keys[row] = done.key


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
