"""The rate where several processes ask at once.

When a request goes is told by who sends it: a server that shares two cores with all of them notes several at
once what came one by one.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process

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
        return await asyncio.create_subprocess_exec(sys.executable, *command, stdout=PIPE)

    log = app[REQUEST_LOG].requests
    victim, *others = await asyncio.gather(start(10_000), *[start(REQUESTS) for _ in range(2)])
    try:
        while len(log) < REQUESTS and victim.returncode is None:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.02)
        victim.kill()
        printed = [(await process.communicate())[0] for process in (victim, *others)]
        assert [other.returncode for other in others] == [0, 0]
    finally:
        for process in (victim, *others):
            if process.returncode is None:
                process.kill()
                await process.wait()
    at = sorted(float(line) for each in printed for line in each.split())
    assert len(log) >= 2 * REQUESTS
    assert len(at) >= len(log)  # the one that was killed may have had a turn for nothing
    assert max(sum(begin <= moment < begin + 1 for moment in at) for begin in at) <= RPS
    assert len(at) - 1 > 0.8 * RPS / GUARD * (at[-1] - at[0])
