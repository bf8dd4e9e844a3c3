"""Both engines, each with the project's tables in a database of the test's own."""

from collections.abc import Iterator

import pytest

from include.clickhouse.client import ClickHouse, NativeClient
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.schema import migrate


@pytest.fixture(params=["18.16 native", "26.9 embedded"])
def connect(request):
    """A function that opens one more connection to the test's engine and database."""
    if request.param == "26.9 embedded":
        path = request.getfixturevalue("chdb_path")
        return lambda: EmbeddedClient("connection 'embedded'", path, "stagehouse", wait_s=20)
    server = request.getfixturevalue("clickhouse_server")
    database = request.getfixturevalue("clickhouse_database")
    server.execute(f"CREATE DATABASE IF NOT EXISTS {database}")
    return lambda: NativeClient(
        "connection 'native'", server.host, server.port, database, user=server.user, password=server.password
    )


@pytest.fixture
def clickhouse(connect) -> Iterator[ClickHouse]:
    """An open connection to migrated tables."""
    with connect() as connection:
        migrate(connection)
        yield connection
