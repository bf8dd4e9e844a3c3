"""The stand-in with a hundred repositories of which 58 were pushed to since the day began.

`python -m tests.bench.pushed_stand_in` takes the options of `python -m include.github_stand_in`. It lists
branches too, and takes `sha`, which ours never sends: Airbyte's asks for the commits of each branch.
"""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from include.github_stand_in import gateway
from include.github_stand_in.__main__ import _line_writer, read_arguments, serve
from include.github_stand_in.answers import Answer, write
from include.github_stand_in.dataset import Commit, Repository
from include.github_stand_in.rest_api import Call, RestApi
from tests.bench.busy_stand_in import BusySample

REPOSITORIES, PUSHED = 100, 58
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class PushedSample(BusySample):
    """The first 58 were pushed to a moment ago, and have commits; the others have none since 2020."""

    def __init__(self) -> None:
        super().__init__()
        self.repositories = self.repositories[:REPOSITORIES]

    def pushed_at(self, repository: Repository, as_of: datetime) -> datetime:
        """Return when a repository was pushed to."""
        return as_of if self._is_pushed(repository) else LONG_AGO

    def commits(
        self, repository: Repository, since: datetime | None, until: datetime, positions: slice
    ) -> tuple[Sequence[Commit], int]:
        """Return the commits of a page, and how many there are."""
        if self._is_pushed(repository):
            return super().commits(repository, since, until, positions)
        return (), 0

    def _is_pushed(self, repository: Repository) -> bool:
        return repository.id in {each.id for each in self.repositories[:PUSHED]}


class RestApiWithBranches(RestApi):
    """Each repository has one branch."""

    def _repository_call(self, call: Call, repository: Repository, rest: list[str]) -> Answer:
        if rest == ["branches"]:
            return write([{"name": "main", "commit": {"sha": "0" * 40}, "protected": False}]).answer()
        query = {name: value for name, value in call.query.items() if name != "sha"}
        return super()._repository_call(replace(call, query=query), repository, rest)


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM."""
    gateway.RestApi = RestApiWithBranches  # type: ignore[misc]
    options = read_arguments(arguments)
    with contextlib.ExitStack() as opened:
        asyncio.run(serve(options, PushedSample(), _line_writer(options.request_log, opened)))


if __name__ == "__main__":
    main(sys.argv[1:])
