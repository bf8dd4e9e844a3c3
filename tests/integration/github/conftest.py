"""Servers and clients for the tests of the GitHub client."""

from datetime import date

import pytest
from aiohttp.test_utils import TestServer

from include.github.api.bounds import GitHubBounds
from include.github.api.client import GitHubClient
from include.github.api.page_cache import PageCache
from include.github.rank import rank
from include.github.request import TopRepositoriesRequest
from include.github.search.rest import RestSearch
from include.github_stand_in.app import create_app
from include.github_stand_in.quota import Quota
from include.github_stand_in.sample import Sample
from include.http.cooldown_store import CooldownStore
from tests.clock import DAY, now
from tests.integration.github.crowd import PLENTY

# Quick, but of the same shape as in production.
BOUNDS = {
    "retry_first_s": 0.01,
    "retry_most_s": 0.05,
    "retry_jitter_s": 0.01,
    "gone_delay_s": 0.02,
    "refusal_wait_s": 0.2,
}

SAMPLE = Sample()


@pytest.fixture
def make_client(tmp_path):
    """Make a client of a URL: fast, with short waits, its limits remembered in this test's directory."""

    def make(
        url,
        *,
        rps=500.0,
        concurrent=5,
        timeout_s=5.0,
        tokens=(),
        clock=now,
        base="",
        reserve=0.1,
        kept=None,
        **bounds,
    ):
        return GitHubClient(
            f"{url}".rstrip("/") + base,
            tokens=tokens,
            requests_per_second=rps,
            max_concurrent_requests=concurrent,
            timeout_s=timeout_s,
            limits=CooldownStore(tmp_path),
            now=clock,
            reserve=reserve,
            kept=kept and PageCache(kept, clock),
            bounds=GitHubBounds(**BOUNDS | bounds),
        )

    return make


@pytest.fixture
async def stand_in():
    """Start the project's stand-in of the API, by itself over its own sample; returns application and URL."""
    servers = []

    async def start(dataset=SAMPLE, **options):
        options = {"anonymous": Quota(5000, 1000)} | options  # more than any test needs by chance
        app = create_app(dataset, now=options.pop("clock", now), **options)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        return app, server.make_url("/")

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
def yesterday() -> date:
    """The day that is over by the clock of the tests, always the same: the sample differs from day to day."""
    return DAY


@pytest.fixture
def top20(yesterday) -> TopRepositoriesRequest:
    """A small run."""
    return TopRepositoriesRequest(top=20, query="stars:>1", day=yesterday)


@pytest.fixture
async def serve_crowd():
    """Serve a data set; returns its application and URL."""
    servers = []

    async def start(dataset, **options):
        app = create_app(dataset, **{"now": now, "anonymous": PLENTY} | options)
        servers.append(TestServer(app))
        await servers[-1].start_server()
        return app, servers[-1].make_url("/")

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
def rank_top(make_client, tmp_path, yesterday):
    """Rank so many in this test's run, as the task does."""

    async def run(url, top, query="stars:>1", check_lease=lambda: None, **options):
        request = TopRepositoriesRequest(top=top, query=query, day=yesterday)
        async with make_client(url, rps=2000, **options) as client:
            search, clock = RestSearch(client), options.get("clock", now)
            return await rank(client, search, request, tmp_path / "run", clock(), check_lease)

    return run
