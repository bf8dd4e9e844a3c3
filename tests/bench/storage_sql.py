"""Stores with a DB-API connection: PostgreSQL, DuckDB, Vertica."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg2

from tests.bench.storage_events import COLUMNS
from tests.bench.storage_store import QUERIES, TABLE, NotThere, Store, comparable, drop_from_memory
from tests.servers.postgres import running_postgres

VERTICA_DSN = "STAGEHOUSE_VERTICA_DSN"
# Those that its users would set first. A commit is on the disk when it is answered.
POSTGRES_SETTINGS = "shared_buffers=1GB work_mem=64MB max_wal_size=4GB maintenance_work_mem=256MB"


@contextmanager
def postgres(_: Path) -> Iterator[Store]:
    """PostgreSQL of the wheels, with a key and an index of users."""

    def connect() -> Any:
        connection = psycopg2.connect(**server.parameters)
        connection.autocommit = True
        return connection

    def copy(connection: Any, path: Path) -> None:
        with connection.cursor() as cursor, path.open("rb") as file:
            cursor.copy_expert(f"COPY {TABLE} FROM STDIN", file)

    def restart() -> None:
        server.stop_cleanly()
        drop_from_memory(server.directory)
        server.start()

    with running_postgres(settings=POSTGRES_SETTINGS) as server:
        connections = _Connections(connect)
        yield _store(
            connections,
            copy,
            lambda: int(_one(connections.asking, f"SELECT pg_total_relation_size('{TABLE}')")),
            title=f"PostgreSQL {str(_one(connections.asking, 'SHOW server_version')).split()[0]}",
            conditions="key of partition and offset, index of user and time; commits on the disk; "
            + POSTGRES_SETTINGS.replace(" ", ", "),
            indexes=(
                f"ALTER TABLE {TABLE} ADD PRIMARY KEY (kafka_partition, kafka_offset)",
                f"CREATE INDEX ON {TABLE} (user_id, event_time)",
            ),
            settle=(f"VACUUM ANALYZE {TABLE}", "CHECKPOINT"),
            restart=restart,
        )
        connections.close()


@contextmanager
def duckdb(directory: Path) -> Iterator[Store]:
    """DuckDB in this process. Raises: NotThere."""
    if find_spec("duckdb") is None:
        raise NotThere("the Python package duckdb is missing. Next: install requirements-dev.lock")
    import duckdb as library

    directory.mkdir()
    path = directory / "events.duckdb"
    connections = _Connections(lambda: library.connect(str(path)))  # of a process all see one database
    options = "DELIMITER '\t', HEADER false, QUOTE '', ESCAPE ''"
    yield _store(
        connections,
        lambda connection, file: _do(connection, f"COPY {TABLE} FROM '{file}' ({options})"),
        lambda: path.stat().st_size,
        title=f"DuckDB {library.__version__}",
        conditions="in the process that asks; no key, no index; commits on the disk",
        settle=("CHECKPOINT",),
        restart=lambda: drop_from_memory(directory),
    )
    connections.close()


@contextmanager
def vertica(_: Path) -> Iterator[Store]:
    """Vertica, where somebody has one. Raises: NotThere."""
    dsn = os.environ.get(VERTICA_DSN)
    if not dsn:
        raise NotThere(f"no server is named. Next: set {VERTICA_DSN} to vertica://user:password@host:5433/db")
    if find_spec("vertica_python") is None:
        raise NotThere("the Python package vertica-python is missing. Next: install it")
    import vertica_python  # type: ignore[import-not-found]

    def copy(connection: Any, path: Path) -> None:
        with path.open("rb") as file:
            connection.cursor().copy(f"COPY {TABLE} FROM STDIN DELIMITER E'\\t' ABORT ON ERROR", file)
        connection.commit()

    size = f"SELECT sum(used_bytes) FROM projection_storage WHERE anchor_table_name = '{TABLE}'"
    connections = _Connections(lambda: vertica_python.connect(dsn=dsn))
    yield _store(
        connections,
        copy,
        lambda: int(_one(connections.asking, size)),
        title="Vertica",
        conditions="as it comes, on a host of its own, which is never started anew: no cold figures",
        text="varchar(200)",
    )
    _do(connections.loading, f"DROP TABLE IF EXISTS {TABLE}")
    connections.close()


class _Connections:
    """Two connections: rows come in by one while the other is asked."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self.open()

    def open(self) -> None:
        """Connect."""
        self.loading, self.asking = self._connect(), self._connect()

    def close(self) -> None:
        """Disconnect."""
        self.asking.close()
        self.loading.close()


def _store(
    connections: _Connections,
    copy: Callable[[Any, Path], None],
    size: Callable[[], int],
    *,
    title: str,
    conditions: str,
    indexes: Sequence[str] = (),
    settle: Sequence[str] = (),
    restart: Callable[[], None] | None = None,
    text: str = "text",
) -> Store:
    columns = ", ".join(f"{name} {text if kind == 'text' else kind}" for name, kind in COLUMNS.items())

    def make_table() -> None:
        made = (f"DROP TABLE IF EXISTS {TABLE}", f"CREATE TABLE {TABLE} ({columns})", *indexes)
        _do(connections.loading, *made)

    def ask(query: str) -> list[tuple[Any, ...]]:
        cursor = connections.asking.cursor()
        cursor.execute(QUERIES[query].format(table=TABLE, hour="date_trunc('hour', event_time)"))
        rows = cursor.fetchall()
        cursor.close()
        return comparable(rows)

    def forget() -> None:
        assert restart
        connections.close()
        restart()
        connections.open()

    return Store(
        title,
        conditions,
        make_table,
        lambda path: copy(connections.loading, path),
        ask,
        lambda: _do(connections.loading, *settle),
        size,
        forget if restart else None,
    )


def _do(connection: Any, *statements: str) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()


def _one(connection: Any, query: str) -> Any:
    cursor = connection.cursor()
    cursor.execute(query)
    (found,) = cursor.fetchone()
    cursor.close()
    return found
