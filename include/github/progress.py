"""The line in the log that says how far a fetch is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from include.github.api.client import GitHubClient

log = logging.getLogger(__name__)


class Progress:
    """Counts finished repositories and tells about them.

    Attributes: done, finished repositories, also by earlier tries; total.
    """

    def __init__(self, client: GitHubClient, done: int, total: int) -> None:
        self._client, self.done, self.total = client, done, total
        self._time = asyncio.get_running_loop().time
        self._done_before, self._begin_s = done, self._time()
        self._last_s, self._last_requests = self._begin_s, client.requests

    async def watch(self, tick_s: float, check_lease: Callable[[], None]) -> None:
        """Ask `check_lease`, then log a line, now and every `tick_s` seconds, until cancelled."""
        while True:
            # It may ask a database: in a thread, so that a slow one delays no request.
            await asyncio.to_thread(check_lease)
            self.tell()
            await asyncio.sleep(tick_s)

    def tell(self) -> None:
        """Log one line: done of total, requests, rate since the last line, waits for limits, time left."""
        now_s, requests = self._time(), self._client.requests
        # At least half a second, or the first line shows an absurd rate.
        rate = (requests - self._last_requests) / max(now_s - self._last_s, 0.5)
        self._last_s, self._last_requests = now_s, requests
        log.info(
            "%d of %d repositories, %d requests, %.1f/s, waited %.0f s for rate limits, %s",
            self.done,
            self.total,
            requests,
            rate,
            self._client.waited_s,
            self._left(now_s),
        )

    def _left(self, now_s: float) -> str:
        finished, left = self.done - self._done_before, self.total - self.done
        if not left:
            return f"finished in {now_s - self._begin_s:.1f} s"
        if not finished:
            return "time left not known yet"
        return f"about {left * (now_s - self._begin_s) / finished:.0f} s left"
