"""What the server refuses comes with its code and the next step."""

import pytest

from include.clickhouse.client import NativeClient
from include.clickhouse.errors import Refused
from tests.servers.clickhouse import ClickHouseServer

REFUSED = {
    "takes too long": ({"max_execution_time": 1}, "SELECT count() FROM system.numbers", 159, "look for load"),
    "may not write": ({"readonly": 1}, "CREATE TABLE t (n Int32) ENGINE = Memory", 164, "give this user"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_names_the_next_step(clickhouse_server: ClickHouseServer, case: str):
    """In one line; the client serves on."""
    settings, statement, code, next_step = REFUSED[case]
    server = clickhouse_server
    login = {"user": server.user, "password": server.password}
    with NativeClient("c", server.host, server.port, "default", settings=settings, **login) as clickhouse:
        with pytest.raises(Refused, match=f"^c: code {code}: .*Next: {next_step}") as caught:
            clickhouse.execute(statement)
        assert str(caught.value).isprintable()
        assert clickhouse.execute("SELECT 1") == [(1,)]
