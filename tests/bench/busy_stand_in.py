"""The stand-in with 250 repositories, every one of them pushed to: none may be skipped.

`python -m tests.bench.busy_stand_in` takes the options of `python -m include.github_stand_in`.
"""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from include.github_stand_in.__main__ import _line_writer, read_arguments, serve
from include.github_stand_in.dataset import Repository, Standing
from include.github_stand_in.sample import Sample

REPOSITORIES = 250
PER_PAGE = 100


class BusySample(Sample):
    """The first of the sample, all of them present and pushed to a moment ago."""

    def __init__(self) -> None:
        super().__init__()
        self.repositories: Sequence[Repository] = tuple(
            replace(repository, standing=Standing.PRESENT, moved_to=None)
            for repository in self.repositories[:REPOSITORIES]
        )

    def pushed_at(self, repository: Repository, as_of: datetime) -> datetime:  # noqa: ARG002
        """Return `as_of` itself."""
        return as_of

    def commits_of_day(self, top: int, day: date) -> list[int]:
        """Count the commits of a day (UTC) in each of the first `top` repositories."""
        begin = datetime.combine(day, time(), UTC)
        end = begin + timedelta(days=1, seconds=-1)
        return [self.commits(r, begin, end, slice(0, 1))[1] for r in self.repositories[:top]]


def fewest_requests(commits: Sequence[int]) -> int:
    """Return the requests nobody can do without: pages of 100 repositories, and of 100 commits of each."""
    return -(-len(commits) // PER_PAGE) + sum(max(1, -(-count // PER_PAGE)) for count in commits)


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM."""
    options = read_arguments(arguments)
    with contextlib.ExitStack() as opened:
        asyncio.run(serve(options, BusySample(), _line_writer(options.request_log, opened)))


if __name__ == "__main__":
    main(sys.argv[1:])
