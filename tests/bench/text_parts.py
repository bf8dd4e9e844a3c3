"""How fast do large tables get in as text, with their proof, against a bare pipe and against the driver?

A table of Postgres is copied into a part, loaded, and proved by the hash of what is stored. The pipe is
`psql COPY` into ClickHouse's own TabSeparated, with neither file nor proof: into clickhouse-client, or where
that is not installed, by curl into the server's HTTP port. CPU is that of all: ours, psql's, both servers'.

`python -m tests.bench.text_parts SHAPE ROWS DSN PORT DIRECTORY` stages and loads, and prints the peak in KiB.
"""

import gc
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg2
import psycopg2.extensions
from clickhouse_driver import Client

from include.clickhouse.client import ClickHouse
from include.clickhouse.load import load_part
from include.postgres.copy_out import copy_out
from include.staging.manifest import Manifest, save_manifest
from include.staging.tables import StagedTable
from include.staging.text_parts import TextWriter
from tests.bench import sizes
from tests.bench.findings import Finding, at_least, at_most, require_equal
from tests.bench.load_memory import peak_kib
from tests.bench.rounds import in_turn, ratios, typical
from tests.bench.staged_day import DATABASE, DAY, connect, migrated_server, staged_in
from tests.servers.clickhouse import PASSWORD, ClickHouseServer
from tests.servers.postgres import PostgresServer, running_postgres

ROWS, MANY_ROWS, ROUNDS = sizes.rows(1_000_000), sizes.rows(5_000_000), 3
MOST_MIB = 120
_AT = "timestamptz '2026-08-20 00:00+00' + n % 144 * interval '10 min'"
_SECONDS = "floor(date_part('epoch', {0}))::bigint"


class Shape(NamedTuple):
    """A table.

    Attributes: source, makes its rows of a number n; columns: kind, and what selects it as staged; wall, cpu,
    load: what is wanted of the pipe's speed, its CPU, and the driver's speed.
    """

    source: str
    columns: dict[str, tuple[str, str]]
    wall: float
    cpu: float
    load: float

    def table(self, name: str) -> StagedTable:
        """Return what is staged."""
        kinds = {column: kind for column, (kind, _) in self.columns.items()}
        return StagedTable(name=name, columns=kinds, key=(next(iter(kinds)),), day_column=None, form="text")


SHAPES = {
    "counters": Shape(
        "(n / 1000 + 1)::int AS campaign_id, 'some words of a search phrase ' || n % 1000 AS phrase, "
        f"(n * 7919 % 100003)::int AS views, {_AT} AS dt",
        {
            "campaign_id": ("Int32", "campaign_id"),
            "phrase": ("String", "phrase"),
            "views": ("Int32", "views"),
            "dt": ("DateTime('UTC')", _SECONDS.format("dt")),
        },
        wall=0.6,
        cpu=0.7,
        load=1.2,
    ),
    "sales": Shape(
        "n AS id, n * 7919 % 100003 AS product_id, CASE WHEN n % 10 > 0 THEN n % 50021 END AS user_id, "
        "(n % 997)::int AS seller_id, (n % 7 + 1)::int AS quantity, "
        "(n % 99991 / 100.0)::numeric(10,2) AS price, "
        f"{_AT} AS sale_date, CASE WHEN n % 3 = 0 THEN (n % 89 / 10.0)::numeric(10,2) END AS refund, "
        "CASE WHEN n % 100 = 0 THEN E'a\\ttab, a\\nline, a \\\\ ' "
        "WHEN n % 2 = 0 THEN 'note ' END || n AS note, "
        "'name of a product ' || n % 5003 AS name, n % 2 = 0 AS paid, (n % 5 + 0.5)::float8 AS rating",
        {
            "id": ("Int64", "id"),
            "product_id": ("Int64", "product_id"),
            "user_id": ("Nullable(Int64)", "user_id"),
            "seller_id": ("Int32", "seller_id"),
            "quantity": ("Int32", "quantity"),
            "price": ("Int64", "(price * 100)::bigint"),
            "sale_date": ("DateTime('UTC')", _SECONDS.format("sale_date")),
            "refund": ("Nullable(Int64)", "(refund * 100)::bigint"),
            "note": ("Nullable(String)", "note"),
            "name": ("String", "name"),
            "paid": ("UInt8", "paid::int"),
            "rating": ("Float64", "('x' || encode(float8send(rating), 'hex'))::bit(64)::bigint"),
        },
        wall=0.45,
        cpu=0.55,
        load=1.8,
    ),
}
# What the pipe has to select for TabSeparated, where that is something else.
PIPED = {"dt": "to_char(dt AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')", "rating": "rating"}
PIPED["sale_date"] = PIPED["dt"].replace("dt", "sale_date")


