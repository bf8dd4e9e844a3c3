"""Retries a request, within a budget of retries for a whole try of a task."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
import stamina
from yarl import URL

from include.http.bounds import Bounds
from include.http.errors import RequestFailed, RetryBudgetSpent, Transient
from include.http.request_cost import RequestCost

FEWEST_RETRIES = 20
RETRIES_PER_ITEM = 0.1  # a healthy API needs far fewer: one in a thousand requests
CAUSES_KEPT = 3
RETRYABLE = (Transient, aiohttp.ClientError, TimeoutError, OSError)

T = TypeVar("T")
log = logging.getLogger(__name__)


class RetryBudget:
    """Counts retries of one try of a task; how many tries a run gets is Airflow's to bound.

    Attributes: limit; spent.
    """

    def __init__(self, limit: int = FEWEST_RETRIES) -> None:
        self.limit, self.spent = limit, 0
        self._causes: deque[str] = deque(maxlen=CAUSES_KEPT)

    @classmethod
    def for_items(cls, count: int) -> RetryBudget:
        """Make the budget of a try that asks for so many things."""
        return cls(max(FEWEST_RETRIES, round(RETRIES_PER_ITEM * count)))

    def spend(self, cause: str) -> None:
        """Take one retry. Raises: RetryBudgetSpent."""
        self._causes.append(cause)
        if self.spent >= self.limit:
            raise RetryBudgetSpent(self.limit, tuple(self._causes))
        self.spent += 1


async def with_retries(
    ask: Callable[[], Awaitable[T]],
    url: URL,
    cost: RequestCost,
    budget: RetryBudget,
    bounds: Bounds,
    attempts: int | None = None,
) -> T:
    """Ask until there is a usable answer, `attempts` times at most (as the bounds have it, unless given).

    Raises: RequestFailed after the last one; RetryBudgetSpent; at once, what no retry would change.
    """
    cause, attempts = "", attempts or bounds.attempts
    try:
        async for attempt in stamina.retry_context(
            on=RETRYABLE,
            attempts=attempts,
            timeout=None,
            wait_initial=bounds.retry_first_s,
            wait_max=bounds.retry_most_s,
            wait_jitter=bounds.retry_jitter_s,
        ).with_name(f"request of {url.path}", (), {}):
            if attempt.num > 1:
                budget.spend(cause)
                cost.retries += 1
            with attempt:
                try:
                    return await ask()
                except RETRYABLE as error:
                    cause = _cause_of(error, url)
                    log.warning("attempt %d of %d: %s", attempt.num, attempts, cause)
                    raise
    except RETRYABLE as error:
        status = error.status if isinstance(error, Transient) else 0
        raise RequestFailed(str(url), attempts, cause, status) from error
    raise AssertionError("stamina ends by a result or by an error")


def _cause_of(error: BaseException, url: URL) -> str:
    if isinstance(error, Transient):
        return str(error)
    return f"{url}: {type(error).__name__} {error}".rstrip()
