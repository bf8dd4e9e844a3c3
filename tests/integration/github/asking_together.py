"""A process of its own that asks at a shared pace: `python -m ... URL POSTGRES RPS REQUESTS`.

It prints when each request goes, in seconds of the clock that all processes of a machine have.
"""

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg

from include.github.api.client import GitHubClient
from include.http.cooldown_store import CooldownStore
from include.http.pacing import GUARD
from include.http.request_cost import RequestCost
from include.postgres.pace import SharedPacer

PROCESSES = 3


class NotedPacer(SharedPacer):
    """Prints each turn."""

    async def wait(self) -> None:
        """Return at this caller's turn, and print when that is."""
        await super().wait()
        sys.stdout.write(f"{time.monotonic()}\n")
        sys.stdout.flush()


async def main(url: str, postgres: str, requests_per_second: float, requests: int) -> None:
    """Ask as often as told, five requests at a time."""
    connect = partial(psycopg.AsyncConnection.connect, postgres, autocommit=True)
    distance_s = GUARD / requests_per_second
    with tempfile.TemporaryDirectory() as directory:
        client = GitHubClient(
            url,
            tokens=(),
            requests_per_second=requests_per_second,
            max_concurrent_requests=5,
            timeout_s=30,
            limits=CooldownStore(Path(directory)),
            now=partial(datetime.now, UTC),
            pace=lambda: NotedPacer(connect, "github", distance_s, PROCESSES),
        )
        async with client:
            await asyncio.gather(*(client.get(client.base_url, dict, RequestCost()) for _ in range(requests)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
