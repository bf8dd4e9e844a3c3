"""What a day of N repositories takes: the model behind docs/capacity.md, whose tables it prints.

`python -m tests.bench.capacity_model` prints them; `python -m tests.bench capacity` measures the same.
"""

import math
import sys
from dataclasses import dataclass
from typing import NamedTuple

from include.github.request import Api
from include.github.search.source import SEARCH_SHOWS
from include.http.pacing import GUARD
from include.pages.top_repositories_data import HISTORY_DAYS
from include.staging.parts import ROWS_PER_PART

SIZES = (100, 1_000, 10_000, 100_000)
# Assumed: one of so many repositories is pushed to on a day; the longer the list, the fewer.
PUSHED_EVERY = {100: 2, 1_000: 2, 10_000: 5, 100_000: 10}

# GitHub's limits, and ours.
PAGE_SIZE = 100  # repositories of a search, commits of a list
PER_HOUR = 4_500  # requests, or points of GraphQL, of one token: 5,000 less the reserve of a tenth
SEARCH_PER_MINUTE = 27  # 30 less the reserve
BATCH = {"rest": 1, "graphql": 50}  # repositories whose commits are asked for together
REQUESTS_PER_SECOND = 10  # the connection's default
RUN_HOURS = 23  # dagrun_timeout
WORKER_MIB = 2_048 - 200  # of a Celery worker in docker-compose.yaml, less its own
API_SERVER_MIB = 1_024 - 300

# Measured, by python -m tests.bench capacity.
# Requests for a list that is read in slices: for each page of it, and in any case.
SLICED = {"rest": (1.03, 8), "graphql": (0.12, 10)}
AUTHORS = 1.6  # of each repository that was pushed to, in the sample
MIB = 2**20
PROCESS_MIB = 89
FETCH_MIB, FETCH_MIB_EACH = 92, 0.00032


class Seconds(NamedTuple):
    """Time of the stages. rank, fetch: as pace and limits want it; the others: of the processor, one core."""

    rank: float
    fetch: float
    fetch_cpu: float
    load: float
    publish: float
    render: float


@dataclass(frozen=True)
class Day:
    """A day of so many repositories. Attributes: api asked; history_days, how many the page shows."""

    repositories: int
    api: Api = "rest"
    history_days: int = HISTORY_DAYS
    all_pushed: bool = False

    @property
    def asked(self) -> int:
        """Repositories that were pushed to: of each a page is asked for, for less than 101 commits."""
        return self.repositories if self.all_pushed else self.repositories // PUSHED_EVERY[self.repositories]

    @property
    def searches(self) -> int:
        """Requests for the list: a page for each hundred; beyond what search shows of a query, in slices."""
        pages = self.repositories / PAGE_SIZE
        if self.repositories > SEARCH_SHOWS:
            for_each, besides = SLICED[self.api]
            return math.ceil(pages * for_each) + besides
        return math.ceil(pages)

    @property
    def requests(self) -> int:
        """Requests of a day."""
        return self.searches + math.ceil(self.asked / BATCH[self.api])

    @property
    def tokens(self) -> int:
        """Tokens whose limits a run would need."""
        return math.ceil(self.requests / (PER_HOUR * RUN_HOURS))

    @property
    def rows(self) -> int:
        """Rows of the four tables."""
        return round(3 * self.repositories + AUTHORS * self.asked)

    @property
    def load_tasks(self) -> int:
        """Mapped tasks of `load`: so many Celery slots can be busy."""
        tables = (self.repositories,) * 3 + (round(AUTHORS * self.asked),)
        return sum(math.ceil(rows / ROWS_PER_PART) for rows in tables)

    @property
    def staged_bytes(self) -> float:
        """The ranking and the parts; of each repository that was asked for, a small file and rows."""
        return 3_500 + 522 * self.repositories + 267 * self.asked

    @property
    def stored_bytes(self) -> float:
        """On ClickHouse's disk, merged."""
        return 10_000 + 13 * self.rows

    @property
    def page_bytes(self) -> float:
        """The day's page; the API server holds it once for each reader it is being sent to."""
        return 17_000 + self.repositories * (483 + 4 * self.history_days)

    @property
    def fetch_mib(self) -> float:
        """Peak memory of `rank` and `fetch`."""
        return FETCH_MIB + FETCH_MIB_EACH * self.repositories

    @property
    def render_mib(self) -> float:
        """Peak memory of `render`: the ranking of each day that the page shows."""
        return PROCESS_MIB + self.repositories * (0.0033 + 0.000285 * self.history_days)

    def seconds(self, per_second: float = REQUESTS_PER_SECOND, per_hour: float = PER_HOUR) -> Seconds:
        """Return the time of the stages. Args: requests that are allowed a second, and an hour."""
        fetched = self.requests - self.searches
        full_hours = max(0, fetched - 1) // per_hour
        minutes = (self.searches - 1) // SEARCH_PER_MINUTE if self.api == "rest" else 0
        return Seconds(
            rank=minutes * 60 + (self.searches - minutes * SEARCH_PER_MINUTE) * GUARD / per_second,
            fetch=full_hours * 3_600 + (fetched - full_hours * per_hour) * GUARD / per_second,
            fetch_cpu=0.0045 * self.requests + 1e-4 * self.repositories,
            load=0.015 + 5.7e-6 * self.rows,
            publish=0.05 + 4.6e-6 * self.rows,
            render=0.06 + self.repositories * (1.25e-4 + 3.5e-6 * self.history_days),
        )

    def used(self) -> dict[str, float]:
        """Return the share of each limit that the day takes; what is above 1 breaks."""
        return {
            f"the hours of a run ({RUN_HOURS})": sum(self.seconds()[:2]) / 3_600 / RUN_HOURS,
            "memory of a worker, by `fetch`": self.fetch_mib / WORKER_MIB,
            "memory of a worker, by `render`": self.render_mib / WORKER_MIB,
            "memory of the API server, by ten readers": 10 * self.page_bytes / MIB / API_SERVER_MIB,
        }