def run() -> list[Finding]:
    """Copy, load and prove in turn with the pipe; insert from memory; measure the peaks."""
    findings = []
    with (
        tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder,
        running_postgres() as postgres,
        migrated_server() as server,
        connect(server.port) as clickhouse,
    ):
        for name, shape in SHAPES.items():
            place = Place(postgres, server, clickhouse, Path(folder), name)
            for rows in (ROWS, MANY_ROWS):
                findings += _against_the_pipe(place, shape, rows)
            findings += [_against_the_driver(place, shape), *_memory(place)]
    return findings


class Place(NamedTuple):
    """Where the work is done, and the table's name."""

    postgres: PostgresServer
    server: ClickHouseServer
    clickhouse: ClickHouse
    directory: Path
    name: str

    @property
    def dsn(self) -> str:
        """Return how Postgres is reached."""
        return psycopg2.extensions.make_dsn(**self.postgres.parameters)


def _against_the_pipe(place: Place, shape: Shape, rows: int) -> list[Finding]:
    _make_source(place, shape, rows)
    cpu: dict[str, list[float]] = {"text": [], "pipe": []}
    work = {
        "text": partial(_timed, place, cpu["text"], lambda: stage_and_load(place, shape, rows)),
        "pipe": partial(_timed, place, cpu["pipe"], lambda: _pipe(place, shape, rows)),
    }
    seconds = in_turn(work, ROUNDS)
    what = f"{rows:,} {place.name} from Postgres, staged, loaded, proved: speed of the bare pipe"
    remark = f"{typical(seconds['text'])} s against {typical(seconds['pipe'])} s"
    spent = {name: figures[1:] for name, figures in cpu.items()}
    spent_remark = f"{typical(spent['text'])} CPU s against {typical(spent['pipe'])} CPU s"
    return [
        at_least(what, ratios(seconds["pipe"], seconds["text"]), shape.wall, remark=remark),
        at_least(f"{what}, by CPU", ratios(spent["pipe"], spent["text"]), shape.cpu, remark=spent_remark),
    ]


def _make_source(place: Place, shape: Shape, rows: int) -> None:
    place.postgres.execute(f"DROP TABLE IF EXISTS {place.name}")
    select = f"SELECT {shape.source} FROM generate_series(0, {rows - 1}::bigint) AS n"
    place.postgres.execute(f"CREATE UNLOGGED TABLE {place.name} AS {select}")
    columns = ", ".join(f"{column} {kind}" for column, (kind, _) in shape.columns.items())
    place.clickhouse.execute(f"DROP TABLE IF EXISTS {place.name}")
    engine = f"MergeTree ORDER BY {next(iter(shape.columns))}"
    place.clickhouse.execute(f"CREATE TABLE {place.name} ({columns}) ENGINE = {engine}")


def stage(shape: Shape, name: str, dsn: str, directory: Path) -> Manifest:
    """Copy the table into parts, and write the manifest."""
    select = ", ".join(selected for _, selected in shape.columns.values())
    with TextWriter(directory, shape.table(name)) as writer:
        connection = psycopg2.connect(dsn)
        with connection.cursor() as cursor:
            copy_out(cursor, f"SELECT {select} FROM {name}", writer.write)
        connection.close()
    given = {
        "dag_id": "bench",
        "run_id": "bench",
        "day": DAY,
        "host": "here",
        "written_at": "2026-08-21T00:00Z",
    }
    manifest = Manifest.model_validate(given | {"tables": {name: writer.parts}})
    save_manifest(directory, manifest)
    return manifest


def load(clickhouse: ClickHouse, directory: Path, name: str, rows: int) -> None:
    """Load all parts with their proof, and drop them."""
    manifest, loaded = staged_in(directory), 0
    for part in manifest.tables[name].parts:
        staged = load_part(clickhouse, directory, manifest, table=name, file=part.file, attempt="bench")
        clickhouse.execute(f"DROP TABLE {staged.staging_table}")
        loaded += staged.rows
    require_equal(f"rows of {name}", loaded, rows)


def stage_and_load(place: Place, shape: Shape, rows: int) -> None:
    """Do what the tasks `stage` and `load` do."""
    with _folder(place.directory) as directory:
        stage(shape, place.name, place.dsn, directory)
        load(place.clickhouse, directory, place.name, rows)


def _pipe(place: Place, shape: Shape, rows: int) -> None:
    place.clickhouse.execute(f"CREATE TABLE piped AS {place.name}")
    select = ", ".join(PIPED.get(column, selected) for column, (_, selected) in shape.columns.items())
    copy = ["psql", place.dsn, "-qc", f"COPY (SELECT {select} FROM {place.name}) TO STDOUT"]
    with subprocess.Popen(copy, stdout=subprocess.PIPE) as source:
        subprocess.run(_into(place.server), stdin=source.stdout, check=True)
    ((arrived,),) = place.clickhouse.execute("SELECT count() FROM piped")
    place.clickhouse.execute("DROP TABLE piped")
    require_equal(f"rows of {place.name} through the pipe", arrived, rows)


