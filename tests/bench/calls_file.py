"""What does a file of a million rows cost before its first call, and does memory grow with it?

Reading and checking is the task `stage`. Resuming is what a try of `call` does before it sends the next row:
it reads what earlier tries kept of all rows, and finds the ones that are left. No row is sent.

`python -m tests.bench.calls_file DIRECTORY stage|resume|csv` does one of these with the file of DIRECTORY,
and prints its seconds and the peak memory in KiB.
"""

import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from include.api_calls.calls import Run, settle
from include.api_calls.earlier import Earlier
from include.api_calls.marks import Taken
from include.api_calls.outcomes import MERGED, Outcome, Outcomes
from include.api_calls.request import CallsRequest
from include.api_calls.staging import StagedFile, stage_file
from tests.bench.findings import Finding, at_most, require_equal
from tests.bench.load_memory import peak_kib
from tests.bench.rounds import in_turn, ratios, typical

FEW, MANY = 100_000, 1_000_000
ROUNDS = 3
FILE = "file.csv"
DAY = date(2026, 8, 20)
RECIPE = """
method = "POST"
path = "/posts"
[columns]
userId = { type = "integer" }
title = { type = "text", max_length = 200 }
[body]
userId = "{userId}"
title = "{title}"
"""


def run() -> list[Finding]:
    """Stage and resume both files, and read the large one by the csv module, each in a fresh process."""
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder:
        files = {rows: Path(folder) / str(rows) for rows in (FEW, MANY)}
        for rows, directory in files.items():
            _deliver(directory, rows)
        work: dict[str, Callable[[], float]] = {}
        told: dict[str, list[dict[str, float]]] = {}
        for what, rows in (("stage", MANY), ("resume", MANY), ("csv", MANY), ("stage", FEW), ("resume", FEW)):
            told[f"{what} {rows}"] = []
            work[f"{what} {rows}"] = partial(_child, files[rows], what, told[f"{what} {rows}"])
        seconds = in_turn(work, ROUNDS, warm_ups=0)
    ours = [sum(both) for both in zip(seconds[f"stage {MANY}"], seconds[f"resume {MANY}"], strict=True)]
    steps = ", ".join(f"{what} {typical(seconds[f'{what} {MANY}'])} s" for what in ("stage", "resume", "csv"))
    few, many = ([max(each) for each in _peaks(told, rows)] for rows in (FEW, MANY))
    remark = f"{median(many):.0f} MiB against {median(few):.0f} MiB"
    return [
        at_most(
            "read, check and resume 1 M rows: time of reading them by the csv module",
            ratios(ours, seconds[f"csv {MANY}"]),
            3,
            remark=steps,
        ),
        at_most("the same: peak memory of 100,000 rows", ratios(many, few), 1.1, remark=remark),
    ]


def _peaks(told: dict[str, list[dict[str, float]]], rows: int) -> list[tuple[float, float]]:
    """Return the peaks of stage and resume in MiB, of each round."""
    both = zip(told[f"stage {rows}"], told[f"resume {rows}"], strict=True)
    return [(stage["kib"] / 1024, resume["kib"] / 1024) for stage, resume in both]


def _deliver(directory: Path, rows: int) -> None:
    for name in ("inbox", "recipes"):
        (directory / name).mkdir(parents=True)
    (directory / "recipes" / "posts.toml").write_text(RECIPE)
    with (directory / "inbox" / FILE).open("w") as file:
        file.write("ticket,userId,title\n")
        file.writelines(f'{n:07d},{n % 1000 + 1},"Ticket {n}, call back"\n' for n in range(1, rows + 1))


def _child(directory: Path, what: str, told: list[dict[str, float]]) -> float:
    command = [sys.executable, "-m", "tests.bench.calls_file", str(directory), what]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told.append(json.loads(done.stdout.splitlines()[-1]))
    return told[-1]["seconds"]


def stage(directory: Path, run_id: str) -> StagedFile:
    """Stage the file of `directory`, or return what was staged of it."""
    return stage_file(
        directory / "inbox",
        directory / "recipes",
        CallsRequest(path=FILE, recipe="posts"),
        directory / run_id,
        dag_id="bench",
        run_id=run_id,
        day=DAY,
        host="here",
        now=lambda: datetime.now(UTC),
        tell_rejected=lambda _: "",
    )


def _resumed(directory: Path) -> tuple[float, int]:
    """Resume with the last thousand rows to do; return seconds and rows to do."""
    staged = stage(directory, "resumed")
    place, last = directory / "resumed", staged.rows - MERGED
    if not (place / "answered").exists():
        outcomes = Outcomes(place, staged.rows)
        for first in range(1, last + 1, MERGED):
            outcomes.save(
                [Outcome(row, "ok", 201, "", 1, '{"id": 1}', 1) for row in range(first, first + MERGED)]
            )
    started = time.perf_counter()
    run = Run(staged, CallsRequest(path=FILE, recipe="posts"), "", Outcomes(place, staged.rows), None, _never)
    nobody: Any = None  # of no earlier run anything is asked
    with Earlier(nobody, staged, "resumed", nothing=True) as earlier:
        to_do, _ = settle(run, earlier, Taken(0, (), 0, None), 0)
    return time.perf_counter() - started, to_do


def _never() -> datetime:
    raise AssertionError


def main(directory: Path, what: str) -> None:
    """Do it, and print what it took."""
    rows, started = int(directory.name), time.perf_counter()
    if what == "csv":
        with (directory / "inbox" / FILE).open(newline="") as file:
            require_equal("rows read", sum(1 for _ in csv.reader(file)), rows + 1)
        seconds = time.perf_counter() - started
    elif what == "stage":
        staged = stage(directory, f"run{time.time_ns()}")
        seconds = time.perf_counter() - started
        require_equal("rows staged", (staged.rows, staged.rejected), (rows, 0))
    else:
        seconds, to_do = _resumed(directory)
        require_equal("rows to do", to_do, MERGED)
    sys.stdout.write(json.dumps({"seconds": seconds, "kib": peak_kib()}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
