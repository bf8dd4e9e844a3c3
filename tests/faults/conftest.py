"""What the faults happen to: a day on a real server, and proxies in front of ClickHouse and PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2.extensions
import pytest

from tests.faults.day import FaultyDay
from tests.faults.proxy import READY_FOR_QUERY, Proxy
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.postgres import PostgresServer


@pytest.fixture
def day(clickhouse_server: ClickHouseServer, clickhouse_database: str, tmp_path: Path) -> FaultyDay:
    """A day with rows of an earlier run in sight and rows of a new run staged."""
    return FaultyDay(clickhouse_server, clickhouse_database, tmp_path)


@pytest.fixture
def proxy(clickhouse_server: ClickHouseServer) -> Iterator[Proxy]:
    """A proxy in front of the session's ClickHouse."""
    with Proxy(clickhouse_server.port) as between:
        yield between


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[Proxy]:
    """A proxy in front of the session's PostgreSQL."""
    with Proxy(postgres_server.port, READY_FOR_QUERY) as between:
        yield between


@pytest.fixture
def dsn(postgres_server: PostgresServer, postgres_database: str) -> Callable[[Proxy], str]:
    """Where leases are taken, through a proxy: a database of the test's own, they meet no others."""

    def through(proxy: Proxy) -> str:
        place = {"dbname": postgres_database, "port": proxy.port}
        return psycopg2.extensions.make_dsn(**(postgres_server.parameters | place))

    return through
