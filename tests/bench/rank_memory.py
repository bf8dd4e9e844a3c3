"""Does the memory of ranking and fetching grow with the list, from 1,000 repositories to 100,000?

Answers: READ_AHEAD in include/github/fetch.py, and why the list, its order and the records are on disk.

`python -m tests.bench.rank_memory COUNT DIRECTORY URL` ranks and fetches, and prints its peak memory in KiB.
"""

import asyncio
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.bench.capacity_model import PUSHED_EVERY
from tests.bench.fetch import stand_in
from tests.bench.findings import Finding, at_most, require_equal
from tests.bench.load_memory import peak_kib
from tests.bench.main_job import rank_and_fetch
from tests.bench.rounds import in_turn, ratios, typical

FEW, MANY = 1_000, 100_000
ROUNDS = 2
RATE = 500  # requests a second


def run() -> list[Finding]:
    """Rank and fetch a short and a long list in turn, each time in a fresh process."""
    work = {str(count): partial(_peak_of_child, count) for count in (FEW, MANY)}
    few, many = in_turn(work, ROUNDS, warm_ups=0).values()
    remark = f"{typical(many, 0)} MiB against {typical(few, 0)} MiB"
    question = f"rank and fetch {MANY:,} repositories: peak memory of {FEW:,}"
    return [at_most(question, ratios(many, few), 1.5, digits=2, remark=remark)]


def _peak_of_child(count: int) -> float:
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder:
        crowd = ("tests.bench.crowd_stand_in", str(count), str(PUSHED_EVERY[count]))
        with stand_in(Path(folder) / "port", *crowd) as url:
            command = [sys.executable, "-m", "tests.bench.rank_memory", str(count), folder, url]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout.splitlines()[-1]) / 1024


def main(count: int, directory: Path, url: str) -> None:
    """Rank and fetch so many repositories and print the peak memory of this process in KiB."""
    manifest = asyncio.run(rank_and_fetch(url, count, directory / "run", rate=RATE))
    for table in ("repositories", "repositories_outcomes"):
        require_equal(f"rows of {table}", manifest.tables[table].rows, count)
    sys.stdout.write(f"{peak_kib()}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
