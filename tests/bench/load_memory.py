"""Does the memory of a load grow with the part?

Answers: BATCH_ROWS and _read_ahead in include/clickhouse/load.py, which keep two batches at a time.

`python -m tests.bench.load_memory PORT DIRECTORY` loads a part and prints its peak memory in KiB.
"""

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from include.clickhouse.load import load_part
from tests.bench.findings import Finding, at_most, require_equal
from tests.bench.rounds import in_turn, ratios, typical
from tests.bench.staged_day import TABLE, connect, migrated_server, only_part, stage, staged_in

ROWS = (1_000_000, 4_000_000)
ROUNDS = 2


def run() -> list[Finding]:
    """Load one and four million rows in turn, each time in a fresh process."""
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder, migrated_server() as server:
        work = {}
        for count in ROWS:
            directory = Path(folder) / str(count)
            require_equal("rows staged", only_part(stage(directory, count)).rows, count)
            work[str(count)] = partial(_peak_of_child, server.port, directory)
        few, many = in_turn(work, ROUNDS, warm_ups=0).values()
    remark = f"{typical(many, 0)} MiB against {typical(few, 0)} MiB"
    return [
        at_most("load 4 M rows: peak memory of loading 1 M", ratios(many, few), 1.1, digits=3, remark=remark)
    ]


def _peak_of_child(port: int, directory: Path) -> float:
    command = [sys.executable, "-m", "tests.bench.load_memory", str(port), str(directory)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


def main(port: int, directory: Path) -> None:
    """Load the one part in `directory` and print the peak memory of this process in KiB."""
    manifest = staged_in(directory)
    part = only_part(manifest)
    with connect(port) as clickhouse:
        staged = load_part(
            clickhouse, directory, manifest, table=TABLE.name, file=part.file, attempt=str(part.rows)
        )
        require_equal("rows loaded", staged.rows, part.rows)
        clickhouse.execute(f"DROP TABLE {staged.staging_table}")
    sys.stdout.write(f"{peak_kib()}\n")


def peak_kib() -> int:
    """Return the peak memory of this process so far."""
    # Not ru_maxrss: that of a child begins with the memory of the parent that started it.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0])


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
