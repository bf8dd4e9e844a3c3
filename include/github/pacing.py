"""Requests per second as the server sees them: equal spacing, taken at the last moment before sending.

Where the wait is placed decides whether the promise holds. Paced before a connection is there, requests pile
up behind a slow handshake and leave together; counted per call, redirects and aiohttp's own second try on a
dropped keep-alive connection go uncounted. So the wait is in the connector, after the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import aiohttp
from aiohttp.tracing import Trace
from yarl import URL

GUARD = 1.05  # 5 % slower than told: with none, network jitter alone shows the server one request too many
CATCH_UP_S = 0.005  # of the 50 ms that the guard saves in a second; the other 45 ms are for the network


class Pace(Protocol):
    """Whoever says when the next request may go. Attributes: interval_s, between two of this process."""

    interval_s: float

    async def wait(self) -> None:
        """Return at this caller's turn."""

    async def close(self) -> None:
        """Let go of what it keeps open."""


class Pacer:
    """Lets callers through one at a time, at equal distance, in the order they came.

    The distance is GUARD / requests_per_second. Only a late wake-up of up to CATCH_UP_S is made good, a
    stall is not: n + 1 departures span at least n * distance - CATCH_UP_S, which for n = requests_per_second
    is 1.045 s. The first caller waits a whole distance too, because another process may have sent a request
    just before this one took over.
    """

    def __init__(self, requests_per_second: float) -> None:
        self.interval_s = GUARD / requests_per_second
        self._turn = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()

    async def wait(self) -> None:
        """Return at this caller's turn."""
        async with self._turn:
            planned = self._last + self.interval_s
            await asyncio.sleep(max(0.0, planned - self._loop.time()))
            self._last = max(planned, self._loop.time() - CATCH_UP_S)

    async def close(self) -> None:
        """Do nothing: it keeps nothing open."""


class PacedConnector(aiohttp.TCPConnector):
    """A connector that hands out a connection only at the pacer's turn, and asks `admit` at that very moment.

    Args: admit: called with the URL just before its request is sent; what it raises stops the request.
    """

    def __init__(self, pacer: Pace, admit: Callable[[URL], None], *, max_concurrent_requests: int) -> None:
        super().__init__(limit=max_concurrent_requests)
        self._pacer, self._admit = pacer, admit

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> aiohttp.connector.Connection:
        """Return a live connection whose turn has come."""
        while True:
            connection = await super().connect(req, traces, timeout)
            try:
                await self._pacer.wait()
                if not connection.closed:
                    self._admit(req.url)
                    return connection
                connection.close()  # the server hung up while we queued: no request was sent on it
            except BaseException:
                connection.release()
                raise
