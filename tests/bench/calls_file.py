"""What does a file of a million rows cost before its first call and after its last, and does memory grow?

Reading and checking is the task `stage`. Resuming is what a try of `call` does before it sends the next row:
it reads what earlier tries kept of all rows, finds the ones that are left, and makes their requests. Writing
is what it does at the end: the rows of the table api_calls, as staging files. No row is sent.

`python -m tests.bench.calls_file DIRECTORY stage|resume|write|csv` does one of these with the file of
DIRECTORY, and prints its seconds and the peak memory in KiB.
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

from include.api_calls.attempt import ROWS_PER_PART
from include.api_calls.earlier import Earlier
from include.api_calls.marks import Taken
from include.api_calls.outcomes import MERGED, Outcome, Outcomes
from include.api_calls.request import CallsRequest
from include.api_calls.settling import Run, rows_left, settle
from include.api_calls.staging import StagedFile, stage_file
from include.api_calls.table import API_CALLS, table_rows
from include.staging.parts import write_table
from tests.bench.findings import Finding, at_most, require_equal
from tests.bench.load_memory import peak_kib
from tests.bench.rounds import in_turn, ratios, typical

FEW, MANY = 100_000, 1_000_000
ROUNDS = 3
STEPS = ("stage", "resume", "write")
RUN = "manual__2026-08-20T00:00:00+00:00"
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
REQUEST = CallsRequest(path=FILE, recipe="posts")


def run() -> list[Finding]:
    """Stage, resume and write both files, and read one by the csv module, each in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder:
        files = {rows: Path(folder) / str(rows) for rows in (FEW, MANY)}
        for rows, directory in files.items():
            _deliver(directory, rows)
        work: dict[str, Callable[[], float]] = {}
        told: dict[str, list[dict[str, float]]] = {}
        for rows, steps in ((MANY, (*STEPS, "csv")), (FEW, STEPS)):
            for what in steps:
                told[f"{what} {rows}"] = []
                work[f"{what} {rows}"] = partial(_child, files[rows], what, told[f"{what} {rows}"])
        seconds = in_turn(work, ROUNDS, warm_ups=0)
    before = [sum(both) for both in zip(seconds[f"stage {MANY}"], seconds[f"resume {MANY}"], strict=True)]
    took = {what: f"{what} {typical(seconds[f'{what} {MANY}'])} s" for what in (*STEPS, "csv")}
    few, many = ([max(each) for each in _peaks(told, rows)] for rows in (FEW, MANY))
    by_csv = seconds[f"csv {MANY}"]
    return [
        at_most(
            "read, check and resume 1 M rows: time of reading them by the csv module",
            ratios(before, by_csv),
            3,
            remark=", ".join(took[what] for what in ("stage", "resume", "csv")),
        ),
        Finding(
            "write the outcomes of 1 M rows for the table: the same",
            ratios(seconds[f"write {MANY}"], by_csv),
            "",
            None,
            digits=1,
            remark=took["write"],
        ),
        at_most(
            "read, check, resume and write 1 M rows: peak memory of 100,000 rows",
            ratios(many, few),
            1.1,
            remark=f"{median(many):.0f} MiB against {median(few):.0f} MiB",
        ),
    ]


def _peaks(told: dict[str, list[dict[str, float]]], rows: int) -> list[list[float]]:
    """Return the peaks of all steps in MiB, of each round."""
    rounds = zip(*(told[f"{what} {rows}"] for what in STEPS), strict=True)
    return [[step["kib"] / 1024 for step in steps] for steps in rounds]


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
        REQUEST,
        directory / run_id,
        dag_id="bench",
        run_id=run_id,
        day=DAY,
        host="here",
        now=lambda: datetime.now(UTC),
        tell_rejected=lambda _: "",
    )


def _answered(directory: Path) -> StagedFile:
    """Return the staged file of a run of which the last thousand rows are still to do."""
    staged = stage(directory, "resumed")
    place, last = directory / "resumed", staged.rows - MERGED
    if not (place / "answered").exists():
        outcomes = Outcomes(place, staged.rows)
        for first in range(1, last + 1, MERGED):
            # The answer to the last row is late: it is in the next file, whose first row is here.
            end = first + MERGED - 1
            rows = [first - (first > 1), *range(first + 1, end), end + (end < last)]
            outcomes.save([Outcome(row, "ok", 201, "", 1, '{"id": 1}', 1) for row in rows])
    return staged


def _resume(directory: Path, staged: StagedFile) -> None:
    run = Run(staged, REQUEST, "", Outcomes(directory / "resumed", staged.rows), None, _never)
    nobody: Any = None  # of no earlier run anything is asked
    with Earlier(nobody, staged, "resumed", nothing=True) as earlier:
        to_do, _ = settle(run, earlier, Taken(0, (), 0, None))
    require_equal("rows to do", (to_do, sum(1 for _ in rows_left(run))), (MERGED, MERGED))


def _write(directory: Path, staged: StagedFile, outcomes: Outcomes) -> None:
    same = {"day": DAY, "run_id": RUN, "salt": "", "keys": {}, "unsure": {}, "otherwise": "stopped"}
    rows = table_rows(staged, outcomes, **same)
    with tempfile.TemporaryDirectory(dir=directory) as parts:
        written = write_table(Path(parts), API_CALLS, rows, ROWS_PER_PART)
    require_equal("rows written", written.rows, staged.rows)


def _never() -> datetime:
    raise AssertionError


def main(directory: Path, what: str) -> None:
    """Do it, and print what it took."""
    rows, staged = int(directory.name), _answered(directory) if what in ("resume", "write") else None
    outcomes = Outcomes(directory / "resumed", rows) if what == "write" else None
    started = time.perf_counter()
    if what == "csv":
        with (directory / "inbox" / FILE).open(newline="") as file:
            require_equal("rows read", sum(1 for _ in csv.reader(file)), rows + 1)
    elif what == "stage":
        staged = stage(directory, f"run{time.time_ns()}")
        require_equal("rows staged", (staged.rows, staged.rejected), (rows, 0))
    elif staged and outcomes:
        _write(directory, staged, outcomes)
    elif staged:
        _resume(directory, staged)
    seconds = time.perf_counter() - started
    sys.stdout.write(json.dumps({"seconds": seconds, "kib": peak_kib()}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
