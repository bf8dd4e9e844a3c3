"""Imports files of counters by the `include` on PYTHONPATH, which may be that of another version.

`python -P tests/bench/small_import.py DIRECTORY PORT LOGIN PASSWORD` imports each file that a line of its
input names, and prints the seconds.
"""

import os
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

from include.clickhouse.client import NativeClient
from include.clickhouse.load import load_part
from include.clickhouse.publish import check_day, publish_day
from include.phrase_views.counters.file import stage_file
from include.phrase_views.counters.request import ImportRequest

DAY = date(2026, 8, 20)


def main(directory: Path, port: int, user: str, password: str) -> None:
    """Import the files that lines of the input name."""
    login = {"user": user, "password": password}
    with NativeClient("the benchmark's server", "127.0.0.1", port, "bench", **login) as clickhouse:
        for number, line in enumerate(sys.stdin):
            started = time.perf_counter()
            import_file(clickhouse, directory, line.strip(), f"{os.getpid()} {number}")
            sys.stdout.write(f"{time.perf_counter() - started}\n")
            sys.stdout.flush()


def import_file(clickhouse: NativeClient, directory: Path, name: str, run_id: str) -> None:
    """Do what the tasks from `stage` to `check` do."""
    staging, request = directory / run_id, ImportRequest(path=name)
    manifest = stage_file(
        directory, request, staging, dag_id="bench", run_id=run_id, day=DAY, host="here", now=now
    )
    staged = [
        load_part(clickhouse, staging, manifest, table=table, file=part.file, attempt="1")
        for table, parts in manifest.tables.items()
        for part in parts.parts
    ]
    publish_day(clickhouse, manifest, staged, attempt="1", now=now)
    check_day(clickhouse, staging, manifest, "1")


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
