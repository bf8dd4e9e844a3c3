"""A source on a real Postgres, an engine of ClickHouse, and the steps of a run between them."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path

import psycopg2.extensions
from pytz import UTC

from include.change_capture.comparison import compare, require_same
from include.change_capture.request import read_request
from include.change_capture.session import Source
from include.change_capture.synchronization import facts_of_run, publish, stage
from include.clickhouse.load import load_part
from include.staging.files import run_directory
from include.staging.manifest import Manifest, StagedBy
from tests.integration.clickhouse.days import DAY, now

CONNECTION = "shop_default"
TABLES = """
CREATE TABLE parents (id bigint PRIMARY KEY, name text NOT NULL, at timestamptz, price numeric(10,2));
CREATE TABLE pairs (left_id int, right_id text, amount int, PRIMARY KEY (right_id, left_id));
CREATE TABLE words (word text PRIMARY KEY, day date);
INSERT INTO parents
    SELECT n, 'name ' || n, timestamptz '2026-08-01 00:00:00.123456+02' + n * interval '1 minute', n * 1.01
    FROM generate_series(1, 200) AS n;
INSERT INTO pairs SELECT n, 'right ' || n % 7, n FROM generate_series(1, 60) AS n;
INSERT INTO words SELECT 'word' || n, date '2026-08-01' + n FROM generate_series(1, 50) AS n;
"""
NAMES = ("parents", "pairs", "words")


class Place:
    """A source and what is made of it.

    Attributes: connection of the source, in autocommit; source; clickhouse; root of staging; runs so far.
    """

    def __init__(self, connect: Callable, clickhouse, root: Path, tables: tuple[str, ...] = NAMES) -> None:
        self._connect, self.clickhouse, self.root = connect, clickhouse, root
        self.connection: psycopg2.extensions.connection = connect()
        self.connection.autocommit = True
        self.source = Source(connection=CONNECTION, connect=connect, tables=tables, prefix="shop")
        self._numbers = count(1)

    def sql(self, statement: str) -> list[tuple]:
        """Run statements in the source; return the rows of the last."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def another(self) -> psycopg2.extensions.connection:
        """Open one more connection, with transactions."""
        return self._connect()

    def stage(self, run_id: str = "", **params) -> tuple[Path, Manifest]:
        """Read the source."""
        run_id = run_id or f"run {next(self._numbers)}"
        directory = run_directory(self.root, "shop_sync", DAY, run_id)
        by = StagedBy("shop_sync", run_id, DAY, "stage")
        request = read_request(params, self.source.tables)
        return directory, stage(self.clickhouse, self.source, request, by, directory, host="here", now=now)

    def load(self, directory: Path, manifest: Manifest, attempt: str = "1") -> list:
        """Load all parts."""
        return [
            load_part(self.clickhouse, directory, manifest, table=name, file=part.file, attempt=attempt)
            for name, parts in manifest.tables.items()
            for part in parts.parts
        ]

    def publish(self, directory: Path, manifest: Manifest, attempt: str = "1", **how) -> dict:
        """Load and publish."""
        return self.publish_staged(manifest, self.load(directory, manifest, attempt), attempt, **how)

    def publish_staged(self, manifest: Manifest, staged: list, attempt: str = "1", **how) -> dict:
        """Publish what is loaded."""
        return publish(self.clickhouse, manifest, staged, attempt=attempt, now=now, **how)

    def run(self, **params) -> dict:
        """Take a run from the source to the comparison; return rows sent by table."""
        directory, manifest = self.stage(**params)
        sent = self.publish(directory, manifest)
        require_same(self.clickhouse, compare(self.clickhouse, directory, manifest))
        return sent

    def why_whole(self, **params) -> dict[str, str]:
        """Run, and return why each table was read whole, where one was."""
        directory, manifest = self.stage(**params)
        self.publish(directory, manifest)
        require_same(self.clickhouse, compare(self.clickhouse, directory, manifest))
        return {each.table.name: each.whole for each in facts_of_run(manifest).tables if each.whole}

    def source_of(self, *tables: str) -> Source:
        """Return the source of other tables of the same database."""
        return Source(self.source.connection, self.source.connect, tables, self.source.prefix)

    def require_same(self, *tables: str) -> None:
        """Each row of the source is in sight once, as it is, and no other: by code of the test's own."""
        for table in tables or self.source.tables:
            self.require_rows(table, self.sql(f"SELECT * FROM {table}"))

    def require_rows(self, table: str, rows: list[tuple]) -> None:
        """These rows are in sight, and no others."""
        of_table = f"attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
        names = self.sql(f"SELECT attname FROM pg_attribute WHERE {of_table} ORDER BY attnum")
        seen = self.clickhouse.execute(f"SELECT {', '.join(name for (name,) in names)} FROM shop_{table}")
        assert sorted(map(repr, seen)) == sorted(repr(tuple(map(_as_kept, row))) for row in rows), table


def _as_kept(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value * 100)
    if isinstance(value, dt.datetime):
        return value.astimezone(UTC).replace(microsecond=0)
    return value
