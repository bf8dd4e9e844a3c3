"""The stand-in with any number of repositories, one of so many pushed to: for what its search never shows.

`python -m tests.bench.crowd_stand_in COUNT PUSHED_EVERY ...` takes the options of `include.github_stand_in`.
"""

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from include.github.api.models import Repository as RankedRepository
from include.github_stand_in.__main__ import _line_writer, read_arguments, serve
from include.github_stand_in.dataset import Repository, Standing
from include.github_stand_in.sample import Sample

PLAIN_RANKS = (101, 300)  # of the sample; those before hold the rarities
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Crowd(Sample):
    """Copies of the sample's plain repositories, each with a name and an id of its own."""

    def __init__(self, count: int, pushed_every: int) -> None:
        super().__init__()
        self._pushed_every = pushed_every
        first, last = PLAIN_RANKS
        plain = self.repositories[first - 1 : last]
        self.repositories: Sequence[Repository] = tuple(
            replace(
                plain[number % len(plain)],
                id=50_000_000 + number,
                name=f"{plain[number % len(plain)].name}-{number}",
                stars=2 * count - number,
                standing=Standing.PRESENT,
            )
            for number in range(count)
        )
        self._rank = {r.id: first + number % len(plain) for number, r in enumerate(self.repositories)}

    def pushed_at(self, repository: Repository, as_of: datetime) -> datetime:
        """Return `as_of` for one of so many repositories."""
        return as_of if repository.id % self._pushed_every == 0 else LONG_AGO

    def ranked(self, as_of: datetime) -> Iterator[RankedRepository]:
        """Yield the repositories as a ranking has them."""
        for r in self.repositories:
            yield RankedRepository.model_validate(
                {
                    "id": r.id,
                    "name": r.name,
                    "owner": {"login": r.owner.login},
                    "full_name": r.full_name,
                    "stargazers_count": r.stars,
                    "watchers_count": r.stars,
                    "forks_count": r.forks,
                    "language": r.language,
                    "updated_at": as_of,
                    "pushed_at": self.pushed_at(r, as_of),
                }
            )


def main(count: int, pushed_every: int, arguments: list[str]) -> None:
    """Serve until SIGTERM."""
    options = read_arguments(arguments)
    with contextlib.ExitStack() as opened:
        log = _line_writer(options.request_log, opened) if options.request_log else None
        asyncio.run(serve(options, Crowd(count, pushed_every), log))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
