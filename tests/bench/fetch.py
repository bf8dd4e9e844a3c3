"""How much of the allowed rate does a fetch use, and does it ever use more, by the clock of the server?

The stand-in answers after 50 ms, in a process of its own; its request log is the judge.
Answers: GUARD and CATCH_UP_S in include/github/pacing.py.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

from include.github.client import GitHubClient
from include.github.commits import RestCommits
from include.github.fetch import fetch
from include.github.limits import LimitMemory
from include.github.ranking import rank
from include.github.request import TopRepositoriesRequest
from include.github.search import RestSearch
from include.staging.manifest import Manifest
from tests.bench.busy_stand_in import BusySample, fewest_requests
from tests.bench.findings import Finding, WorkNotDone, at_least, never_above, require_equal

LATENCY_MS = 50
CONCURRENCY = 5
READY_WITHIN_S = 30.0
PROMISED_RATE = 20
# requests/s, repositories, rounds: about five seconds each
CASES = ((PROMISED_RATE, 100, 3), (5, 25, 1), (50, 100, 2))


def run() -> list[Finding]:
    """Rank and fetch at each rate; the first case is the promise, the others show that it is not luck."""
    findings = []
    for rate, top, rounds in CASES:
        logs = [_fetch_once(rate, top) for _ in range(rounds)]
        findings += _judge(rate, top, logs)
    return findings


def _judge(rate: int, top: int, logs: list[list[float]]) -> list[Finding]:
    reached = [(len(log) - 1) / (log[-1] - log[0]) for log in logs]
    busiest = [most_in_one_second(log) for log in logs]
    fewest = fewest_requests(BusySample().commits_of_day(top, _yesterday()))
    what = f"fetch {top} repositories at {rate}/s:"
    remark = f"{median(reached):.1f} requests/s"
    shares = [requests_per_second / rate for requests_per_second in reached]
    return [
        at_least(f"{what} rate reached of allowed", shares, 0.93, remark=remark)
        if rate == PROMISED_RATE
        else Finding(f"{what} rate reached of allowed", shares, "", None, remark=remark),
        never_above(f"{what} most requests in any one second", busiest, rate),
        never_above(
            f"{what} requests of the fewest possible", [len(log) / fewest for log in logs], 1, digits=2
        ),
    ]


def most_in_one_second(moments: list[float]) -> int:
    """Return the largest number of moments (seconds, ascending) in any half-open window of one second."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def _fetch_once(rate: int, top: int) -> list[float]:
    """Return the arrivals of all requests, in seconds of the server's clock, ascending."""
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder:
        directory, log = Path(folder), Path(folder) / "requests.log"
        options = ["--latency-ms", str(LATENCY_MS), "--request-log", str(log)]
        with stand_in(directory / "port", "tests.bench.busy_stand_in", *options) as url:
            manifest = asyncio.run(_rank_and_fetch(url, rate, top, directory / "run"))
        requests = [json.loads(line) for line in log.read_text().splitlines()]
    _verify(manifest, requests, top)
    return sorted(request["at_s"] for request in requests)


@contextmanager
def stand_in(port_file: Path, module: str, *options: str) -> Iterator[str]:
    """Run a stand-in in a process of its own; yield its URL."""
    command = [sys.executable, "-m", module, *options, "--port-file", str(port_file)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not port_file.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise WorkNotDone("the stand-in does not listen")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port_file.read_text().strip()}"
    finally:
        server.terminate()
        server.wait(timeout=10)


async def _rank_and_fetch(url: str, rate: int, top: int, directory: Path) -> Manifest:
    now = partial(datetime.now, UTC)
    request = TopRepositoriesRequest(top=top, query="stars:>1", day=_yesterday())
    client = GitHubClient(
        url,
        tokens=(),
        requests_per_second=rate,
        max_concurrent_requests=CONCURRENCY,
        timeout_s=30,
        limits=LimitMemory(directory / "limits"),
        now=now,
    )
    async with client:
        ranking = await rank(client, RestSearch(client), request, directory, now())
        named = {"dag_id": "bench", "run_id": "bench", "now": now}
        return await fetch(client, RestCommits(client), ranking, request, directory, **named)


def _verify(manifest: Manifest, requests: list[dict], top: int) -> None:
    commits = BusySample().commits_of_day(top, _yesterday())
    require_equal("outcomes", manifest.facts["outcomes"], {"ok": top})
    require_equal("commits", manifest.facts["commits"], sum(commits))
    require_equal("requests answered with 200", {request["status"] for request in requests}, {200})


def _yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)
