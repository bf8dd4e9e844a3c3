"""ClickHouse as a store: the server that Debian has, and the engine of today in this process."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from include.clickhouse.client import NativeClient
from include.clickhouse.embedded import EmbeddedClient
from tests.bench.storage_events import COLUMNS
from tests.bench.storage_store import QUERIES, TABLE, Store, comparable, drop_from_memory
from tests.servers.clickhouse import running_clickhouse

_TYPES = {"text": "String", "timestamp": "DateTime('UTC')", "integer": "Int32", "bigint": "Int64"}
_COLUMNS = ", ".join(f"{name} {_TYPES[kind]}" for name, kind in COLUMNS.items())
_MADE = (
    f"CREATE TABLE {TABLE} ({_COLUMNS}) ENGINE = MergeTree "
    "PARTITION BY toYYYYMM(event_time) ORDER BY (kafka_partition, kafka_offset)"
)
_BYTES = f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = '{TABLE}'"
_ORDER = "sorted by partition and offset, cut by months, as the table user_events; no fsync, as it comes"


@contextmanager
def clickhouse(directory: Path) -> Iterator[Store]:
    """The server: rows by HTTP, as text; questions by the native protocol."""
    directory.mkdir()
    with running_clickhouse(directory=directory) as server:
        login = {"user": server.user, "password": server.password}
        client = NativeClient("bench", server.host, server.port, "default", **login)

        def insert(path: Path) -> None:
            connection = http.client.HTTPConnection(server.host, server.http_port)
            with path.open("rb") as rows:
                connection.request("POST", f"/?query=INSERT%20INTO%20{TABLE}%20FORMAT%20TabSeparated", rows)
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise RuntimeError(answer.read().decode())
            connection.close()

        def forget() -> None:
            client.disconnect()
            server.stop()
            drop_from_memory(directory)
            server.start()
            client.execute("SELECT 1")

        yield _store(client, f"ClickHouse {_version(client)}", _ORDER, insert, forget)
        client.disconnect()


@contextmanager
def embedded(directory: Path) -> Iterator[Store]:
    """chDB; one statement at a time, so a question waits for an insert that is under way."""
    directory.mkdir()
    client, alone = EmbeddedClient("bench", directory / "chdb", "stagehouse"), threading.Lock()
    structure = _COLUMNS.replace("'", "\\'")

    def insert(path: Path) -> None:
        with alone:
            client.execute(f"INSERT INTO {TABLE} SELECT * FROM file('{path}', 'TabSeparated', '{structure}')")

    def forget() -> None:
        client.disconnect()
        drop_from_memory(directory)
        client.execute("SELECT 1")

    conditions = f"in the process that asks, one statement at a time; {_ORDER}"
    yield _store(client, f"chDB, engine {_version(client)}", conditions, insert, forget, alone)
    client.disconnect()


def _store(client: Any, title: str, conditions: str, insert: Any, forget: Any, alone: Any = None) -> Store:
    alone = alone or threading.Lock()

    def make_table() -> None:
        client.execute(f"DROP TABLE IF EXISTS {TABLE}")
        client.execute(_MADE)

    def ask(query: str) -> list[tuple[Any, ...]]:
        with alone:
            asked = QUERIES[query].format(table=TABLE, hour="toStartOfHour(event_time)")
            return comparable(client.execute(asked))

    return Store(
        title,
        conditions,
        make_table,
        insert,
        ask,
        settle=lambda: None,  # parts are merged by and by: it is asked as it is found
        bytes_on_disk=lambda: int(client.execute(_BYTES)[0][0]),
        forget=forget,
    )


def _version(client: Any) -> str:
    return ".".join(str(client.execute("SELECT version()")[0][0]).split(".")[:2])
