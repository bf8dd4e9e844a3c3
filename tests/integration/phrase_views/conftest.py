"""Both engines, each opened once a file: reports are many and small."""

from collections.abc import Iterator

import pytest

from include.clickhouse.client import ClickHouse, NativeClient
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.schema import migrate
from tests.integration.phrase_views.days import emptied

DATABASE = "reports"


@pytest.fixture(scope="module", params=["18.16 native", "26.9 embedded"])
def engine(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[ClickHouse]:
    """An open connection to migrated tables, with whatever earlier tests of the file left in them."""
    if request.param == "26.9 embedded":
        with EmbeddedClient("embedded", tmp_path_factory.mktemp("engine") / "chdb", DATABASE) as connection:
            migrate(connection)
            yield connection
        return
    server = request.getfixturevalue("clickhouse_server")
    server.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
    server.execute(f"CREATE DATABASE {DATABASE}")
    user, password = server.user, server.password
    with NativeClient("n", server.host, server.port, DATABASE, user=user, password=password) as connection:
        migrate(connection)
        yield connection


@pytest.fixture
def clickhouse(engine: ClickHouse) -> ClickHouse:
    """The same, with empty tables."""
    return emptied(engine)