def _into(server: ClickHouseServer) -> list[str]:
    insert = f"INSERT INTO {DATABASE}.piped FORMAT TabSeparated"
    if shutil.which("clickhouse-client"):
        login = [f"--user={server.user}", f"--password={PASSWORD}", f"--port={server.port}"]
        return ["clickhouse-client", "--host=127.0.0.1", *login, f"--query={insert}"]
    url = f"http://127.0.0.1:{server.http_port}/?query={insert.replace(' ', '%20')}"
    return ["curl", "-sS", "--fail", "-X", "POST", "-T", "-", "-u", f"{server.user}:{PASSWORD}", url]


def _timed(place: Place, cpu: list[float], work: Callable[[], None]) -> float:
    started, spent = time.perf_counter(), _cpu(place)
    work()
    cpu.append(_cpu(place) - spent)
    return time.perf_counter() - started


def _cpu(place: Place) -> float:
    """Return the seconds of all processes so far: those of a process that ends are its parent's."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = time.process_time() + children.ru_utime + children.ru_stime
    postmaster = int(place.postgres.pid_file.read_text().split()[0])
    assert place.server.process
    for process in (psutil.Process(place.server.process.pid), psutil.Process(postmaster)):
        total += sum(process.cpu_times()[:4]) + sum(sum(each.cpu_times()[:2]) for each in process.children())
    return total


def _against_the_driver(place: Place, shape: Shape) -> Finding:
    _make_source(place, shape, ROWS)
    with _folder(place.directory) as directory:
        stage(shape, place.name, place.dsn, directory)
        in_memory = _rows_in_memory(place, directory)
        gc.freeze()  # or the collector would look at the driver's rows while the load runs
        driver = Client("127.0.0.1", place.server.port, DATABASE, place.server.user, PASSWORD)
        with driver:
            work = {
                "load": lambda: _seconds(lambda: load(place.clickhouse, directory, place.name, ROWS)),
                "driver": lambda: _seconds(lambda: _insert(driver, place.name, in_memory)),
            }
            seconds = in_turn(work, ROUNDS)
        gc.unfreeze()
    remark = f"{typical(seconds['load'])} s against {typical(seconds['driver'])} s"
    what = f"load {ROWS:,} {place.name} of text: rows/s of the driver from memory"
    return at_least(what, ratios(seconds["driver"], seconds["load"]), shape.load, remark=remark)


def _rows_in_memory(place: Place, directory: Path) -> list[tuple[object, ...]]:
    """Return the rows of the first part, as the driver reads them: the only one, of so many rows."""
    manifest = staged_in(directory)
    (part,) = manifest.tables[place.name].parts
    staged = load_part(
        place.clickhouse, directory, manifest, table=place.name, file=part.file, attempt="rows"
    )
    rows: list[tuple[object, ...]] = place.clickhouse.execute(f"SELECT * FROM {staged.staging_table}")
    place.clickhouse.execute(f"DROP TABLE {staged.staging_table}")
    return rows


def _insert(driver: Client, name: str, rows: list[tuple[object, ...]]) -> None:
    driver.execute(f"CREATE TABLE inserted_by_the_driver AS {name}")
    driver.execute("INSERT INTO inserted_by_the_driver VALUES", rows)
    driver.execute("DROP TABLE inserted_by_the_driver")


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _memory(place: Place) -> list[Finding]:
    shape, peaks = SHAPES[place.name], []
    for rows in (ROWS, MANY_ROWS):
        _make_source(place, shape, rows)
        with _folder(place.directory) as directory:
            facts = (place.name, str(rows), place.dsn, str(place.server.port), str(directory))
            command = [sys.executable, "-m", "tests.bench.text_parts", *facts]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks.append(int(done.stdout) / 1024)
    few, many = peaks
    question = f"stage and load {MANY_ROWS:,} {place.name} of text: peak memory"
    remark = f"{many:.0f} MiB against {few:.0f} MiB"
    return [
        at_most(f"{question} of {ROWS:,}", [many / few], 1.1, remark=remark),
        at_most(f"{question}, MiB", [many], MOST_MIB, digits=0),
    ]


@contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def main(name: str, rows: int, dsn: str, port: int, directory: Path) -> None:
    """Stage and load, and print the peak memory of this process in KiB."""
    stage(SHAPES[name], name, dsn, directory)
    with connect(port) as clickhouse:
        load(clickhouse, directory, name, rows)
    sys.stdout.write(f"{peak_kib()}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), Path(sys.argv[5]))
