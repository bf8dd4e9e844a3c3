"""How fast is the load of a part, against the driver, and aiochclient, inserting rows that are in memory?

The load reads the part, checks every row and the file's hash, inserts by batches, and has the server prove
count, keys and checksum. The others only insert. Answers: the promises in the README.
"""

import gc
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from clickhouse_driver import Client

from include.clickhouse.client import NativeClient
from include.clickhouse.fingerprint import fingerprint
from include.clickhouse.load import load_part
from include.staging.manifest import Manifest
from tests.bench.findings import Finding, at_least, not_measured, require_equal
from tests.bench.invented_rows import rows
from tests.bench.peers import AIOCHCLIENT, NotInstalled
from tests.bench.rounds import in_turn, ratios, typical
from tests.bench.staged_day import DATABASE, DAY, TABLE, connect, migrated_server, only_part, stage
from tests.servers.clickhouse import ClickHouseServer

ROOT = Path(__file__).resolve().parents[2]
ROWS = 1_000_000
ROUNDS = 4
DRIVER_TABLE, PEER_TABLE = "inserted_by_the_driver", "inserted_by_aiochclient"
PEER_QUESTION = f"load 1 M rows: rows/s of {AIOCHCLIENT.title} from memory"


def run() -> list[Finding]:
    """Load and insert the same million rows in turn."""
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder, migrated_server() as server:
        directory = Path(folder)
        manifest, in_memory = stage(directory, ROWS), list(rows(ROWS))
        gc.freeze()  # or the collector would look at the driver's million tuples while the load runs
        driver = Client(server.host, server.port, DATABASE, server.user, server.password)
        with connect(server.port) as clickhouse, driver, _aiochclient(server, clickhouse, manifest) as peer:
            work = {
                "load": lambda: timed_load(clickhouse, directory, manifest),
                "driver": lambda: _timed_insert(driver, clickhouse, manifest, in_memory),
            }
            seconds = in_turn(work | ({"peer": peer} if callable(peer) else {}), ROUNDS)
        gc.unfreeze()
    remark = f"{typical(seconds['load'])} s against {typical(seconds['driver'])} s"
    speed = ratios(seconds["driver"], seconds["load"])
    findings = [at_least("load 1 M rows: rows/s of the driver from memory", speed, 0.7, remark=remark)]
    if isinstance(peer, NotInstalled):
        return [*findings, not_measured(PEER_QUESTION, peer)]
    remark = f"{typical(seconds['load'])} s against {typical(seconds['peer'])} s"
    return [*findings, at_least(PEER_QUESTION, ratios(seconds["peer"], seconds["load"]), 1.5, remark=remark)]


@contextmanager
def _aiochclient(
    server: ClickHouseServer, clickhouse: NativeClient, manifest: Manifest
) -> Iterator[Callable[[], float] | NotInstalled]:
    """Give what has aiochclient insert the rows, in a process and an environment of its own."""
    try:
        python = AIOCHCLIENT.program()
    except NotInstalled as why:
        yield why
        return
    url = f"http://{server.host}:{server.http_port}/"
    facts = (url, DATABASE, server.user, server.password, PEER_TABLE, str(ROWS))
    command = [python, "-m", "tests.bench.aiochclient_insert", *facts]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def insert() -> float:
            clickhouse.execute(f"CREATE TABLE {PEER_TABLE} AS {TABLE.name}")
            assert process.stdin
            assert process.stdout
            process.stdin.write("once more\n")
            process.stdin.flush()
            seconds = float(process.stdout.readline())
            _verify(clickhouse, manifest, PEER_TABLE)
            return seconds

        yield insert


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
    found, part = fingerprint(clickhouse, TABLE, DAY.isoformat(), source=table), only_part(manifest)
    require_equal(f"rows and checksum in {table}", (found.rows, found.checksum), (part.rows, part.checksum))
    clickhouse.execute(f"DROP TABLE {table}")
