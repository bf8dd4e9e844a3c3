"""How fast does a file of counters get in, against the driver alone inserting the same rows from memory?

The import reads the file, checks every line, looks for samples that come twice, writes parts, loads them, has
the server prove what arrived, publishes, and proves that. The driver only inserts.

`python -m tests.bench.phrase_views_import DIRECTORY` stages the file there and prints the peak memory in KiB.
"""

import gc
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

from clickhouse_driver import Client

from include.clickhouse.client import ClickHouse
from include.clickhouse.fingerprint import fingerprint
from include.clickhouse.load import load_part
from include.clickhouse.publish import publish_day
from include.phrase_views.counters.file import stage_file
from include.phrase_views.counters.request import ImportRequest
from include.phrase_views.counters.staging import PHRASES_VIEWS
from include.staging.manifest import Manifest
from tests.bench import sizes
from tests.bench.findings import Finding, at_least, at_most, require_equal
from tests.bench.load_memory import peak_kib
from tests.bench.rounds import in_turn, ratios, typical
from tests.bench.staged_day import DATABASE, connect, migrated_server

ROWS = sizes.rows(1_000_000)
MEMORY_ROWS = (sizes.rows(2_000_000), sizes.rows(4_000_000))
ROUNDS, MEMORY_ROUNDS = 4, 2
FILE = "counters.csv"
DAY = date(2026, 8, 20)
SAMPLES, PHRASES = 144, 1_000  # of a phrase a day, of a campaign
DRIVER_TABLE = "inserted_by_the_driver"


def run() -> list[Finding]:
    """Import and insert the same million rows in turn; stage more to see whether memory grows."""
    return [*_speed(), *_memory()]


def rows(count: int) -> Iterator[tuple[int, str, int, datetime]]:
    """Yield counters as an export has them: by time, then campaign, then phrase."""
    start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    phrases = count // SAMPLES + 1
    for number in range(count):
        sample, phrase = divmod(number, phrases)
        text = f"купить платье {phrase % PHRASES} {'недорого ' * (phrase % 3)}"
        views = phrase * 7919 % 100_003 + sample * (phrase % 5)
        yield 1 + phrase // PHRASES, text, views, start + timedelta(minutes=10 * sample)


def write_file(directory: Path, count: int) -> None:
    """Write the rows as an export has them."""
    with (directory / FILE).open("w") as file:
        file.write("campaign_id,phrase,views,dt\n")
        file.writelines(f"{c},{phrase},{views},{dt:%F %T}\n" for c, phrase, views, dt in rows(count))


def _speed() -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder, migrated_server() as server:
        directory = Path(folder)
        write_file(directory, ROWS)
        in_memory = list(rows(ROWS))
        gc.freeze()  # or the collector would look at the driver's million tuples while the import runs
        driver = Client(server.host, server.port, DATABASE, server.user, server.password)
        with connect(server.port) as clickhouse, driver:
            importing = Import(clickhouse, directory)
            work = {
                "import": importing.timed,
                "driver": partial(_timed_insert, driver, clickhouse, in_memory),
            }
            seconds = in_turn(work, ROUNDS)
        gc.unfreeze()
    steps = ", ".join(f"{name} {typical(figures[1:])} s" for name, figures in importing.seconds.items())
    remark = f"{typical(seconds['import'])} s ({steps}) against {typical(seconds['driver'])} s"
    speed = ratios(seconds["driver"], seconds["import"])
    return [
        at_least(f"import {ROWS:,} counters: rows/s of the driver from memory", speed, 0.7, remark=remark)
    ]


class Import:
    """What the tasks of a run do, again and again. Attributes: seconds by step, of each time."""

    def __init__(self, clickhouse: ClickHouse, directory: Path) -> None:
        self._clickhouse, self._directory = clickhouse, directory
        self.seconds: dict[str, list[float]] = {"stage": [], "load": [], "publish": []}

    def timed(self) -> float:
        """Import the file into the empty table; return the seconds of it."""
        clickhouse, table = self._clickhouse, PHRASES_VIEWS.name
        clickhouse.execute(f"TRUNCATE TABLE {table}")
        staging = self._directory / str(len(self.seconds["stage"]))
        times = [time.perf_counter()]
        manifest = stage(self._directory, staging)
        times.append(time.perf_counter())
        staged = [
            load_part(clickhouse, staging, manifest, table=table, file=part.file, attempt="bench")
            for part in manifest.tables[table].parts
        ]
        times.append(time.perf_counter())
        publish_day(clickhouse, manifest, staged, attempt="bench", now=lambda: datetime.now(UTC))
        times.append(time.perf_counter())
        for step, (begun, ended) in zip(self.seconds, pairwise(times), strict=True):
            self.seconds[step].append(ended - begun)
        _verify(clickhouse, table)
        shutil.rmtree(staging)
        return times[-1] - times[0]


def stage(directory: Path, staging: Path) -> Manifest:
    """Stage the file in `directory`."""
    return stage_file(
        directory,
        ImportRequest(path=FILE),
        staging,
        dag_id="bench",
        run_id=staging.name,
        day=DAY,
        host="here",
        now=lambda: datetime.now(UTC),
    )


def _timed_insert(driver: Client, clickhouse: ClickHouse, in_memory: list[tuple[object, ...]]) -> float:
    driver.execute(f"CREATE TABLE {DRIVER_TABLE} AS {PHRASES_VIEWS.name}")
    started = time.perf_counter()
    driver.execute(f"INSERT INTO {DRIVER_TABLE} VALUES", in_memory)
    seconds = time.perf_counter() - started
    _verify(clickhouse, DRIVER_TABLE)
    clickhouse.execute(f"DROP TABLE {DRIVER_TABLE}")
    return seconds


def _verify(clickhouse: ClickHouse, table: str) -> None:
    found = fingerprint(clickhouse, PHRASES_VIEWS, "", source=table)
    require_equal(f"rows and samples in {table}", (found.rows, found.keys), (ROWS, ROWS))


def _memory() -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder:
        work = {}
        for count in MEMORY_ROWS:
            directory = Path(folder) / str(count)
            directory.mkdir()
            write_file(directory, count)
            work[str(count)] = partial(_peak_of_child, directory)
        few, many = in_turn(work, MEMORY_ROUNDS, warm_ups=0).values()
    more_rows = MEMORY_ROWS[1] - MEMORY_ROWS[0]
    bytes_a_row = [(b - a) * 2**20 / more_rows for a, b in zip(few, many, strict=True)]
    remark = (
        f"{typical(many, 0)} MiB for {MEMORY_ROWS[1]:,} rows, {typical(few, 0)} MiB for {MEMORY_ROWS[0]:,}"
    )
    return [at_most("stage counters: bytes of memory for each further row", bytes_a_row, 16, remark=remark)]


def _peak_of_child(directory: Path) -> float:
    command = [sys.executable, "-m", "tests.bench.phrase_views_import", str(directory)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


def main(directory: Path) -> None:
    """Stage the file in `directory` and print the peak memory of this process in KiB."""
    staging = directory / "staging"
    manifest = stage(directory, staging)
    require_equal("rows staged", manifest.facts["rows"], int(directory.name))
    shutil.rmtree(staging)
    sys.stdout.write(f"{peak_kib()}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
