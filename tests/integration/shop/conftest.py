"""Both engines, each opened once a file, with the shop's tables."""

from collections.abc import Iterator

import pytest

from include.clickhouse.client import ClickHouse, NativeClient
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.schema import migrate
from tests.integration.shop.source_tables import ShopTables

DATABASE = "shop_reports"
OURS = (
    "daily_sales_aggregation", "user_activity_aggregation", "aggregated_days", "aggregated_inputs", "loads",
    "quality_checks", "user_sessions",
)  # fmt: skip


@pytest.fixture(scope="module", params=["18.16 native", "26.9 embedded"])
def engine(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[ClickHouse]:
    """An open connection to migrated tables."""
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
def shop(engine: ClickHouse) -> ShopTables:
    """The shop's tables and ours, all empty."""
    for table in OURS:
        engine.execute(f"TRUNCATE TABLE {table}")
    return ShopTables(engine)
