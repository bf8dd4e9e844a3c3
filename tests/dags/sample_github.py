"""A served stand-in of the GitHub API with the project's own sample, for tests that are not asynchronous."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time

from aiohttp import web

from include.github.api.models import AUTHOR_CHARACTERS
from include.github_stand_in.app import FAULTS, REQUEST_LOG, create_app
from include.github_stand_in.dataset import Commit, Repository
from include.github_stand_in.quota import Quota
from include.github_stand_in.request_log import LoggedRequest
from include.github_stand_in.sample import Sample
from tests.clock import now
from tests.servers.github_schema import SCHEMA_IF_THERE


class SampleGitHub:
    """What is served. Attributes: url; sample; faults."""

    def __init__(self, app: web.Application, port: int, sample: Sample) -> None:
        self.url, self.sample, self._log = f"http://127.0.0.1:{port}", sample, app[REQUEST_LOG]
        self.faults = app[FAULTS]

    @property
    def requests(self) -> list[LoggedRequest]:
        """Requests answered so far."""
        return list(self._log.requests)

    def top(self, count: int) -> list[Repository]:
        """The first repositories by (stars descending, id)."""
        return sorted(self.sample.repositories, key=lambda r: (-r.stars, r.id))[:count]

    def authors(self, repository: Repository, day: date) -> Counter[str]:
        """Commits of the day by author, counted from the sample itself."""
        first, last = (datetime.combine(day, at, UTC) for at in (time(0), time(23, 59, 59)))
        commits, _ = self.sample.commits(repository, first, last, slice(0, 10_000))
        return Counter(map(_author, commits))


@contextmanager
def sample_github() -> Iterator[SampleGitHub]:
    """Serve the sample in a thread until the block ends, by the clock of the tests."""
    plenty, sample = Quota(core_per_hour=1_000_000, search_per_minute=10_000), Sample()
    app = create_app(sample, now=now, anonymous=plenty, with_token=plenty, graphql_schema=SCHEMA_IF_THERE)
    runner, loop = web.AppRunner(app, access_log=None), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def serve() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner.addresses[0][1]

    try:
        port = asyncio.run_coroutine_threadsafe(serve(), loop).result(timeout=30)
        yield SampleGitHub(app, port, sample)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _author(commit: Commit) -> str:
    if commit.author_account:
        return commit.author_account.login
    names = (commit.author.name, commit.author.email) if commit.author else ()
    return next((name for name in names if name.strip()), "(unknown)")[:AUTHOR_CHARACTERS]
