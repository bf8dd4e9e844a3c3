"""Requests per second as the server sees them: equal spacing, taken at the last moment before sending.

Where the wait is placed decides whether the promise holds. Paced before a connection is there, requests pile
up behind a slow handshake and leave together; counted per call, redirects and aiohttp's own second try on a
dropped keep-alive connection go uncounted. So the wait is in the connector, after the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
from aiohttp.tracing import Trace
from yarl import URL

GUARD = 1.05  # 5 % slower than told: with none, network jitter alone shows the server one request too many


class Pacer:
    """Lets callers through one at a time, at equal distance, in the order they came.

    The planned distance is GUARD / requests_per_second. A caller woken up late may use up the guard band of
    the next distance, never more: a stall is not caught up, and any window of one second holds at most
    `requests_per_second` departures. The first caller waits a whole distance too, because another process
    may have sent a request just before this one took over.
    """

    def __init__(self, requests_per_second: float) -> None:
        self._strict_s = 1 / requests_per_second
        self.interval_s = GUARD * self._strict_s
        self._turn = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()

    async def wait(self) -> None:
        """Return at this caller's turn."""
        async with self._turn:
            planned = self._last + self.interval_s
            await asyncio.sleep(max(0.0, planned - self._loop.time()))
            # An idle hour leaves no right to hurry; a late wake-up gives back at most the guard band.
            self._last = max(planned, self._loop.time() - (self.interval_s - self._strict_s))


class PacedConnector(aiohttp.TCPConnector):
    """A connector that hands out a connection only at the pacer's turn, and asks `admit` at that very moment.

    Args: admit: called with the URL just before its request is sent; what it raises stops the request.
    """

    def __init__(self, pacer: Pacer, admit: Callable[[URL], None], *, max_concurrent_requests: int) -> None:
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
