"""Fixtures that serve the stand-in on a free port of this process."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from include.github_stand_in.app import create_app
from include.github_stand_in.quota import Quota
from include.github_stand_in.sample import Sample

PLENTY = Quota(core_per_hour=100_000, search_per_minute=100_000)
SAMPLE = Sample()


class Clock:
    """The server's time: stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 8, 21, 0, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def pass_s(self, seconds: float) -> None:
        """Move on."""
        self.now += timedelta(seconds=seconds)


@dataclass
class Served:
    """A running stand-in: its application, a session whose base URL it is, and its clock."""

    app: web.Application
    session: ClientSession
    clock: Clock

    async def get(self, url, *, status=200, **headers):
        """Return the JSON body and the headers of an answer that must have this status."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(url, headers=names, allow_redirects=False) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json() if status != 304 else None, answer.headers


@pytest.fixture
async def serve():
    """Start a stand-in with the options of create_app; it is stopped after the test."""
    async with AsyncExitStack() as opened:

        async def start(dataset=SAMPLE, **options):
            clock = Clock()
            options = {"anonymous": PLENTY, "with_token": PLENTY} | options
            app = create_app(dataset, now=clock, **options)
            server = await opened.enter_async_context(TestServer(app))
            session = await opened.enter_async_context(ClientSession(server.make_url("/")))
            return Served(app, session, clock)

        yield start


@pytest.fixture
async def sample(serve):
    """The sample, served without limits."""
    return await serve()
