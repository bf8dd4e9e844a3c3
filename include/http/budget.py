"""The budget of an API: its quota, known from headers, never overdrawn.

Per token and resource: `remaining` of the last answer, less a share kept in reserve, less every request
still on its way. The token with the most left goes next. Nothing left: wait for an answer or for the reset.
A closed resource stops all requests, also those already in the queue.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.http.allowance import SAME_RESET, UNCOUNTED, Allowance
from include.http.bounds import Bounds
from include.http.cooldown_store import Cooldown
from include.http.cooldowns import Cooldowns
from include.http.errors import LimitNeverLifts, RateLimitedUntil
from include.http.limits import EVERYTHING, Limited, Quota
from include.http.request import Request
from include.http.request_cost import RequestCost
from include.http.rules import ApiRules
from include.http.tokens import Token

log = logging.getLogger(__name__)


class WindowClosed(Exception):
    """The limit closed between queueing and sending: queue again. Never leaves the client."""


class AlreadySent(Exception):
    """aiohttp lost the connection and would send again what may be sent once. Never leaves the client."""


@dataclass
class Slot:
    """The right to send one request.

    Attributes: repeatable, it may be sent once more; since, when it was given; sent, how often it was;
    status, of its answer, 0 until the headers are there.
    """

    token: Token
    resource: str
    repeatable: bool
    allowance: Allowance
    cost: RequestCost
    since: datetime
    sent: int = 0
    status: int = 0
    answered: bool = False


_SLOT: ContextVar[Slot] = ContextVar("slot")


class Budget:
    """Guards every request of a process. One event loop, one instance a client.

    Args: reserve: share of each token's limit that is left to others.
    Attributes: requests, sent so far; waited_s, what limits have cost so far, in seconds.
    """

    def __init__(
        self,
        tokens: Sequence[Token],
        cooldowns: Cooldowns,
        bounds: Bounds,
        now: Callable[[], datetime],
        reserve: float,
        rules: ApiRules,
    ) -> None:
        self._tokens, self._cooldowns, self._bounds, self._now = list(tokens), cooldowns, bounds, now
        self._reserve, self._rules = reserve, rules
        self._allowances: dict[tuple[Token, str], Allowance] = {}
        self._changed = asyncio.Event()
        self.requests, self.waited_s = 0, 0.0

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The tokens that were not rejected."""
        return tuple(self._tokens)

    def left_of(self, tokens: Collection[Token]) -> tuple[Token, ...]:
        """Return which of these were not rejected; of all where empty."""
        return tuple(token for token in self._tokens if not tokens or token in tokens)

    @asynccontextmanager
    async def slot(self, request: Request, cost: RequestCost) -> AsyncIterator[Slot]:
        """Wait until a request may be sent, and hold its place until its answer is read.

        Raises: RateLimitedUntil where the wait is longer than `max_sleep_s`.
        """
        resource = request.resource
        token = await self._choose(resource, request.tokens, best=request.etags.keys())
        allowance, repeatable = self.allowance(token, resource), request.is_repeatable
        slot = Slot(token, resource, repeatable, allowance, cost, self._now())
        slot.allowance.in_flight += 1
        reset = _SLOT.set(slot)
        try:
            yield slot
        finally:
            _SLOT.reset(reset)
            slot.allowance.in_flight -= 1
            # Whatever left without coming back may have been counted all the same.
            if slot.allowance.charge(slot.sent - slot.answered):
                self._close_if_spent(token, resource)
            self._wake_all()

    def admit(self, _url: object = None) -> None:
        """Count a request, at the moment before it is sent: from then on it may be carried out.

        Raises: WindowClosed if the limit closed while it queued; AlreadySent.
        """
        slot = _SLOT.get()
        if slot.sent and not slot.repeatable:
            raise AlreadySent
        if not slot.allowance.covers(slot.sent) or self._cooldowns.of(slot.token, slot.resource):
            raise WindowClosed
        slot.sent += 1
        slot.cost.requests += 1
        self.requests += 1

    def learn(self, slot: Slot, quota: Quota | None, *, whole: bool) -> None:
        """Take in the figures of an answer that was no refusal.

        Args: quota: None where the answer has no such headers. whole: it is an answer of the API itself and
            not of some proxy before it: then no headers mean that limits are switched off.
        """
        if self._rules.is_limited(slot.resource):
            self._cooldowns.forget_lifted(slot.token, slot.resource, slot.since)
        if quota is None:
            if whole and slot.allowance.remaining is None:
                slot.allowance.remaining = UNCOUNTED
            return
        slot.answered = True
        self.take_quota(slot.token, slot.resource, quota)

    def take_quota(self, token: Token, resource: str, quota: Quota) -> None:
        """Take in the figures of a resource, wherever they were told."""
        self.allowance(token, resource).learn(quota, self._now() + timedelta(seconds=quota.reset_in_s))
        self._close_if_spent(token, resource)

    def refused(self, slot: Slot, limit: Limited) -> None:
        """Close a resource because the API said so.

        Raises: LimitNeverLifts after too many refusals in a row.
        """
        slot.answered = True
        before = self._cooldowns.last(slot.token, limit.resource)
        # Requests that were on their way when the limit closed are refused too: the same strike, not more.
        repeated = before is not None and slot.since < before.until
        strikes = (before.strikes if before else 0) + (not repeated)
        wait_s = limit.wait_s or self._bounds.refusal_wait_s * 2 ** max(0, strikes - 1)
        until = self._now() + timedelta(seconds=wait_s)
        if before and repeated and before.until >= until:
            return
        if strikes > self._bounds.strikes:
            self._close(slot.token, limit.resource, until, limit.reason)
            raise LimitNeverLifts(strikes, limit.reason, self._rules.connection)
        self._close(slot.token, limit.resource, until, limit.reason, strikes)

    def set_aside(self, token: Token) -> bool:
        """Ask no more with a token that was rejected; return False, and keep it, where it is the last one."""
        if token in self._tokens and len(self._tokens) > 1:
            self._tokens.remove(token)
            log.warning(
                "%s was rejected (401): going on without it; take it out of the password of the %s",
                token,
                self._rules.connection,
            )
            self._wake_all()
        return token not in self._tokens

    def allowance(self, token: Token, resource: str) -> Allowance:
        """Return what is known of a token's resource. Without a token there is nobody to leave a share to."""
        share = self._reserve if token.text else 0.0
        return self._allowances.setdefault((token, resource), Allowance(share))

    async def _choose(self, resource: str, tokens: Collection[Token], best: Collection[Token]) -> Token:
        while True:
            allowed = self.left_of(tokens) or self.tokens
            cooldowns = {token: self._cooldowns.of(token, resource) for token in allowed}
            ready = [token for token in allowed if not cooldowns[token] and self._merit(token, resource)]
            if ready:
                return max(ready, key=lambda token: (token in best, self._merit(token, resource)))
            closed = [cooldown for cooldown in cooldowns.values() if cooldown]
            if len(closed) < len(allowed):
                await self._changed.wait()
            else:
                await self._wait_for(resource, min(closed, key=lambda cooldown: cooldown.until))

    def _merit(self, token: Token, resource: str) -> float:
        """Return how many requests it has left; of what is not known one request finds out first."""
        allowance = self.allowance(token, resource)
        unknown = allowance.remaining is None and allowance.available > 0
        return math.inf if unknown else max(0, allowance.available)

    async def _wait_for(self, resource: str, cooldown: Cooldown) -> None:
        wait_s = (cooldown.until - self._now()).total_seconds()
        if wait_s > self._bounds.max_sleep_s:
            raise RateLimitedUntil(resource, cooldown.until, cooldown.reason)
        await asyncio.sleep(max(wait_s, 0.001))

    def _close_if_spent(self, token: Token, resource: str) -> None:
        allowance, closed = self.allowance(token, resource), self._cooldowns.of(token, resource)
        if not allowance.spent or allowance.full_at is None:
            return
        if closed and closed.until >= allowance.full_at - SAME_RESET:  # answers on their way when it closed
            allowance.forget()
        else:
            reason = f"x-ratelimit-remaining is {allowance.remaining}"
            if allowance.reserved:
                reason += f", and {allowance.reserved} of {allowance.limit} are kept in reserve"
            self._close(token, resource, allowance.full_at, reason)

    def _close(self, token: Token, resource: str, until: datetime, reason: str, strikes: int = 0) -> None:
        cooldown = Cooldown(since=self._now(), until=until, reason=reason, strikes=strikes)
        wait_s = (cooldown.until - cooldown.since).total_seconds()
        whose = f" of {token}" if token.of > 1 and resource != EVERYTHING else ""
        log.warning(
            "rate limit of %r%s: no request for %.1f s (%s)", resource, whose, wait_s, cooldown.reason
        )
        # After the reset the old figures mean nothing.
        self.allowance(token, resource).forget()
        self._cooldowns.close(token, resource, cooldown)
        ends = [closed.until for other in self._tokens if (closed := self._cooldowns.of(other, resource))]
        if len(ends) == len(self._tokens):
            wait_s = (min(ends) - cooldown.since).total_seconds()
            self.waited_s += max(0.0, min(wait_s, self._bounds.max_sleep_s))

    def _wake_all(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
