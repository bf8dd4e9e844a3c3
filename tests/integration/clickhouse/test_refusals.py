"""What the server refuses comes with its code and the next step."""

from pathlib import Path

import pytest

from include.clickhouse.client import NativeClient
from include.clickhouse.errors import Refused
from tests.servers.clickhouse import ClickHouseServer, running_clickhouse

GUEST = """<guest>
    <password></password><profile>default</profile><quota>default</quota>
    <networks><ip>127.0.0.1</ip></networks><allow_databases><database>nothing</database></allow_databases>
</guest></users>"""
REFUSED = {
    "takes too long": ({"max_execution_time": 1}, "SELECT count() FROM system.numbers", 159, "look for load"),
    "may not write": ({"readonly": 1}, "CREATE TABLE t (n Int32) ENGINE = Memory", 164, "give this user"),
    "compares what cannot be": ({}, "SELECT 1 IN ('a')", 53, "correct the statement"),
    "no statement": ({}, "SELEC 1", 62, "correct the statement"),
    "no such function": ({}, "SELECT nothing_like_it(1)", 46, "the server's log tells more"),
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


def test_a_user_of_few_rights(tmp_path: Path):
    """Is told which right to ask for, and goes on."""
    with running_clickhouse(directory=tmp_path) as server:
        server.stop()
        users = tmp_path / "users.xml"
        users.write_text(users.read_text().replace("</users>", GUEST))
        server.start()
        with NativeClient("c", server.host, server.port, "system", user="guest") as clickhouse:
            with pytest.raises(Refused, match=r"^c: code 291: .*default.*Next: give this user of the"):
                clickhouse.execute("CREATE TABLE default.t (n Int32) ENGINE = Memory")
            assert clickhouse.execute("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("code", "next_step"),
    [(192, "see whether the server still knows login"), (497, "give this user"), (0, "the server's log")],
)
def test_codes_that_other_servers_and_moments_have(code: int, next_step: str):
    """No refusal is without a next step."""
    assert f"c: code {code}: r. Next: {next_step}" in str(Refused("c", code, "r"))
