"""Files that two processes call at once, at the rate of one connection, as the server sees it."""

import asyncio
import os
from collections import Counter
from pathlib import Path

from tests.bench.fetch import most_within
from tests.integration.api_calls.place import Place
from tests.servers.counting_api import CountingApi
from tests.servers.postgres import PostgresServer

RATE, ROWS, LOOKED_AT = 10, 2_000, 50
WINDOW_S = 3  # a busy machine notes requests late: of a second the guard band is 40 ms, of this 120 ms


async def test_processes_share_the_rate(
    tmp_path: Path, postgres_server: PostgresServer, postgres_database: str, api: CountingApi
):
    """Both are at work, and the requests of both together are not more than the rate allows."""
    commands = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        place = Place(tmp_path / name, postgres_server.parameters | {"dbname": postgres_database}, api.url)
        place.deliver("title\n" + "".join(f"{name}{at}\n" for at in range(ROWS)))
        commands.append(place.command(run_id=name, rate=RATE, processes=2, resend="all"))
    running = [await asyncio.create_subprocess_exec(*command, env=os.environ) for command in commands]
    try:
        async with asyncio.timeout(120):
            while len({title[0] for title in api.seen}) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            before = api.seen.total()
            while api.seen.total() < before + LOOKED_AT:
                assert [process.returncode for process in running] == [None, None]
                await asyncio.sleep(0.05)
    finally:
        for process in running:
            if process.returncode is None:
                process.kill()
        await asyncio.gather(*(process.wait() for process in running))
    assert most_within(WINDOW_S, api.at) <= WINDOW_S * RATE
    assert set(api.done.values()) == {1}
    shares = Counter(title[0] for title in list(api.seen)[before:])
    assert min(shares["a"], shares["b"]) > LOOKED_AT / 4
