"""Requests per second as the server sees them: equal spacing, taken at the last moment before sending.

Where the wait is placed decides whether the promise holds. Paced before a connection is there, requests pile
up behind a slow handshake and leave together; counted per call, redirects and aiohttp's own second try on a
dropped keep-alive connection go uncounted. So the wait is in the connector, after the connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

import aiohttp
from aiohttp.tracing import Trace
from yarl import URL

GUARD = 1.04  # 4 % slower than told: of each second 40 ms are for the network, which may bunch requests
CATCH_UP_S = 0.05  # late wake-ups of up to that in all are made good, a stall is not
LEAST_DISTANCE = 0.75  # of the even one, while that is done


class Pace(Protocol):
    """Whoever says when the next request may go. Attributes: interval_s, between two of this process."""

    interval_s: float

    async def wait(self) -> None:
        """Return at this caller's turn."""

    async def close(self) -> None:
        """Let go of what it keeps open."""


class Pacer:
    """Lets callers through one at a time, at equal distance, in the order they came.

    The distance is GUARD / requests_per_second. Who wakes up late is followed a little closer, but n + 1
    departures always span n distances or more: 1.04 s for n = requests_per_second, so that a busy worker
    reaches the rate and no second has one more. The first caller waits a whole distance too, because another
    process may have sent a request just before this one took over.
    """

    def __init__(self, requests_per_second: float) -> None:
        self.interval_s = GUARD / requests_per_second
        self._turn = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        count, now = max(1, int(requests_per_second)), self._loop.time()
        self._sent = deque((now - back * self.interval_s for back in reversed(range(count))), count)

    async def wait(self) -> None:
        """Return at this caller's turn."""
        async with self._turn:
            a_second_after = self._sent[0] + len(self._sent) * self.interval_s
            planned = max(a_second_after, self._sent[-1] + LEAST_DISTANCE * self.interval_s)
            await asyncio.sleep(max(0.0, planned - self._loop.time()))
            stalled_s = self._loop.time() - planned - CATCH_UP_S
            if stalled_s > 0:
                self._sent = deque((at + stalled_s for at in self._sent), len(self._sent))
            self._sent.append(self._loop.time())

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
