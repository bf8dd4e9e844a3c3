"""The calls of a file against a script of an evening: the worst second, rows sent twice, rows lost.

Both send the same file at the same rate to the same API, are killed five times and started again. The API
refuses what is too much in a second, as most do. Its log is the judge.
"""

import asyncio
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.fetch import most_within, stand_in
from tests.bench.findings import Finding, WorkNotDone, never_above
from tests.bench.posts_stand_in import Seen, seen_in
from tests.integration.api_calls.place import Place
from tests.servers.postgres import running_postgres

RATE, ROWS, KILLS = 20, 300, 5
ENDS_WITHIN_S = 120
TITLES = [f"t{at}" for at in range(1, ROWS + 1)]


class Ended(NamedTuple):
    """What the server saw in the end. Attributes: seen, all requests; told, rows that we call not done."""

    seen: list[Seen]
    told: frozenset[str]

    @property
    def worst_second(self) -> float:
        """Requests."""
        return most_within(1, [each.at_s for each in self.seen])

    @property
    def twice(self) -> float:
        """Rows that were carried out more than once."""
        done = Counter(each.title for each in self.seen if each.done)
        return sum(times > 1 for times in done.values())

    @property
    def lost(self) -> float:
        """Rows that were not carried out, and nobody says so."""
        return len({*TITLES} - {each.title for each in self.seen if each.done} - self.told)


def run() -> list[Finding]:
    """Kill both five times."""
    ours, theirs = _ours(), _script()
    figures = (
        ("most requests in any one second", RATE, ours.worst_second, theirs.worst_second),
        ("rows carried out twice", 0, ours.twice, theirs.twice),
        ("rows lost", 0, ours.lost, theirs.lost),
    )
    findings = []
    for what, most, here, there in figures:
        question = f"call {ROWS} rows at {RATE}/s, killed {KILLS} times: {what}"
        findings += [
            never_above(question, [here], most),
            Finding(f"{question}; a script of an evening", [there], "", None, digits=0),
        ]
    return findings


def _ours() -> Ended:
    with (
        running_postgres() as postgres,
        tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder,
    ):
        directory, log = Path(folder), Path(folder) / "requests.log"
        options = ("--log", str(log), "--rate", str(RATE))
        with stand_in(directory / "port", "tests.bench.posts_stand_in", *options) as url:
            place = Place(directory, postgres.parameters, url)
            place.deliver(ROWS)
            asyncio.run(_kill(place.command(rate=RATE), log))
            manifest = asyncio.run(place.call(rate=RATE))
        told = {TITLES[row["row"] - 1] for row in place.rows(manifest) if row["outcome"] != "ok"}
        return Ended(sorted(seen_in(log)), frozenset(told))


def _script() -> Ended:
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder:
        directory, log = Path(folder), Path(folder) / "requests.log"
        file = directory / "file.csv"
        file.write_text("title\n" + "".join(f"{title}\n" for title in TITLES))
        options = ("--log", str(log), "--rate", str(RATE))
        with stand_in(directory / "port", "tests.bench.posts_stand_in", *options) as url:
            command = [sys.executable, "-m", "tests.bench.evening_script", str(file), url, str(RATE)]
            asyncio.run(_kill(command, log, kills=KILLS))
            asyncio.run(_finish(command))
        return Ended(sorted(seen_in(log)), frozenset())


async def _kill(command: Sequence[str], log: Path, kills: int = KILLS) -> None:
    """Start it and kill it, again and again, each time after some more rows; always at the same moments."""
    moments = random.Random(20260820)  # noqa: S311 - moments of a benchmark
    for _ in range(kills):
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ, stderr=asyncio.subprocess.DEVNULL
        )
        wanted = len(seen_in(log)) + moments.randint(20, 45)
        async with asyncio.timeout(ENDS_WITHIN_S):
            while len(seen_in(log)) < wanted and process.returncode is None:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await asyncio.sleep(moments.random() * 0.05)
        if process.returncode is not None:
            raise WorkNotDone(f"it ended before it was killed, with {process.returncode}")
        process.send_signal(signal.SIGKILL)
        await process.wait()


async def _finish(command: Sequence[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ, stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(ENDS_WITHIN_S):
        await process.wait()