def table() -> str:
    """Return what a day takes, as a Markdown table with a column for each size."""
    days, busy = [Day(size) for size in SIZES], [Day(size, all_pushed=True) for size in SIZES]
    graphql = [Day(size, "graphql") for size in SIZES]
    all_by_graphql = [Day(size, "graphql", all_pushed=True) for size in SIZES]
    allowed = f"{REQUESTS_PER_SECOND}/s, {PER_HOUR:,} an hour"
    rows = {
        "pushed to, assumed": [f"1 of {PUSHED_EVERY[size]}" for size in SIZES],
        "requests by REST": [f"{day.requests:,}" for day in days],
        "requests by GraphQL": [f"{day.requests:,}" for day in graphql],
        f"`rank` by REST, {SEARCH_PER_MINUTE} searches a minute": [_time(day.seconds().rank) for day in days],
        f"`fetch` by REST, {allowed}": [_time(day.seconds().fetch) for day in days],
        "`rank` and `fetch` by GraphQL": [_time(sum(day.seconds()[:2])) for day in graphql],
        "`fetch` by REST, if all were pushed to": [_time(day.seconds().fetch) for day in busy],
        f"tokens for {RUN_HOURS} h of it": [str(day.tokens) for day in busy],
        "`rank` and `fetch` by GraphQL, if all were": [_time(sum(d.seconds()[:2])) for d in all_by_graphql],
        "rows": [f"{day.rows:,}" for day in days],
        "staging": [_size(day.staged_bytes) for day in days],
        "small files in staging, by REST": [f"{day.asked:,}" for day in days],
        "ClickHouse": [_size(day.stored_bytes) for day in days],
        "ClickHouse, a year of such days": [_size(365 * day.stored_bytes) for day in days],
        "`load` tasks, Celery slots they can use": [str(day.load_tasks) for day in days],
        "`load`, CPU seconds": [f"{day.seconds().load:.1f}" for day in days],
        "`publish` and `check`, CPU seconds": [f"{day.seconds().publish:.1f}" for day in days],
        f"`render`, {HISTORY_DAYS} days, CPU seconds": [f"{day.seconds().render:.1f}" for day in days],
        "memory of `rank` and `fetch`": [f"{day.fetch_mib:,.0f} MiB" for day in days],
        f"memory of `render`, {HISTORY_DAYS} days": [f"{day.render_mib:,.0f} MiB" for day in days],
        f"page, {HISTORY_DAYS} days; API server, for each reader": [_size(day.page_bytes) for day in days],
        "first limit, share of it that is used": [_first(day) for day in days],
    }
    lines = [_line("a day of", [f"{size:,}" for size in SIZES]), _line("---", ["---:"] * len(SIZES))]
    return "\n".join([*lines, *(_line(name, cells) for name, cells in rows.items())])


def _line(name: str, cells: list[str]) -> str:
    return f"| {' | '.join([name, *cells])} |"


def _first(day: Day) -> str:
    shares = day.used()
    name = max(shares, key=lambda each: shares[each])
    return f"{name}: {shares[name]:.0%}"


def _time(seconds: float) -> str:
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3_600 else f"{seconds / 3_600:.1f} h"


def _size(count: float) -> str:
    return f"{count / 1_000:,.0f} kB" if count < 1e6 else f"{count / 1e6:,.1f} MB"


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")
