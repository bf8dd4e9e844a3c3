"""Who loses rows, beside four writers that do anything at random?

Each run is compared with the rows of its own snapshot. A copy by `updated_at > the greatest one seen`, as it
is usually written, is compared with the rows of the snapshot that it reads, too. dlt reads at instants of its
own: it is compared with what is there once the writers have ended and it has run once more.
"""

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg2
import psycopg2.extensions

from include.change_capture.comparison import compare
from include.clickhouse.client import ClickHouse
from tests.bench.findings import Finding, WorkNotDone, never_above, not_measured
from tests.bench.peers import DLT_SQL, NotInstalled
from tests.bench.staged_day import connect as connect_to
from tests.bench.staged_day import migrated_server
from tests.integration.change_capture.place import TABLES, Place
from tests.integration.change_capture.writers import Watched, Writer, truth
from tests.servers.postgres import PostgresServer, running_postgres

ROOT = Path(__file__).resolve().parents[2]
RANDOM_RUNS, PEER_RUNS, PEER_WITHIN_S = 200, 20, 600
KEYS = {"parents": ("id", "name"), "pairs": ("left_id", "right_id", "amount"), "words": ("word",)}
WATERMARK = """
ALTER TABLE parents ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON parents FOR EACH ROW EXECUTE FUNCTION touch();
"""


def run() -> list[Finding]:
    """Run both ways while writers go on."""
    with (
        tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder,
        running_postgres() as postgres,
        migrated_server() as server,
        connect_to(server.port) as clickhouse,
    ):
        connect = partial(psycopg2.connect, **postgres.parameters)
        return [*_wrong_rows(connect, clickhouse, Path(folder)), _wrong_by_dlt(postgres, Path(folder))]


def _wrong_rows(connect: Callable, clickhouse: ClickHouse, directory: Path) -> list[Finding]:
    """Copy by both ways while writers go on, and count rows that are not as the snapshot had them."""
    shop = Place(connect, clickhouse, directory)
    shop.sql(TABLES + WATERMARK)
    shop.source = Watched(shop.source.connection, connect, shop.source.tables, "random")
    done, ours, marked, copied = threading.Event(), list[float](), list[float](), dict[int, tuple]()
    at_one_instant = connect()
    at_one_instant.set_session(isolation_level="REPEATABLE READ", readonly=True)
    writers = [Writer(connect, number, done) for number in range(4)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(RANDOM_RUNS):
            staged, manifest = shop.stage(accept_shrink=list(shop.source.tables))
            shop.publish(staged, manifest)
            wrong = 0
            for table, rows in truth.items():
                seen = clickhouse.execute(f"SELECT {', '.join(KEYS[table])} FROM random_{table}")
                wanted = {row[: len(KEYS[table])] for row in rows}
                wrong += len(set(seen) ^ wanted) + len(seen) - len(set(seen))
            compared = compare(clickhouse, staged, manifest)
            ours.append(wrong + sum(each.unlike for each in compared))
            marked.append(_wrong_by_watermark(at_one_instant, copied))
    finally:
        done.set()
        for writer in writers:
            writer.join()
        at_one_instant.close()
    what = f"rows wrong after each of {RANDOM_RUNS} runs beside four writers"
    return [
        never_above(what, ours, 0),
        Finding(f"{what}, by updated_at > the greatest seen", marked, "", None, digits=0),
    ]


def _wrong_by_dlt(postgres: PostgresServer, directory: Path) -> Finding:
    """Let dlt copy beside the same writers, and once more after them."""
    what = f"rows wrong after {PEER_RUNS} runs beside four writers and one after them, by {DLT_SQL.title}"
    connect = partial(psycopg2.connect, **postgres.parameters)
    done = threading.Event()
    writers = [Writer(connect, number, done) for number in range(4)]
    for writer in writers:
        writer.start()
    try:
        _run_dlt(postgres, directory, PEER_RUNS)
    except NotInstalled as why:
        return not_measured(what, why)
    finally:
        done.set()
        for writer in writers:
            writer.join()
    copied = _run_dlt(postgres, directory, 1)
    with connect() as source, source.cursor() as cursor:
        cursor.execute("SELECT id, name FROM parents")
        there = set(cursor.fetchall())
    return Finding(what, [len(set(copied) ^ there)], "", None, digits=0, remark=f"of {len(there)} rows")


def _run_dlt(postgres: PostgresServer, directory: Path, runs: int) -> list[tuple[int, str]]:
    """Return what is stored after so many runs of dlt, by its keys and names."""
    dsn = postgres.sqlalchemy_url(postgres.database)
    command = (DLT_SQL.program(), "-m", "tests.bench.dlt_shop", dsn, str(directory), "parents", str(runs))
    env = os.environ | {"HOME": str(directory), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    said = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=PEER_WITHIN_S
    )
    if said.returncode:
        raise WorkNotDone(f"dlt ended with {said.returncode}: {said.stderr[-500:]}")
    return [(number, name) for number, name in json.loads(said.stdout.splitlines()[-1])]


def _wrong_by_watermark(source: psycopg2.extensions.connection, copied: dict[int, tuple]) -> int:
    """Copy what is newer than the newest row that was copied; return how many rows are not as they are."""
    newest = max((row[-1] for row in copied.values()), default=None)
    newer = f" WHERE updated_at > '{newest}'" if newest else ""
    with source, source.cursor() as cursor:
        cursor.execute(f"SELECT id, name, updated_at FROM parents{newer}")
        copied.update({row[0]: row for row in cursor.fetchall()})
        cursor.execute("SELECT id, name, updated_at FROM parents")
        there = {row[0]: row for row in cursor.fetchall()}
    return sum(copied.get(key) != there.get(key) for key in copied | there)
