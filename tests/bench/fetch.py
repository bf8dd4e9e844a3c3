"""How much of the allowed rate does a fetch use, and does it ever use more, by the clock of the server?

The stand-in answers after 50 ms, in a process of its own; its request log is the judge.
Answers: GUARD and CATCH_UP_S in include/http/pacing.py.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from include.staging.manifest import Manifest
from tests.bench.busy_stand_in import BusySample, fewest_requests
from tests.bench.findings import Finding, WorkNotDone, at_least, never_above, require_equal
from tests.bench.main_job import rank_and_fetch, yesterday

Arrival = tuple[float, str]
LATENCY_MS = 50
READY_WITHIN_S = 30.0
PROMISED = 0.95
# requests/s, repositories, rounds: five seconds each
CASES = ((5, 25, 3), (20, 100, 3), (50, 250, 3))


def run() -> list[Finding]:
    """Rank and fetch at each rate."""
    findings = []
    for rate, top, rounds in CASES:
        logs = [_fetch_once(rate, top) for _ in range(rounds)]
        findings += _judge(rate, top, logs)
    return findings


def _judge(rate: int, top: int, logs: list[list[Arrival]]) -> list[Finding]:
    shares = [_reached(log) / rate for log in logs]
    busiest = [most_within(1, [at_s for at_s, _ in log]) for log in logs]
    fewest = fewest_requests(BusySample().commits_of_day(top, yesterday()))
    what = f"fetch {top} repositories at {rate}/s:"
    remark = f"{median(shares) * rate:.1f} requests/s"
    return [
        at_least(f"{what} rate reached of allowed", shares, PROMISED, remark=remark),
        never_above(f"{what} most requests in any one second", busiest, rate),
        never_above(
            f"{what} requests of the fewest possible", [len(log) / fewest for log in logs], 1, digits=2
        ),
    ]


def _reached(log: list[Arrival]) -> float:
    """Return the requests a second of the fetch; the list before it is one, whose answer is waited for."""
    moments = [at_s for at_s, path in log if "/commits" in path]
    return (len(moments) - 1) / (moments[-1] - moments[0])


def most_within(seconds: float, moments: list[float]) -> int:
    """Return the largest number of moments (seconds, ascending) in any half-open window of that length."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def _fetch_once(rate: int, top: int) -> list[Arrival]:
    """Return all requests: seconds of the server's clock, ascending, and path."""
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder:
        directory, log = Path(folder), Path(folder) / "requests.log"
        options = ["--latency-ms", str(LATENCY_MS), "--request-log", str(log)]
        with stand_in(directory / "port", "tests.bench.busy_stand_in", *options) as url:
            manifest = asyncio.run(rank_and_fetch(url, top, directory / "run", rate=rate))
        requests = [json.loads(line) for line in log.read_text().splitlines()]
    _verify(manifest, requests, top)
    return sorted((request["at_s"], request["path_qs"]) for request in requests)


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


def _verify(manifest: Manifest, requests: list[dict], top: int) -> None:
    commits = BusySample().commits_of_day(top, yesterday())
    require_equal("outcomes", manifest.facts["outcomes"], {"ok": top})
    require_equal("commits", manifest.facts["commits"], sum(commits))
    require_equal("requests answered with 200", {request["status"] for request in requests}, {200})
