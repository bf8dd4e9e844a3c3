"""What the server refuses comes with its code and the next step."""

import time
from copy import copy
from datetime import date
from pathlib import Path

import pytest

from include.clickhouse.client import NativeClient
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.errors import (
    NoDatabase,
    NotAllowed,
    Refused,
    UnusableConnection,
    WrongConnection,
    refused,
)
from include.clickhouse.publication import Publication
from include.clickhouse.schema import migrate
from include.errors import PermanentError
from include.staging.units import Unit
from tests.servers.clickhouse import ClickHouseServer, running_clickhouse

GUEST = """<guest>
    <password></password><profile>default</profile><quota>default</quota>
    <networks><ip>127.0.0.1</ip></networks><allow_databases><database>nothing</database></allow_databases>
</guest></users>"""
READER = """<reader>
    <password></password><profile>readers</profile><quota>default</quota>
    <networks><ip>127.0.0.1</ip></networks>
</reader></users>"""
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
            with pytest.raises(NotAllowed, match=r"^c: code 291: .*default.*Next: give this user of the"):
                clickhouse.execute("CREATE TABLE default.t (n Int32) ENGINE = Memory")
            assert clickhouse.execute("SELECT 1") == [(1,)]


@pytest.mark.parametrize("name", ["", "-with a dash"])
def test_a_database_that_is_not_there_is_made(clickhouse_server, clickhouse_database, name):
    """By the migrations; who only looks is told the statement that makes it."""
    server, database = clickhouse_server, clickhouse_database + name
    login = {"user": server.user, "password": server.password}
    with NativeClient("c", server.host, server.port, database, **login) as clickhouse:
        with pytest.raises(NoDatabase, match=f"Next: run CREATE DATABASE `{database}` as a user who may"):
            clickhouse.execute("SELECT 1")
        assert migrate(clickhouse)
        assert clickhouse.execute("SELECT count() FROM loads") == [(0,)]
        assert migrate(clickhouse) == []
        clickhouse.execute(f"DROP DATABASE `{database}`")


@pytest.mark.parametrize("name", ["n" * 248, "ф" * 42], ids=["one byte too many", "no letters of English"])
def test_a_database_whose_name_is_too_long(clickhouse_server, chdb_path, name):
    """Is red by the field, on a server and the embedded engine; one that just fits is made."""
    server = clickhouse_server
    login = {"user": server.user, "password": server.password}
    native = NativeClient("c", server.host, server.port, name, **login)
    for clickhouse in (native, EmbeddedClient("c", chdb_path, name)):
        with clickhouse, pytest.raises(WrongConnection, match=r"^c, field schema: .* too long .*255"):
            migrate(clickhouse)
    with NativeClient("c", server.host, server.port, name[:-1], **login) as clickhouse:
        assert migrate(clickhouse)
        clickhouse.execute(f"DROP DATABASE `{name[:-1]}`")


def test_a_database_that_the_user_may_not_make(tmp_path: Path):
    """The first task is red by the statement to run, and no retry helps; one that is down is tried again."""
    with running_clickhouse(directory=tmp_path) as server:
        server.stop()
        profile = "<default/><readers><readonly>1</readonly></readers></profiles>"
        text = (tmp_path / "users.xml").read_text().replace("<default/></profiles>", profile)
        (tmp_path / "users.xml").write_text(text.replace("</users>", READER))
        server.start()
        with NativeClient("c", server.host, server.port, "stage", user="reader") as clickhouse:
            with pytest.raises(
                NoDatabase, match=r"may not make it: .*readonly.* Next: run CREATE DATABASE `st"
            ):
                migrate(clickhouse)
            with pytest.raises(PermanentError) as caught:
                clickhouse.execute("SELECT 1")
            assert str(caught.value).isprintable()
            server.kill()
            with pytest.raises(UnusableConnection, match="no connection") as caught:
                migrate(clickhouse)
            assert not isinstance(caught.value, PermanentError)


@pytest.mark.parametrize(
    ("code", "next_step"),
    [(192, "see whether the server still knows login"), (497, "give this user"), (0, "the server's log")],
)
def test_codes_that_other_servers_and_moments_have(code: int, next_step: str):
    """No refusal is without a next step."""
    assert f"c: code {code}: r. Next: {next_step}" in str(Refused("c", code, "r"))


@pytest.mark.parametrize(
    ("code", "permanent"), [(164, True), (291, True), (497, True), (516, True), (241, False), (60, False)]
)
def test_a_right_that_is_missing_is_found_once(code: int, permanent: bool):
    """No retry gives it; what passes by itself is tried again."""
    error = refused("c", code, "r")
    assert isinstance(error, PermanentError) is permanent
    assert repr(copy(error)) == repr(error)


@pytest.mark.parametrize(
    "changes", [{"password": "another"}, {"user": "nobody-here"}, {"database": "nowhere"}]
)
def test_a_wrong_connection_is_not_waited_for(clickhouse_server: ClickHouseServer, changes: dict):
    """Not in a task, and not while a change in sight is repeated until the server confirms it."""
    server = clickhouse_server
    fields = {"database": "default", "user": server.user, "password": server.password} | changes
    with NativeClient("c", server.host, server.port, **fields) as clickhouse:
        begun = time.monotonic()
        with pytest.raises(WrongConnection) as caught:
            Publication(clickhouse, Unit.of_day(date(2026, 8, 20)), "run").execute_until_confirmed("SELECT 1")
    assert isinstance(caught.value, PermanentError)
    assert str(copy(caught.value)) == str(caught.value)  # as Airflow may hand it on
    assert time.monotonic() - begun < 5
