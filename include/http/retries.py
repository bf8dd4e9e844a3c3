"""Retries a request, within a budget of retries for a whole try of a task."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
import stamina

from include.errors import facts_of
from include.http.bounds import Bounds
from include.http.errors import (
    Doubted,
    RequestFailed,
    RequestNotSent,
    RequestOutcomeUnknown,
    RetryBudgetSpent,
    Transient,
)
from include.http.request import Request
from include.http.request_cost import RequestCost

FEWEST_RETRIES = 20
RETRIES_PER_ITEM = 0.1  # a healthy API needs far fewer: one in a thousand requests
CAUSES_KEPT = 3
RETRYABLE = (Transient, RequestNotSent, aiohttp.ClientError, TimeoutError, OSError)

T = TypeVar("T")
log = logging.getLogger(__name__)


class RetryBudget:
    """Counts retries of one try of a task; how many tries a run gets is Airflow's to bound.

    The second look at a doubted answer is none of them: each answer has one, and the server is well.

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
    request: Request,
    cost: RequestCost,
    budget: RetryBudget,
    bounds: Bounds,
    attempts: int | None = None,
    *,
    without_secrets: Callable[[str], str],
) -> T:
    """Ask until there is a usable answer, `attempts` times at most (as the bounds have it, unless given).

    A request that is not repeatable is asked again only where it did not leave. An answer that is not usable
    does not say whether it was carried out, and what `ask` does with an answer can fail in the same ways as
    the connection.

    Args: without_secrets: makes a text fit for a log.
    Raises: RequestFailed after the last one; RetryBudgetSpent; RequestOutcomeUnknown; at once, what no retry
        would change.
    """
    on = RETRYABLE if request.is_repeatable else (RequestNotSent,)
    cause, doubted, attempts = "", False, attempts or bounds.attempts
    try:
        async for attempt in stamina.retry_context(
            on=on,
            attempts=attempts,
            timeout=None,
            wait_initial=bounds.retry_first_s,
            wait_max=bounds.retry_most_s,
            wait_jitter=bounds.retry_jitter_s,
        ).with_name(f"{request.method} request", (), {}):
            if attempt.num > 1:
                if not doubted:
                    budget.spend(cause)
                cost.retries += 1
            with attempt:
                try:
                    return await ask()
                except RETRYABLE as error:
                    cause, doubted = without_secrets(_cause(error, request)), isinstance(error, Doubted)
                    log.warning("attempt %d of %d: %s", attempt.num, attempts, cause)
                    raise
    except RETRYABLE as error:
        url, status = without_secrets(str(request.url)), error.status if isinstance(error, Transient) else 0
        if not isinstance(error, on):
            raise RequestOutcomeUnknown(request.method, url, cause, status) from error
        raise RequestFailed(url, attempts, cause, status) from error
    raise AssertionError("stamina ends by a result or by an error")


def _cause(error: Exception, request: Request) -> str:
    if isinstance(error, Transient | RequestNotSent):
        return facts_of(error)
    return f"{request.url}: {cause_of(error)}"


def cause_of(error: BaseException) -> str:
    """Return the kind of an error and what it says."""
    return f"{type(error).__name__} {error}".rstrip()
