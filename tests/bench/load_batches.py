"""How does the size of a batch change the speed of a load?

Answers: BATCH_ROWS in include/clickhouse/load.py.
"""

import tempfile
from functools import partial
from pathlib import Path

from include.clickhouse.load import BATCH_ROWS
from tests.bench.findings import Finding, at_least
from tests.bench.load import timed_load
from tests.bench.rounds import in_turn, ratios
from tests.bench.staged_day import connect, migrated_server, stage

ROWS = 500_000  # ROWS_PER_PART: what a load meets in practice
ROUNDS = 4
SIZES = (10_000, 50_000, 100_000, 200_000)


def run() -> list[Finding]:
    """Load the same part with each size in turn; every size against the chosen one."""
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder, migrated_server() as server:
        directory = Path(folder)
        manifest = stage(directory, ROWS)
        with connect(server.port) as clickhouse:
            work = {
                str(size): partial(timed_load, clickhouse, directory, manifest, size)
                for size in sorted({*SIZES, BATCH_ROWS})
            }
            seconds = in_turn(work, ROUNDS)
    chosen = seconds.pop(str(BATCH_ROWS))
    others = {size: ratios(chosen, figures) for size, figures in seconds.items()}
    findings = [
        Finding(f"load in batches of {int(size):,} rows: rows/s of {BATCH_ROWS:,}", speed, "", None)
        for size, speed in others.items()
    ]
    against_best = [
        min(figures) for figures in zip(*([1 / x for x in s] for s in others.values()), strict=True)
    ]
    return [
        *findings,
        at_least(f"load in batches of {BATCH_ROWS:,} rows: rows/s of the best", against_best, 0.8),
    ]
