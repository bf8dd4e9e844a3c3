"""The rest of one token's quota of one resource, as far as answers have shown it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.http.limits import Quota

SAME_RESET = timedelta(seconds=2)  # the Date header is in whole seconds: one reset is seen up to one apart
UNCOUNTED = -1  # the server sends no rate limit headers: its limits are switched off


@dataclass
class Allowance:
    """The figures of a window, and the requests on their way: those may not be in the figures yet.

    Attributes: share, of the limit, that is kept in reserve; remaining, None where not known yet, or
    UNCOUNTED; limit, None where not told; full_at, when it is full again; in_flight.
    """

    share: float
    remaining: int | None = None
    limit: int | None = None
    full_at: datetime | None = None
    in_flight: int = 0

    @property
    def reserved(self) -> int:
        """The quota that is not spent. Rounded down: of a limit below ten, 10 % is nothing."""
        return reserved(self.limit, self.share)

    @property
    def available(self) -> float:
        """The number of requests that may be sent. Nothing known: one goes first, to find out."""
        if self.remaining is None:
            return 1 - self.in_flight
        return math.inf if self.remaining == UNCOUNTED else self.remaining - self.reserved - self.in_flight

    @property
    def spent(self) -> bool:
        """True when all that may be spent of a window is."""
        return self.full_at is not None and self.remaining is not None and self.remaining <= self.reserved

    def covers(self, more: int) -> bool:
        """Tell whether there is enough for the requests on their way and so many more."""
        return self.remaining is None or self.available >= more

    def learn(self, quota: Quota, full_at: datetime) -> None:
        """Take in newer figures. Answers overtake each other: in one window the smallest is the newest."""
        if self.remaining not in (None, UNCOUNTED) and _same_window(self.full_at, full_at):
            self.remaining = min(self.remaining or 0, quota.remaining)
        else:
            self.remaining, self.full_at = quota.remaining, full_at
        self.limit = quota.limit

    def charge(self, requests: int) -> bool:
        """Take off requests of which no answer tells; return whether there were figures to take from."""
        if not requests or self.remaining is None or self.remaining <= 0:
            return False
        self.remaining = max(0, self.remaining - requests)
        return True

    def forget(self) -> None:
        """After a reset the figures mean nothing: one request goes first again."""
        self.remaining = self.full_at = None


def reserved(limit: int | None, share: float) -> int:
    """Return how much of a limit is not spent."""
    return math.floor((limit or 0) * share)


def _same_window(one: datetime | None, other: datetime) -> bool:
    return one is not None and abs(one - other) < SAME_RESET
