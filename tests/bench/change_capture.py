"""What does it cost to copy a large table of Postgres, and to keep the copy?

A migration goes against the bare pipe of text_parts.py, by one process and by two; Airflow's own time, about
a second a task, is not in it. Runs that find nothing or little changed go against one `SELECT count(*)` of
the source.

`python -m tests.bench.change_capture copy FACTS NUMBER OF` copies every OFth range of a planned migration;
`python -m tests.bench.change_capture migrate FACTS` migrates in one process. Peaks are in KiB.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg2

from include.change_capture.comparison import compare, require_same
from include.change_capture.migration import copy_range, gather, plan, read_plan
from include.change_capture.request import SyncRequest
from include.change_capture.session import Source
from include.change_capture.synchronization import publish, stage
from include.clickhouse.client import ClickHouse
from include.clickhouse.load import StagedPart, load_part
from include.staging.manifest import StagedBy
from tests.bench import sizes
from tests.bench.findings import Finding, at_least, at_most, require_equal
from tests.bench.load_memory import peak_kib
from tests.bench.rounds import typical
from tests.bench.staged_day import DAY, connect, migrated_server
from tests.bench.text_parts import SHAPES, Place, _make_source, _pipe
from tests.clock import now
from tests.servers.postgres import running_postgres

FEW_ROWS, ROWS = sizes.rows(1_000_000), sizes.rows(5_000_000)
CHANGES, ROUNDS = sizes.rows(10_000), 3
NAME = "sales"
COMMAND = [sys.executable, "-m", "tests.bench.change_capture"]


def run() -> list[Finding]:
    """Migrate, do nothing, send a few; each in turn with what it is compared to."""
    with (
        tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder,
        running_postgres() as postgres,
        migrated_server() as server,
        connect(server.port) as clickhouse,
    ):
        place = Place(postgres, server, clickhouse, Path(folder), NAME)
        _make_table(place, FEW_ROWS)
        few = _peak(place, FEW_ROWS)
        _make_table(place, ROWS)
        return [*_migration(place), _memory(few, _peak(place, ROWS)), *_runs(place)]


def _make_table(place: Place, rows: int) -> None:
    _make_source(place, SHAPES[NAME], rows)
    place.postgres.execute(f"ALTER TABLE {NAME} ADD PRIMARY KEY (id)")
    place.postgres.execute(f"VACUUM ANALYZE {NAME}")


def _source(dsn: str) -> Source:
    return Source("the benchmark's shop", partial(psycopg2.connect, dsn), (NAME,), "shop")


def _migration(place: Place) -> list[Finding]:
    pipe, one, two = list[float](), list[float](), list[float]()
    for number in range(ROUNDS):
        pipe.append(_seconds(lambda: _pipe(place, SHAPES[NAME], ROWS)))
        for processes, figures in ((1, one), (2, two)):
            _forget(place)
            directory = place.directory / f"migration {number} {processes}"
            figures.append(_seconds(partial(_migrate, place, directory, processes)))
            _require_migrated(place, ROWS)
    remark = "{} s against {} s"
    return [
        at_least(
            f"migrate 5 M {NAME} by {name}: rows/s of the bare pipe",
            [a / b for a, b in zip(pipe, figures, strict=True)],
            target,
            remark=remark.format(typical(figures), typical(pipe)),
        )
        for name, figures, target in (("one process", one, 0.4), ("two processes", two, 0.6))
    ]


def _forget(place: Place) -> None:
    place.clickhouse.execute("DROP TABLE IF EXISTS shop_sales_versions")
    place.clickhouse.execute("DROP TABLE IF EXISTS shop_sales")
    place.clickhouse.execute("TRUNCATE TABLE source_snapshots")


def _require_migrated(place: Place, rows: int) -> None:
    ((found,),) = place.clickhouse.execute("SELECT count() FROM shop_sales")
    require_equal("rows migrated", found, rows)


def _peak(place: Place, rows: int) -> float:
    """Return the MiB that a process takes which migrates all by itself."""
    _forget(place)
    facts = _facts(place, place.directory / f"migration of {rows}")
    done = subprocess.run([*COMMAND, "migrate", facts], check=True, stdout=subprocess.PIPE)
    _require_migrated(place, rows)
    return int(json.loads(done.stdout)["peak_kib"]) / 1024


def _memory(few: float, many: float) -> Finding:
    what = f"migrate {ROWS:,} {NAME} by one process: peak memory of {FEW_ROWS:,}"
    return at_most(what, [many / few], 1.1, remark=f"{many:.0f} MiB against {few:.0f} MiB")


def _facts(place: Place, directory: Path) -> str:
    return json.dumps({"dsn": place.dsn, "port": place.server.port, "directory": str(directory)})


def _migrate(place: Place, directory: Path, processes: int) -> None:
    source, by = _source(place.dsn), StagedBy("shop_migration", directory.name, DAY, "copy")
    directory.mkdir()
    planned = plan(place.clickhouse, source, directory, now=now)
    command = [*COMMAND, "copy", _facts(place, directory)]
    copying = [
        subprocess.Popen([*command, str(number), str(processes)], stdout=subprocess.PIPE)
        for number in range(processes)
    ]
    loaded = [json.loads(each.communicate()[0])["loaded"] for each in copying]
    parts = [StagedPart.model_validate(part) for some in loaded for part in some]
    gathered = gather(place.clickhouse, source, planned, by, directory, host="here", now=now)
    publish(place.clickhouse, gathered, parts, attempt="1", now=now)


def _runs(place: Place) -> list[Finding]:
    count, idle, few = list[float](), list[float](), list[float]()
    _sync(place, "first")  # its comparison of all values is once a day
    for number in range(ROUNDS):
        count.append(_seconds(partial(_count, place)))
        idle.append(_seconds(partial(_sync, place, f"idle {number}")))
        step = ROWS // CHANGES
        change = f"UPDATE {NAME} SET quantity = quantity + 1 WHERE id % {step} = {number}"
        place.postgres.execute(change)
        few.append(_seconds(partial(_sync, place, f"few {number}")))
    return [
        at_most(
            f"a run that finds {what} of 5 M {NAME} changed: times one SELECT count(*) of the source",
            [a / b for a, b in zip(figures, count, strict=True)],
            target,
            remark=f"{typical(figures)} s against {typical(count)} s",
        )
        for what, figures, target in (("none", idle, 3), (f"{CHANGES:,}", few, 6))
    ]


def _sync(place: Place, run_id: str) -> None:
    directory = place.directory / run_id
    directory.mkdir()
    by = StagedBy("shop_sync", run_id, DAY, "stage")
    clickhouse, source = place.clickhouse, _source(place.dsn)
    manifest = stage(clickhouse, source, SyncRequest(), by, directory, host="here", now=now)
    loaded = _load(clickhouse, directory, manifest)
    publish(clickhouse, manifest, loaded, attempt="1", now=now)
    require_same(clickhouse, compare(clickhouse, directory, manifest))


def _load(clickhouse: ClickHouse, directory: Path, manifest) -> list[StagedPart]:
    return [
        load_part(clickhouse, directory, manifest, table=name, file=part.file, attempt="1")
        for name, parts in manifest.tables.items()
        for part in parts.parts
    ]


def _count(place: Place) -> None:
    connection = psycopg2.connect(place.dsn)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {NAME}")
        require_equal("rows of the source", cursor.fetchone(), (ROWS,))
    connection.close()


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def copy(facts: str, number: str = "0", of: str = "1") -> None:
    """Copy some ranges of a migration, and print what is loaded."""
    told = json.loads(facts)
    directory = Path(told["directory"])
    with connect(told["port"]) as clickhouse:
        loaded = _copy(clickhouse, told["dsn"], directory, int(number), int(of))
    _print(loaded)


def migrate(facts: str) -> None:
    """Plan, copy, gather and publish, and print what was loaded."""
    told = json.loads(facts)
    directory = Path(told["directory"])
    directory.mkdir()
    source, by = _source(told["dsn"]), StagedBy("shop_migration", directory.name, DAY, "copy")
    with connect(told["port"]) as clickhouse:
        planned = plan(clickhouse, source, directory, now=now)
        loaded = _copy(clickhouse, told["dsn"], directory, 0, 1)
        gathered = gather(clickhouse, source, planned, by, directory, host="here", now=now)
        publish(clickhouse, gathered, loaded, attempt="1", now=now)
    _print(loaded)


def _copy(clickhouse: ClickHouse, dsn: str, directory: Path, number: int, of: int) -> list[StagedPart]:
    by = StagedBy("shop_migration", directory.name, DAY, "copy")
    planned, loaded = read_plan(directory), list[StagedPart]()
    for wanted in planned.ranges[number::of]:
        loaded += copy_range(
            clickhouse, _source(dsn), planned, wanted, by, directory, attempt="1", host="here", now=now
        )
    return loaded


def _print(loaded: list[StagedPart]) -> None:
    told = {"loaded": [part.model_dump() for part in loaded], "peak_kib": peak_kib()}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    {"copy": copy, "migrate": migrate}[sys.argv[1]](*sys.argv[2:])
