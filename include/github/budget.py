"""What GitHub still allows, known from its headers, spent before it is refused.

Per resource ("core", "search"): `remaining` of the last answer, less every request still on its way, for
they may not be in that figure yet. Nothing left: wait for an answer or for the reset. Nothing known: one
request goes first, to find out. A closed resource stops all requests, also those already in the queue.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.github.answers import EVERYTHING, Limited, Quota
from include.github.errors import LimitNeverLifts, RateLimitedUntil
from include.github.limits import Bounds, Closure, LimitMemory, longest

_UNCOUNTED = -1  # the server sends no rate limit headers: a GitHub Enterprise with limits switched off

log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What one piece of work cost. Attributes: requests sent; retries among them."""

    requests: int = 0
    retries: int = 0


class NotNow(Exception):
    """The limit closed between queueing and sending: queue again. Never leaves the client."""


@dataclass
class _Resource:
    """remaining: None where not known yet, or _UNCOUNTED; full_at: when it is full again."""

    remaining: int | None = None
    full_at: datetime | None = None
    in_flight: int = 0

    @property
    def available(self) -> int:
        if self.remaining is None:
            return 1 - self.in_flight
        return 1 if self.remaining == _UNCOUNTED else self.remaining - self.in_flight


@dataclass
class Slot:
    """The right to send one request. Attributes: since, when it was given; sent, requests sent on it."""

    resource: str
    tally: Tally
    since: datetime
    sent: int = 0
    answered: bool = False


_SLOT: ContextVar[Slot] = ContextVar("slot")


class Budget:
    """Guards every request of a process. One event loop, one instance an account.

    Attributes: requests, sent so far; waited_s, what limits have cost so far, in seconds.
    """

    def __init__(self, memory: LimitMemory, bounds: Bounds, now: Callable[[], datetime]) -> None:
        self._memory, self._bounds, self._now = memory, bounds, now
        self._closures: dict[str, Closure] = {}
        self._resources: defaultdict[str, _Resource] = defaultdict(_Resource)
        self._changed = asyncio.Event()
        self.requests, self.waited_s = 0, 0.0

    def recall(self) -> None:
        """Take up the limits that an earlier process met."""
        self._closures = self._memory.read()

    @asynccontextmanager
    async def slot(self, resource: str, tally: Tally) -> AsyncIterator[Slot]:
        """Wait until a request of `resource` may be sent, and hold its place until its answer is read.

        Raises: RateLimitedUntil where the wait is longer than the patience.
        """
        state = self._resources[resource]
        await self._wait_until_open(resource)
        state.in_flight += 1
        slot = Slot(resource, tally, self._now())
        token = _SLOT.set(slot)
        try:
            yield slot
        finally:
            _SLOT.reset(token)
            state.in_flight -= 1
            # Whatever left without coming back may have been counted all the same.
            self._charge(slot.resource, slot.sent - slot.answered)
            self._wake_all()

    def admit(self, _url: object = None) -> None:
        """Count a request, at the moment it is sent; NotNow if the limit closed while it queued."""
        slot = _SLOT.get()
        state = self._resources[slot.resource]
        over = state.remaining is not None and 0 <= state.remaining < state.in_flight + slot.sent
        if over or self._closure(slot.resource):
            raise NotNow
        slot.sent += 1
        slot.tally.requests += 1
        self.requests += 1

    def learn(self, slot: Slot, quota: Quota | None, *, whole: bool) -> None:
        """Take in the figures of an answer that was no refusal.

        Args: quota: None where the answer has no such headers. whole: it is an answer of the API itself (200)
            and not of some proxy before it: then no headers mean that limits are switched off.
        """
        self._forget_strikes(slot)
        state = self._resources[slot.resource]
        if quota is None:
            if whole and state.remaining is None:
                state.remaining = _UNCOUNTED
            return
        slot.answered = True
        full_at = self._now() + timedelta(seconds=quota.reset_in_s)
        if state.remaining not in (None, _UNCOUNTED) and _same_window(state.full_at, full_at):
            # Answers overtake each other: within one window the smallest figure is the newest.
            state.remaining = min(state.remaining or 0, quota.remaining)
        else:
            state.remaining, state.full_at = quota.remaining, full_at
        self._close_if_spent(slot.resource)

    def refused(self, slot: Slot, limit: Limited) -> None:
        """Close a resource because GitHub said so.

        Raises: LimitNeverLifts after too many refusals in a row.
        """
        slot.answered = True
        before = self._closures.get(limit.resource)
        # Requests that were on their way when the limit closed are refused too: the same strike, not more.
        repeated = before is not None and slot.since < before.until
        strikes = (before.strikes if before else 0) + (not repeated)
        wait_s = limit.wait_s or self._bounds.secondary_wait_s * 2 ** max(0, strikes - 1)
        until = self._now() + timedelta(seconds=wait_s)
        if before and repeated and before.until >= until:
            return
        if strikes > self._bounds.strikes:
            self._close(limit.resource, until, limit.reason)
            raise LimitNeverLifts(strikes, limit.reason)
        self._close(limit.resource, until, limit.reason, strikes)

    def _forget_strikes(self, slot: Slot) -> None:
        """Drop the closures that were over when the answered request set out: they are proven lifted."""
        kept = {name: closure for name, closure in self._closures.items() if slot.since < closure.until}
        if len(kept) < len(self._closures):
            self._remember(kept)

    async def _wait_until_open(self, resource: str) -> None:
        while True:
            if closure := self._closure(resource):
                wait_s = (closure.until - self._now()).total_seconds()
                if wait_s > self._bounds.patience_s:
                    raise RateLimitedUntil(resource, closure.until, closure.reason)
                await asyncio.sleep(max(wait_s, 0.001))
            elif self._resources[resource].available > 0:
                return
            else:
                await self._changed.wait()

    def _closure(self, resource: str) -> Closure | None:
        """Return what closes `resource` now."""
        now = self._now()
        righted = {name: closure.by(now) for name, closure in self._closures.items()}
        if righted != self._closures:
            self._remember(righted)  # or every later process would begin to wait anew
        named = [self._closures[name] for name in (resource, EVERYTHING) if name in self._closures]
        return longest(named, now)

    def _charge(self, resource: str, requests: int) -> None:
        state = self._resources[resource]
        if requests and state.remaining is not None and state.remaining > 0:
            state.remaining = max(0, state.remaining - requests)
            self._close_if_spent(resource)

    def _close_if_spent(self, resource: str) -> None:
        state = self._resources[resource]
        if state.remaining == 0 and state.full_at:
            self._close(resource, state.full_at, "x-ratelimit-remaining is 0")

    def _close(self, resource: str, until: datetime, reason: str, strikes: int = 0) -> None:
        closure = Closure(since=self._now(), until=until, reason=reason, strikes=strikes)
        wait_s = (closure.until - closure.since).total_seconds()
        log.warning("rate limit of %r: no request for %.1f s (%s)", resource, wait_s, closure.reason)
        self.waited_s += max(0.0, min(wait_s, self._bounds.patience_s))
        if resource in self._resources:
            # After the reset the old figures mean nothing: one request goes first again.
            self._resources[resource].remaining = self._resources[resource].full_at = None
        self._remember(self._closures | {resource: closure})

    def _remember(self, closures: dict[str, Closure]) -> None:
        self._closures = closures
        self._memory.write(closures)

    def _wake_all(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _same_window(one: datetime | None, other: datetime) -> bool:
    # The Date header is in whole seconds, so the same reset is seen up to a second apart.
    return one is not None and abs((one - other).total_seconds()) < 2  # noqa: PLR2004
