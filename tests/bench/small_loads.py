"""How long does a small file of counters take from `stage` to `check`, against the version before?

BENCH_BEFORE names a checkout of that version, such as `git worktree add ../before TAG` makes; without it
nothing is measured. Each version imports the same files by turns, in a process of its own.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.bench.findings import Finding, at_most, not_measured
from tests.bench.rounds import in_turn, ratios, typical
from tests.bench.staged_day import migrated_server

ROOT = Path(__file__).resolve().parents[2]
IMPORTER = Path(__file__).with_name("small_import.py")
SIZES, ROUNDS = (1, 10, 100, 1000), 15


def run() -> list[Finding]:
    """Import each file by turns."""
    before = os.environ.get("BENCH_BEFORE")
    if before is None:
        why = ValueError("BENCH_BEFORE is not set to a checkout of that version")
        return [not_measured("import of 1 to 1,000 counters: time of the version before", why)]
    with (
        tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder,
        migrated_server() as server,
    ):
        arguments = [folder, str(server.port), server.user, server.password]
        with _importer(ROOT, arguments) as ours, _importer(Path(before), arguments) as theirs:
            return [_compared(Path(folder), size, ours, theirs) for size in SIZES]


def _compared(
    folder: Path, size: int, ours: Callable[[str], float], theirs: Callable[[str], float]
) -> Finding:
    name = f"{size}.csv"
    lines = (f"{1 + n % 7},phrase {n},{n},2026-08-20 10:{n % 60:02}:00\n" for n in range(size))
    (folder / name).write_text("campaign_id,phrase,views,dt\n" + "".join(lines))
    seconds = in_turn({"now": partial(ours, name), "before": partial(theirs, name)}, ROUNDS)
    question = f"import of {size:,} counters: time of the version before"
    remark = f"{typical(seconds['now'], 3)} s against {typical(seconds['before'], 3)} s"
    return at_most(question, ratios(seconds["now"], seconds["before"]), 1.1, remark=remark)


@contextmanager
def _importer(version: Path, arguments: list[str]) -> Iterator[Callable[[str], float]]:
    """Give what has a version import a file."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(version), str(version / "plugins")])}
    command = [sys.executable, "-P", str(IMPORTER), *arguments]
    with subprocess.Popen(
        command, cwd=version, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def import_file(name: str) -> float:
            assert process.stdin
            assert process.stdout
            process.stdin.write(f"{name}\n")
            process.stdin.flush()
            return float(process.stdout.readline())

        yield import_file
