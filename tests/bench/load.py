"""How fast is the load of a part, against the driver alone inserting rows that are in memory already?

The load reads the part, checks every row and the file's hash, inserts by batches, and has the server prove
count, keys and checksum. The driver only inserts. Answers: the promise of 0.5 in the README.
"""

import gc
import tempfile
import time
from pathlib import Path

from clickhouse_driver import Client

from include.clickhouse.client import NativeClient
from include.clickhouse.contents import contents
from include.clickhouse.load import load_part
from include.staging.manifest import Manifest
from tests.bench.findings import Finding, at_least, require_equal
from tests.bench.rounds import in_turn, ratios, typical
from tests.bench.staged_day import DATABASE, DAY, TABLE, connect, migrated_server, only_part, rows, stage

ROWS = 1_000_000
ROUNDS = 4
DRIVER_TABLE = "inserted_by_the_driver"


def run() -> list[Finding]:
    """Load and insert the same million rows in turn."""
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder, migrated_server() as server:
        directory = Path(folder)
        manifest, in_memory = stage(directory, ROWS), list(rows(ROWS))
        gc.freeze()  # or the collector would look at the driver's million tuples while the load runs
        driver = Client(server.host, server.port, DATABASE, server.user, server.password)
        with connect(server.port) as clickhouse, driver:
            work = {
                "load": lambda: timed_load(clickhouse, directory, manifest),
                "driver": lambda: _timed_insert(driver, clickhouse, manifest, in_memory),
            }
            seconds = in_turn(work, ROUNDS)
        gc.unfreeze()
    remark = f"{typical(seconds['load'])} s against {typical(seconds['driver'])} s"
    speed = ratios(seconds["driver"], seconds["load"])
    return [at_least("load 1 M rows: rows/s of the driver from memory", speed, 0.5, remark=remark)]


def timed_load(
    clickhouse: NativeClient, directory: Path, manifest: Manifest, batch_rows: int | None = None
) -> float:
    """Load the part and drop it; return the seconds of the load."""
    part = only_part(manifest)
    options = {} if batch_rows is None else {"batch_rows": batch_rows}
    started = time.perf_counter()
    staged = load_part(
        clickhouse, directory, manifest, table=TABLE.name, file=part.file, attempt="bench", **options
    )
    seconds = time.perf_counter() - started
    _verify(clickhouse, manifest, staged.staging_table)
    return seconds


def _timed_insert(driver: Client, clickhouse: NativeClient, manifest: Manifest, in_memory: list) -> float:
    driver.execute(f"CREATE TABLE {DRIVER_TABLE} AS {TABLE.name}")
    started = time.perf_counter()
    driver.execute(f"INSERT INTO {DRIVER_TABLE} VALUES", in_memory)
    seconds = time.perf_counter() - started
    _verify(clickhouse, manifest, DRIVER_TABLE)
    return seconds


def _verify(clickhouse: NativeClient, manifest: Manifest, table: str) -> None:
    """Compare what arrived with the manifest, and drop it: merges of it would disturb the next round."""
    found, part = contents(clickhouse, TABLE, DAY.isoformat(), source=table), only_part(manifest)
    require_equal(f"rows and checksum in {table}", (found.rows, found.checksum), (part.rows, part.checksum))
    clickhouse.execute(f"DROP TABLE {table}")
