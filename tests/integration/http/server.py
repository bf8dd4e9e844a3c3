"""A real HTTP server that does as a test says, and judges by its own clock what it saw."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise

from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """What the server saw. at: arrival of each request, in seconds of the server's loop."""

    at: list[float] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    @property
    def count(self) -> int:
        """Requests so far."""
        return len(self.at)

    @property
    def per_path(self) -> Counter[str]:
        """Requests of each path, without its query."""
        return Counter(path.partition("?")[0] for path in self.paths)

    def worst_second(self) -> int:
        """Most requests in any window of one second."""
        return max(sum(begin <= at < begin + 1 for at in self.at) for begin in self.at)

    def gaps(self) -> list[float]:
        """Seconds between arrivals."""
        return [later - earlier for earlier, later in pairwise(self.at)]


class RecordingServer:
    """Serves `handler` on a free port and notes every request. handler may be replaced at any time."""

    def __init__(self, handler: Handler) -> None:
        self.handler, self.seen = handler, Seen()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._server = TestServer(app)

    @property
    def url(self) -> URL:
        """Root of the server."""
        return self._server.make_url("/")

    async def start(self) -> None:
        """Listen on a free port."""
        await self._server.start_server()

    async def stop(self) -> None:
        """Close everything."""
        await self._server.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        seen = self.seen
        seen.at.append(asyncio.get_running_loop().time())
        seen.paths.append(request.path_qs)
        seen.headers.append(dict(request.headers))
        seen.in_flight += 1
        seen.most_in_flight = max(seen.most_in_flight, seen.in_flight)
        try:
            return await self.handler(request)
        finally:
            seen.in_flight -= 1


def answers(*responses: Callable[[], web.Response]) -> Handler:
    """Give these answers in turn, then the last one for ever."""
    left = list(responses)

    async def handle(_request: web.Request) -> web.Response:
        return (left.pop(0) if len(left) > 1 else left[0])()

    return handle


def ok(value: object = None, **headers: str) -> Callable[[], web.Response]:
    """Make a maker of a 200 with JSON."""
    return json_answer(200, [] if value is None else value, **headers)


def json_answer(status: int, value: object, **headers: str) -> Callable[[], web.Response]:
    """Make a maker of an answer; `_` in a header name is `-`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda: web.json_response(value, status=status, headers=named)
