"""The day that the faults happen to, and the oracle: what must hold afterwards, whatever happened.

A run has published the day before; `OLD` commits of the day were published by an earlier run; a new run has
staged `NEW` ones, and positions and the repositories themselves.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

from include.clickhouse.client import ClickHouse, NativeClient
from include.clickhouse.errors import OutcomeUnknown, UnusableConnection
from include.clickhouse.fingerprint import Fingerprint, fingerprint
from include.clickhouse.load import StagedPart, load_part
from include.clickhouse.loads import recorded_load
from include.clickhouse.publish import _kept_for_check, check_day
from include.clickhouse.schema import migrate
from include.staging.manifest import Manifest
from include.staging.tables import StagedTable
from tests.integration.clickhouse.days import (
    COMMITS,
    DAY,
    OTHER_DAY,
    REPOSITORIES,
    commits,
    load,
    publish,
    repositories,
    run,
    stage,
    staging_tables,
    stored,
)  # fmt: skip
from tests.servers.clickhouse import ClickHouseServer

POSITIONS = StagedTable(
    name="repositories_positions",
    columns={"date": "Date", "repo": "String", "position": "UInt32", "id": "UInt64", "stars": "Int32"},
    key=("date", "position"),
)
OLD, NEW = 1500, 2100
ROWS_PER_PART = 1000  # three parts of commits: publishing gathers them first
LAST_AUTHOR = f"author №{NEW - 1}".encode()  # in the last packet of data of the last part


def positions(count: int, day: date = DAY) -> list[tuple]:
    """`count` ranks of one day."""
    return [(day, f"octo/repo-{n}", n, n, 1000 - n) for n in range(1, count + 1)]


class FaultyDay:
    """The day on one server, with the files of the new run.

    Attributes: server; database; directory and manifest of the new run; root of its staging; lease, its name.
    """

    lease = f"publish {DAY}"

    def __init__(self, server: ClickHouseServer, database: str, root: Path) -> None:
        self.server, self.database, self.root = server, database, root
        server.execute(f"CREATE DATABASE IF NOT EXISTS {database}")
        with self.connect() as clickhouse:
            migrate(clickhouse)
            self.other_rows, self.old_rows = commits(40, OTHER_DAY), commits(OLD, who="earlier author")
            run(clickhouse, root, "run of the day before", (COMMITS, self.other_rows), day=OTHER_DAY)
            self.old = run(
                clickhouse, root, "old run", (POSITIONS, positions(8)), (COMMITS, self.old_rows),
                rows_per_part=ROWS_PER_PART,
            )  # fmt: skip
        self.rows = commits(NEW)
        self.directory, self.manifest = self.stage("new run", self.rows)

    def stage(self, run_id: str, rows: list[tuple]) -> tuple[Path, Manifest]:
        """Stage the three tables of a run."""
        tables = (REPOSITORIES, repositories(9)), (POSITIONS, positions(9)), (COMMITS, rows)
        return stage(self.root, run_id, *tables, rows_per_part=ROWS_PER_PART)

    def connect(self, port: int | None = None, **options: Any) -> NativeClient:
        """A client of the loader, straight to the server or to the port of a proxy."""
        server = self.server
        login = {"user": server.user, "password": server.password}
        where = "connection 'clickhouse_default'"
        return NativeClient(where, server.host, port or server.port, self.database, **(login | options))

    def load_last_part(self, clickhouse: ClickHouse, attempt: str) -> StagedPart:
        """Load the part with LAST_AUTHOR."""
        file = self.manifest.tables[COMMITS.name].parts[-1].file
        return load_part(
            clickhouse, self.directory, self.manifest, table=COMMITS.name, file=file, attempt=attempt
        )

    def next_run(self) -> None:
        """Do what Airflow does after a red task, new tries of the tasks; then hold all to the oracle."""
        with self.connect() as clickhouse:
            staged = load(clickhouse, self.directory, self.manifest, attempt="next")
            publish(clickhouse, self.manifest, staged, attempt="next")
            check_day(clickhouse, self.directory, self.manifest, "next")
        self.require_published(self.manifest, self.rows)

    def require_published(self, manifest: Manifest, rows: list[tuple]) -> None:
        """Rows equal the truth, keys are unique, other days are untouched, nothing of any try is left.

        But for what publish keeps for check.
        """
        with self.connect() as clickhouse:
            assert sorted(stored(clickhouse)) == sorted(rows)
            assert sorted(stored(clickhouse, POSITIONS)) == positions(9)
            assert sorted(stored(clickhouse, day=OTHER_DAY)) == sorted(self.other_rows)
            repositories_seen = clickhouse.execute("SELECT count(), uniqExact(id) FROM repositories FINAL")
            assert repositories_seen == [(9, 9)]
            for table in (POSITIONS, COMMITS):
                parts = manifest.tables[table.name]
                expected = (parts.rows, parts.checksum, manifest.run_id)
                assert recorded_load(clickhouse, table.name, DAY)[:3] == expected
                assert fingerprint(clickhouse, table, DAY.isoformat()).keys == parts.rows
            assert set(staging_tables(clickhouse)) <= set(_kept_for_check(manifest).values())

    def require_old(self) -> None:
        """The day is still that of the earlier run."""
        with self.connect() as clickhouse:
            assert sorted(stored(clickhouse)) == sorted(self.old_rows)
            assert sorted(stored(clickhouse, POSITIONS)) == positions(8)

    @contextmanager
    def watched(self, *also: Fingerprint | Manifest) -> Iterator["Reader"]:
        """Have a reader look all the time; at the end it has seen the old commits or the new, or `also`."""
        allowed = (self.old, self.manifest, *also)
        whole = {each if isinstance(each, Fingerprint) else _contents(each) for each in allowed}
        reader = Reader(self.connect)
        try:
            yield reader
        finally:
            reader.stop()
        assert reader.looks > 0
        assert reader.seen <= whole


class Reader:
    """A thread that counts and sums a table's day on its own connection. Attributes: seen; looks."""

    def __init__(self, connect: Callable[[], ClickHouse], table: StagedTable = COMMITS) -> None:
        self.seen: set[Any] = set()
        self.looks = 0
        self._connect, self._table, self._done = connect, table, threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        while not self.looks and self._thread.is_alive():
            time.sleep(0.005)

    def stop(self) -> None:
        """End the thread, after one more look. Raises: what ended it before."""
        self._done.set()
        self._thread.join()
        if self._error:
            raise self._error

    def _look(self) -> None:
        try:
            self._look_until_done()
        except Exception as error:  # noqa: BLE001 - raised by stop(): here nobody would see it
            self._error = error

    def _look_until_done(self) -> None:
        with self._connect() as clickhouse:
            last = False
            while not last:
                last = self._done.is_set()
                with suppress(OutcomeUnknown, UnusableConnection):  # the server is down for a moment
                    self.seen.add(self._found(clickhouse))
                    self.looks += 1
                self._done.wait(0.02)

    def _found(self, clickhouse: ClickHouse) -> Any:
        return fingerprint(clickhouse, self._table, DAY.isoformat())


def _contents(manifest: Manifest) -> Fingerprint:
    parts = manifest.tables[COMMITS.name]
    return Fingerprint(rows=parts.rows, keys=parts.rows, checksum=parts.checksum)
