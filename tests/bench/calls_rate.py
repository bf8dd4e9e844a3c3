"""How much of the allowed rate do the calls of a file use, and do they ever use more, by the server's clock?

Each row is a POST, marked in PostgreSQL before it leaves, its outcome saved before the next one.
The API answers after 50 ms, in a process of its own; its log is the judge.
"""

import asyncio
import tempfile
from pathlib import Path
from statistics import median

from tests.bench.fetch import most_in_one_second, stand_in
from tests.bench.findings import Finding, at_least, never_above, require_equal
from tests.bench.posts_stand_in import Seen, seen_in
from tests.integration.api_calls.place import Place
from tests.servers.postgres import running_postgres

PROMISED = 0.93
# requests/s, rows, rounds: ten seconds each, or five
CASES = ((7, 70, 2), (20, 200, 2), (50, 250, 3))


def run() -> list[Finding]:
    """Call the rows of a file at each rate."""
    findings = []
    with running_postgres() as postgres:
        for rate, rows, rounds in CASES:
            logs = [_call_once(postgres.parameters, rate, rows) for _ in range(rounds)]
            shares = [_reached(log) / rate for log in logs]
            busiest = [most_in_one_second([each.at_s for each in log]) for log in logs]
            what = f"call {rows} rows at {rate}/s:"
            remark = f"{median(shares) * rate:.1f} requests/s"
            findings += [
                at_least(f"{what} rate reached of allowed", shares, PROMISED, remark=remark),
                never_above(f"{what} most requests in any one second", busiest, rate),
            ]
    return findings


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
