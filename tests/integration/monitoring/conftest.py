"""Tables as runs leave them, on both engines."""

from tests.integration.clickhouse.conftest import clickhouse, connect  # noqa: F401 - fixtures
