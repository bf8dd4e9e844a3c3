"""Rate limits as GitHub keeps them: a count per holder and resource, over a fixed window of time."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Resource = Literal["core", "search", "graphql"]
PERIOD_S: dict[Resource, int] = {"core": 3600, "search": 60, "graphql": 3600}


@dataclass(frozen=True, slots=True)
class Quota:
    """The requests, or points of GraphQL, that one holder (a token, or an address without one) may spend.

    Source: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api and
    https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
    """

    core_per_hour: int
    search_per_minute: int
    graphql_per_hour: int = 5000

    def limit(self, resource: Resource) -> int:
        """Return what may be spent in one window of the resource."""
        limits: dict[Resource, int] = {
            "core": self.core_per_hour,
            "search": self.search_per_minute,
            "graphql": self.graphql_per_hour,
        }
        return limits[resource]


ANONYMOUS = Quota(core_per_hour=60, search_per_minute=10, graphql_per_hour=0)
WITH_TOKEN = Quota(core_per_hour=5000, search_per_minute=30)


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a quota: one token, or one address without a token."""

    name: str
    has_token: bool


@dataclass(slots=True)
class Window:
    """The use that one holder has made of one resource. reset: seconds since the Unix epoch.

    The last query of GraphQL may cost more than was left: used is above the limit then.
    """

    resource: Resource
    limit: int
    reset: int
    used: int = 0

    @property
    def spent(self) -> bool:
        """True when the next request is refused."""
        return self.used >= self.limit

    @property
    def remaining(self) -> int:
        """The rest of the quota."""
        return max(0, self.limit - self.used)

    def headers(self) -> dict[str, str]:
        """Return the rate-limit headers that every answer carries."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
            "X-RateLimit-Used": str(self.used),
            "X-RateLimit-Resource": self.resource,
        }

    def as_json(self) -> dict[str, int | str]:
        """Return the entry of `GET /rate_limit`."""
        return {
            "limit": self.limit,
            "used": self.used,
            "remaining": self.remaining,
            "reset": self.reset,
            "resource": self.resource,
        }


class QuotaBook:
    """The windows of all holders. A window opens with a holder's first request."""

    def __init__(self, anonymous: Quota, with_token: Quota) -> None:
        self._anonymous, self._with_token = anonymous, with_token
        self._windows: dict[tuple[Holder, Resource], Window] = {}

    def window(self, holder: Holder, resource: Resource, now: datetime) -> Window:
        """Return the holder's running window; opens the next one when the last has ended."""
        window = self._windows.get((holder, resource))
        if window is None or now.timestamp() >= window.reset:
            quota = self._with_token if holder.has_token else self._anonymous
            opened_at = math.floor(now.timestamp())
            window = Window(resource, quota.limit(resource), opened_at + PERIOD_S[resource])
            self._windows[holder, resource] = window
        return window
