"""What does it cost to copy a large table of Postgres, and to keep the copy?

A migration goes against the bare pipe of text_parts.py, by one process and by two; Airflow's own time, about
a second a task, is not in it. Runs that find nothing or little changed go against one `SELECT count(*)` of
the source.

`python -m tests.bench.change_capture FACTS NUMBER OF` copies every OFth range of a planned migration.
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
from tests.bench.findings import Finding, at_least, at_most, require_equal
from tests.bench.rounds import typical
from tests.bench.staged_day import DAY, connect, migrated_server
from tests.bench.text_parts import SHAPES, Place, _make_source, _pipe
from tests.clock import now
from tests.servers.postgres import running_postgres

ROWS, CHANGES, ROUNDS = 5_000_000, 10_000, 3
NAME = "sales"


def run() -> list[Finding]:
    """Migrate, do nothing, send a few; each in turn with what it is compared to."""
    with (
        tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder,
        running_postgres() as postgres,
        migrated_server() as server,
        connect(server.port) as clickhouse,
    ):
        place = Place(postgres, server, clickhouse, Path(folder), NAME)
        _make_source(place, SHAPES[NAME], ROWS)
        postgres.execute(f"ALTER TABLE {NAME} ADD PRIMARY KEY (id)")
        postgres.execute(f"VACUUM ANALYZE {NAME}")
        return [*_migration(place), *_runs(place)]


def _source(dsn: str) -> Source:
    return Source("the benchmark's shop", partial(psycopg2.connect, dsn), (NAME,), "shop")


def _migration(place: Place) -> list[Finding]:
    pipe, one, two = list[float](), list[float](), list[float]()
    for number in range(ROUNDS):
        pipe.append(_seconds(lambda: _pipe(place, SHAPES[NAME], ROWS)))
        for processes, figures in ((1, one), (2, two)):
            place.clickhouse.execute("DROP TABLE IF EXISTS shop_sales_versions")
            place.clickhouse.execute("DROP TABLE IF EXISTS shop_sales")
            place.clickhouse.execute("TRUNCATE TABLE source_snapshots")
            directory = place.directory / f"migration {number} {processes}"
            figures.append(_seconds(partial(_migrate, place, directory, processes)))
            ((rows,),) = place.clickhouse.execute("SELECT count() FROM shop_sales")
            require_equal("rows migrated", rows, ROWS)
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


def _migrate(place: Place, directory: Path, processes: int) -> None:
    source, by = _source(place.dsn), StagedBy("shop_migration", directory.name, DAY, "copy")
    directory.mkdir()
    planned = plan(place.clickhouse, source, directory, now=now)
    facts = {"dsn": place.dsn, "port": place.server.port, "directory": str(directory)}
    command = [sys.executable, "-m", "tests.bench.change_capture", json.dumps(facts)]
    copying = [
        subprocess.Popen([*command, str(number), str(processes)], stdout=subprocess.PIPE)
        for number in range(processes)
    ]
    loaded = [json.loads(each.communicate()[0]) for each in copying]
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


def main(facts: str, number: int, of: int) -> None:
    """Copy some ranges of a migration, and print what is loaded."""
    told = json.loads(facts)
    directory = Path(told["directory"])
    by = StagedBy("shop_migration", directory.name, DAY, "copy")
    planned, loaded = read_plan(directory), list[StagedPart]()
    with connect(told["port"]) as clickhouse:
        for wanted in planned.ranges[number::of]:
            loaded += copy_range(
                clickhouse, _source(told["dsn"]), planned, wanted, by, directory,
                attempt="1", host="here", now=now,
            )  # fmt: skip
    sys.stdout.write(json.dumps([part.model_dump() for part in loaded]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
