"""What the faults happen to: a day on a real server, and a proxy in front of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.day import FaultyDay
from tests.faults.proxy import Proxy
from tests.servers.clickhouse import ClickHouseServer


@pytest.fixture
def day(clickhouse_server: ClickHouseServer, clickhouse_database: str, tmp_path: Path) -> FaultyDay:
    """A day with rows of an earlier run in sight and rows of a new run staged."""
    return FaultyDay(clickhouse_server, clickhouse_database, tmp_path)


@pytest.fixture
def proxy(clickhouse_server: ClickHouseServer) -> Iterator[Proxy]:
    """A proxy in front of the session's ClickHouse."""
    with Proxy(clickhouse_server.port) as between:
        yield between
