"""SIGKILL at any moment, again and again: no row is carried out twice, none is lost."""

import asyncio
import os
import random
import signal

import pytest

from tests.integration.api_calls.place import POSTS, Place
from tests.servers.counting_api import CountingApi

ROWS, KILLS, WORKERS = 400, 8, 5
IDEMPOTENT = POSTS + '[idempotency]\nheader = "Idempotency-Key"\nhours = 24.0\n'


async def killed(place: Place, api: CountingApi, moments: random.Random) -> None:
    """Start a process that calls, and kill it when some more rows were carried out."""
    process = await asyncio.create_subprocess_exec(*place.command(rate=150, workers=WORKERS), env=os.environ)
    wanted = sum(api.seen.values()) + moments.randint(1, 40)
    async with asyncio.timeout(60):
        while sum(api.seen.values()) < wanted and process.returncode is None:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await asyncio.sleep(moments.random() * 0.02)
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    await asyncio.sleep(0.1)  # what was on its way to the server arrives


async def test_killed_again_and_again(place: Place, api: CountingApi):
    """Rows in flight at a kill are unknown, and only they; every other one is done once, and kept."""
    api.latency_s = 0.02
    place.deliver(ROWS)
    moments = random.Random(20260820)  # noqa: S311 - moments of a test
    for _ in range(KILLS):
        await killed(place, api, moments)
    manifest = await place.call(rate=500, workers=WORKERS)
    rows = place.rows(manifest)
    assert [row["row"] for row in rows] == list(range(1, ROWS + 1))
    assert max(api.done.values()) == 1, "a row was carried out twice"
    titles = {row["row"]: f"t{row['row']}" for row in rows}
    unknown = {titles[row["row"]] for row in rows if row["outcome"] == "unknown"}
    ok = {titles[row["row"]] for row in rows if row["outcome"] == "ok"}
    assert unknown | ok == set(titles.values())
    assert all(api.done[title] == 1 for title in ok), "a row was lost"
    assert 0 < len(unknown) <= KILLS * WORKERS
    assert set(api.done) - ok <= unknown
    assert all(row["answer"] and row["requests"] == 1 for row in rows if row["outcome"] == "ok")


@pytest.mark.parametrize(
    "recipe",
    [IDEMPOTENT, POSTS.replace('path = "/posts"', 'path = "/posts"\nrepeatable = true')],
    ids=["key", "repeatable"],
)
async def test_what_may_be_repeated_is_never_unknown(place: Place, api: CountingApi, recipe: str):
    """All is done; rows in flight at a kill go again, under the same key where there is one."""
    api.latency_s = 0.02
    place.deliver(ROWS // 2, recipe)
    moments = random.Random(20260821)  # noqa: S311 - as above
    for _ in range(KILLS // 2):
        await killed(place, api, moments)
    manifest = await place.call(rate=500, workers=WORKERS)
    assert set(place.outcomes(manifest)) == {"ok"}
    assert set(api.done) == {f"t{at}" for at in range(1, ROWS // 2 + 1)}
    keys: dict[bytes, set[str | None]] = {}
    for _, _, headers, body in api.log:
        keys.setdefault(body, set()).add(headers.get("Idempotency-Key"))
    assert all(len(each) == 1 for each in keys.values())
    assert len(set.union(*keys.values())) == (len(keys) if recipe is IDEMPOTENT else 1)
