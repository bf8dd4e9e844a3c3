"""SIGKILL at any moment, then again: nothing finished is asked twice, and the day is the same."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter

from include.github_stand_in.app import REQUEST_LOG
from tests.integration.clickhouse.days import staged_in


async def _start(url, directory, day):
    module = "tests.integration.github.fetch_until_killed"
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, str(url), str(directory), str(day), env=os.environ
    )


def _finished(directory):
    records = [json.loads(path.read_text()) for path in (directory / "fetched").glob("[0-9]*.ndjson")]
    return {record["repo"]: record["requests"] for record in records}


async def test_killed_three_times_and_finished(stand_in, tmp_path, yesterday):
    """Each try goes on where the last was killed; the list is read once; the rows are those of a calm run."""
    app, url = await stand_in(latency_s=0.02)
    calm = await _start(url, tmp_path / "calm", yesterday)
    assert await calm.wait() == 0
    app[REQUEST_LOG].clear()
    directory = tmp_path / "run"
    for kills in range(1, 4):
        process = await _start(url, directory, yesterday)
        async with asyncio.timeout(120):
            while len(_finished(directory)) < 8 * kills:  # noqa: ASYNC110 - another process's files
                await asyncio.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
        await asyncio.sleep(0.1)  # what was on its way to the server arrives
    assert not (directory / "manifest.json").exists()
    before_last, finished = _per_repository(app), _finished(directory)
    process = await _start(url, directory, yesterday)
    assert await process.wait() == 0
    for repo, requests in finished.items():
        assert _per_repository(app)[repo] == before_last[repo], repo
        assert _finished(directory)[repo] == requests
    searches = [request for request in app[REQUEST_LOG].requests if request.resource == "search"]
    assert len(searches) == 1
    ours, theirs = staged_in(directory), staged_in(tmp_path / "calm")
    assert {name for name in ours.tables if ours.tables[name].checksum != theirs.tables[name].checksum} <= {
        "repositories",  # has fetched_at
        "repositories_outcomes",  # has the requests, which a 404's neighbour may differ in
    }
    assert ours.facts["outcomes"] == theirs.facts["outcomes"]
    assert ours.facts["commits"] == theirs.facts["commits"]


def _per_repository(app):
    paths = (request.path_qs.partition("?")[0] for request in app[REQUEST_LOG].requests)
    return Counter(path.removeprefix("/repos/").removesuffix("/commits") for path in paths)
