"""How much of the allowed rate do the calls of a file use, and do they ever use more, by the server's clock?

Each row is a POST, marked in PostgreSQL before it leaves, its outcome saved before the next one. Then two
processes call a file each, at the pace that they share. The API answers after 50 ms, in a process of its own;
its log is the judge.
"""

import asyncio
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.bench.fetch import most_within, stand_in
from tests.bench.findings import Finding, WorkNotDone, at_least, never_above, require_equal
from tests.bench.posts_stand_in import Seen, seen_in
from tests.integration.api_calls.place import Place
from tests.servers.postgres import running_postgres

PROMISED = 0.93
# requests/s, rows, rounds: ten seconds each, or five
CASES = ((7, 70, 2), (20, 200, 2), (50, 250, 3))
BOTH_WITHIN_S = 60


def run() -> list[Finding]:
    """Call the rows of a file at each rate, in one process and in two."""
    findings = []
    with running_postgres() as postgres:
        for rate, rows, rounds in CASES:
            logs = [_call_once(postgres.parameters, rate, rows) for _ in range(rounds)]
            findings += _judged(f"call {rows} rows at {rate}/s", rate, logs)
        for rate, rows, rounds in CASES:
            logs = [_call_by_two(postgres.parameters, rate, rows) for _ in range(rounds)]
            findings += _judged(f"call {rows} rows at {rate}/s by two processes", rate, logs)
    return findings


def _judged(what: str, rate: int, logs: list[list[Seen]]) -> list[Finding]:
    shares = [_reached(log) / rate for log in logs]
    busiest = [most_within(1, [each.at_s for each in log]) for log in logs]
    remark = f"{median(shares) * rate:.1f} requests/s"
    return [
        at_least(f"{what}: rate reached of allowed", shares, PROMISED, remark=remark),
        never_above(f"{what}: most requests in any one second", busiest, rate),
    ]


def _reached(log: list[Seen]) -> float:
    return (len(log) - 1) / (log[-1].at_s - log[0].at_s)


def _call_once(postgres: dict[str, object], rate: int, rows: int) -> list[Seen]:
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder:
        directory, log = Path(folder), Path(folder) / "requests.log"
        with stand_in(directory / "port", "tests.bench.posts_stand_in", "--log", str(log)) as url:
            place = Place(directory, postgres, url)
            place.deliver(rows)
            # A run of its own for the marks, which the server keeps from round to round.
            manifest = asyncio.run(place.call(directory.name, rate=rate, resend="all"))
        require_equal("outcomes", {*place.outcomes(manifest)}, {"ok"})
        seen = sorted(seen_in(log))
    require_equal("requests", len(seen), rows)
    return seen


def _call_by_two(postgres: dict[str, object], rate: int, rows: int) -> list[Seen]:
    """Return so many requests from when both are at work; they end unfinished."""
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder, ExitStack() as running:
        log = Path(folder) / "requests.log"
        options = ("--log", str(log))
        url = running.enter_context(stand_in(Path(folder) / "port", "tests.bench.posts_stand_in", *options))
        for name in ("a", "b"):
            directory = Path(folder) / name
            directory.mkdir()
            place = Place(directory, postgres, url)
            place.deliver("title\n" + f"{name}\n" * (rows + rate * BOTH_WITHIN_S))
            command = place.command(run_id=str(directory), rate=rate, processes=2, resend="all")
            process = running.enter_context(subprocess.Popen(command))
            running.callback(process.kill)
        return _of_both(log, rows)


def _of_both(log: Path, rows: int) -> list[Seen]:
    deadline = time.monotonic() + BOTH_WITHIN_S
    while True:
        seen = sorted(seen_in(log))
        begun = {each.title: at for at, each in reversed(list(enumerate(seen)))}
        if len(begun) == 2 and len(seen) >= (first := max(begun.values())) + rows:
            return seen[first : first + rows]
        if time.monotonic() > deadline:
            raise WorkNotDone(f"only {len(seen)} requests came, of {len(begun)} processes")
        time.sleep(0.5)
