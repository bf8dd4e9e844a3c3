"""The plan for the day's commits: requests, points, time, and whether the quota has as much."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from attrs import define

from include.errors import PermanentError
from include.github.api.errors import GitHubError
from include.github.request import Api

COMMITS_PER_PAGE = 100
WINDOW = timedelta(hours=1)  # of the quotas of core and graphql
RUN_TIME = timedelta(hours=22)  # of the 23 that a run has; the rest is for ranking, loading, publishing


@define(slots=False)
class PlanNeverFits(GitHubError, PermanentError):
    """The plan takes longer than a run may. Attributes: plan, in words; hours; next_step."""

    plan: str
    hours: int
    next_step: str

    def __str__(self) -> str:
        return f"{self.plan}. A run has {self.hours} h for it, so nothing is asked. Next: {self.next_step}"


class Work(NamedTuple):
    """The work ahead.

    Attributes: ranked, repositories; finished, those that an earlier try has asked; left, those to be asked:
    without the ones nothing was pushed to; spent, requests that the ranking and the finished ones took;
    points, of the ranking; extra_pages, expected beyond the first of those left.
    """

    ranked: int
    finished: int
    left: int
    spent: int
    extra_pages: float
    points: int = 0


class Cost(NamedTuple):
    """The cost. Attributes: requests; points of GraphQL, 0 by REST; by_rest, the requests to REST."""

    requests: int
    points: int
    by_rest: int


class Window(NamedTuple):
    """The quota of a token now; full, from its reset on, each hour anew. The reserve is in neither."""

    now: int
    full: int
    reset_at: datetime


@dataclass(frozen=True)
class Plan:
    """The cost of the rest of a run.

    Attributes: api; work; cost, of the rest; interval_s, between two requests; quota_left, of all tokens,
    and rest_left, of that what REST may take; None where the server tells none; ends_at, when the last answer
    may be there, waits for resets of the api's quota included; None: never.
    """

    api: Api
    work: Work
    cost: Cost
    interval_s: float
    quota_left: int | None
    rest_left: int | None
    planned_at: datetime
    ends_at: datetime | None

    @property
    def requests(self) -> int:
        """Requests of the whole run, with those that it has sent already."""
        return self.work.spent + self.cost.requests

    @property
    def points(self) -> int:
        """Points of GraphQL that the whole run takes, if this is its first try."""
        return self.work.points + self.cost.points

    @property
    def seconds(self) -> int:
        """Seconds that the rest takes at the allowed rate, without waits for a quota."""
        return math.ceil(self.cost.requests * self.interval_s)

    @property
    def fits(self) -> bool:
        """Tell whether the quotas have it now."""
        needed = ((_charged(self.cost, self.api), self.quota_left), (self.cost.by_rest, self.rest_left))
        return all(left is None or units <= left for units, left in needed)

    def require_time(self) -> None:
        """Raise PlanNeverFits where a whole run is too short for the rest: then none of it is asked."""
        if self.ends_at and self.ends_at - self.planned_at <= RUN_TIME:
            return
        slow = timedelta(seconds=self.seconds) > RUN_TIME
        more = "raise requests_per_second" if slow else "put a token, or one more, into the password"
        other = ", set the param api to graphql (with a token)" if self.api == "rest" else ""
        next_step = f"{more} of the GitHub connection{other}, or lower the param top"
        raise PlanNeverFits(str(self), int(RUN_TIME.total_seconds() // 3600), next_step)

    def __str__(self) -> str:
        if not self.work.left:
            return f"nothing is left to be asked of {self.work.ranked:,} repositories"
        points = f", {self.cost.points:,} points" if self.cost.points else ""
        quota = "the server tells no quota" if self.quota_left is None else f"quota left {self.quota_left:,}"
        if self.api == "graphql" and self.cost.by_rest and self.rest_left is not None:
            quota += f", and {self.rest_left:,} requests for the {self.cost.by_rest:,} by rest"
        ends = f"ends about {self.ends_at:%Y-%m-%d %H:%M} UTC" if self.ends_at else "never ends"
        fits = "fits" if self.fits else f"does not fit: with waits for resets it {ends}"
        return (
            f"{self.work.left:,} of {self.work.ranked:,} repositories are to be asked by {self.api}: "
            f"{self.cost.requests:,} requests{points}, {self.seconds:,} s at {1 / self.interval_s:.1f}/s; "
            f"{quota}: {fits}"
        )


def make_plan(
    api: Api,
    work: Work,
    cost: Cost,
    windows: Sequence[Window],
    interval_s: float,
    now: datetime,
    *,
    rest_left: int | None = None,
) -> Plan:
    """Return the plan of `work`. Args: windows: of the tokens, for `api`; empty where nobody counts."""
    per_second = _charged(cost, api) / max(cost.requests, 1) / interval_s
    ends_at = end_of(_charged(cost, api), per_second, windows, now)
    left = sum(window.now for window in windows) if windows else None
    return Plan(api, work, cost, interval_s, left, left if api == "rest" else rest_left, now, ends_at)


def rest_cost(work: Work) -> Cost:
    """One request for each repository, and one for each further page."""
    requests = work.left + math.ceil(work.extra_pages)
    return Cost(requests, 0, requests)


def graphql_cost(work: Work, batch: int, verified: int) -> Cost:
    """One request of a point for each `batch` repositories, as often again where lists go on; REST to verify.

    The lists of a batch go on together: one of many pages takes more, and so do bots, whom REST is asked for.
    Neither is known beforehand.
    """
    batches = math.ceil(work.left / batch)
    queries = batches + min(batches, math.ceil(work.extra_pages))
    by_rest = min(verified, work.left)
    return Cost(queries + by_rest, queries, by_rest)


def end_of(units: float, per_second: float, windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return when so many units are spent: `per_second` at most, and of no window more than it has.

    None: never, for what the windows have when they are full is nothing.
    """
    if not windows or not units:
        return now + timedelta(seconds=units / per_second if units else 0)
    left = {number: float(window.now) for number, window in enumerate(windows)}
    resets = [(window.reset_at, number) for number, window in enumerate(windows)]
    heapq.heapify(resets)
    if units > sum(left.values()) and not any(window.full for window in windows):
        return None
    while True:
        reset_at, renewed = resets[0]
        can = min(sum(left.values()), max(0.0, (reset_at - now).total_seconds()) * per_second)
        if units <= can:
            return now + timedelta(seconds=units / per_second)
        units -= can
        for number in sorted(left, key=lambda number: -left[number]):
            taken = min(left[number], can)
            left[number], can = left[number] - taken, can - taken
        now = max(now, reset_at)
        left[renewed] = float(windows[renewed].full)
        heapq.heapreplace(resets, (now + WINDOW, renewed))


def _charged(cost: Cost, api: Api) -> int:
    return cost.points if api == "graphql" else cost.requests
