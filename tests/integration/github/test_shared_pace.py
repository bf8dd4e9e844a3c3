"""The rate as the server sees it where several processes ask at once."""

import asyncio
import sys
from asyncio.subprocess import Process

import psycopg2.extensions

from include.github_stand_in.app import REQUEST_LOG
from include.http.pacing import GUARD
from tests.integration.github import asking_together

RPS, REQUESTS = 30, 45


async def test_three_processes_keep_one_rate(stand_in, postgres_server, postgres_database):
    """No second has more than one may ask in it, together they come near; a killed one leaves no gap."""
    app, url = await stand_in()
    postgres = psycopg2.extensions.make_dsn(**postgres_server.parameters | {"dbname": postgres_database})

    async def start(requests: int) -> Process:
        command = ("-m", asking_together.__name__, str(url), postgres, str(RPS), str(requests))
        return await asyncio.create_subprocess_exec(sys.executable, *command)

    log = app[REQUEST_LOG].requests
    victim, *others = await asyncio.gather(start(10_000), *[start(REQUESTS) for _ in range(2)])
    try:
        while len(log) < REQUESTS and victim.returncode is None:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.02)
        victim.kill()
        assert [await other.wait() for other in others] == [0, 0]
    finally:
        for process in (victim, *others):
            if process.returncode is None:
                process.kill()
                await process.wait()
    at = sorted(request.at_s for request in log)
    assert len(at) >= 2 * REQUESTS
    # One more for the clock: here the server shares two cores with all of them.
    assert max(sum(begin <= moment < begin + 1 for moment in at) for begin in at) <= RPS + 1
    assert len(at) - 1 > 0.8 * RPS / GUARD * (at[-1] - at[0])
