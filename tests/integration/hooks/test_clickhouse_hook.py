"""The ClickHouse connection: every mistake is one line, and Airflow's own operators work, on both engines."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from airflow.providers.common.sql.operators.sql import (
    SQLCheckOperator,
    SQLColumnCheckOperator,
    SQLExecuteQueryOperator,
    SQLTableCheckOperator,
)
from airflow.sdk.exceptions import AirflowException

from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.errors import ClickHouseError, EngineBusy, UnusableConnection
from stagehouse.hooks.clickhouse_hook import ClickHouseHook
from stagehouse.hooks.connection_fields import BadConnection
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.free_port import free_ports

CANARY = 'c@nary/+$%"s3cret'
QUICK = {"connect_timeout": 0.5, "send_receive_timeout": 0.5, "sync_request_timeout": 0.5}
Define = Callable[..., ClickHouseHook]
HOLD_THE_ENGINE = """
import sys, time
from include.clickhouse.embedded import EmbeddedClient
engine = EmbeddedClient("holder", sys.argv[1], "stagehouse")
for statement in sys.argv[2:]:
    engine.execute(statement)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def define(monkeypatch: pytest.MonkeyPatch) -> Define:
    """Define clickhouse_default, as JSON in the environment, and return its hook."""

    def define(**fields: object) -> ClickHouseHook:
        text = json.dumps({"conn_type": "clickhouse", "password": CANARY} | fields)
        monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", text)
        return ClickHouseHook()

    return define


@pytest.fixture(params=["18.16 native", "26.9 embedded"])
def hook(request: pytest.FixtureRequest, define: Define) -> ClickHouseHook:
    """A hook on each engine, with the table `t` of three rows."""
    if request.param == "26.9 embedded":
        made = define(password="", extra={"path": str(request.getfixturevalue("chdb_path"))})
    else:
        server = request.getfixturevalue("clickhouse_server")
        database = request.getfixturevalue("clickhouse_database")
        server.execute(f"CREATE DATABASE {database}")
        made = define(**(json.loads(server.airflow_connection(schema=database))))
    with made.get_client() as clickhouse:
        clickhouse.execute("CREATE TABLE t (n Int32, s String) ENGINE = MergeTree ORDER BY n")
        clickhouse.execute("INSERT INTO t (n, s) VALUES", [(1, "a"), (2, "it's"), (3, "ф")])
    return made


def require_one_line(error: BaseException, *named: str) -> None:
    """One printable line that names the connection and `named`, and no form of the password."""
    text = str(error)
    assert text.startswith("connection 'clickhouse_default'")
    assert all(name in text for name in named), text
    assert text.isprintable()
    for secret in (CANARY, quote(CANARY, safe=""), quote(CANARY), "s3cret"):
        assert secret not in text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "host"),
        ({"host": ""}, "host"),
        ({"host": "h", "port": 8123}, "port"),
        ({"host": "h", "port": 8443}, "port"),
        ({"host": "h", "port": 70000}, "port"),
        ({"host": "h", "port": -1}, "port"),
        ({"host": "h", "port": "ninety"}, "port"),
        ({"host": "h", "extra": "{path: 5"}, "extra"),
        ({"host": "h", "extra": "[1]"}, "extra"),
        ({"host": "h", "extra": {"pasword": CANARY}}, "extra.pasword"),
        ({"host": "h", "extra": {"secure": "perhaps"}}, "extra.secure"),
        ({"host": "h", "extra": {"compression": "rar"}}, "extra.compression"),
        ({"host": "h", "extra": {"connect_timeout": 0}}, "extra.connect_timeout"),
        ({"host": "h", "extra": {"send_receive_timeout": "NaN"}}, "extra.send_receive_timeout"),
        ({"host": "h", "extra": {"settings": "max_threads"}}, "extra.settings"),
        ({"extra": {"path": 5}}, "extra.path"),
        ({"extra": {"path": "relative/chdb"}}, "extra.path"),
        ({"extra": {"path": "/data/../etc"}}, "extra.path"),
        ({"extra": {"path": "/data?readonly=1"}}, "extra.path"),
        ({"host": "h", "extra": {"path": "/data"}}, "host"),
        ({"hots": "h"}, "hots"),
    ],
)
def test_a_mistake_is_found_before_anything_is_opened(define: Define, fields: dict, field: str):
    """BadConnection names the field as the form shows it."""
    with pytest.raises(BadConnection) as caught:
        define(**fields).get_client()
    assert caught.value.field == field
    require_one_line(caught.value, f"clickhouse_default', {field}: ")


def test_a_missing_connection_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch):
    """By its id."""
    monkeypatch.delenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", raising=False)
    with pytest.raises(BadConnection, match="AIRFLOW_CONN_CLICKHOUSE_DEFAULT"):
        ClickHouseHook().get_client()


def test_port_zero_is_refused(monkeypatch: pytest.MonkeyPatch):
    """As a URI and from the form; in JSON Airflow itself takes 0 for an empty field."""
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", f"clickhouse://u:{quote(CANARY, safe='')}@h:0/d")
    with pytest.raises(BadConnection) as caught:
        ClickHouseHook().get_client()
    require_one_line(caught.value, "port: 0 is not between 1 and 65535")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"login": "loader", "password": CANARY}, "password"),
        ({"login": "nobody-here", "password": CANARY}, "login"),
        ({"schema": "no_such_database"}, "schema"),
        ({"port": "http"}, "port"),
        ({"port": "closed"}, "host or port"),
        ({"host": "no-such-host.invalid"}, "host or port"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else value,
)
def test_a_refusal_at_the_door_names_the_field(
    define: Define, clickhouse_server: ClickHouseServer, changes: dict, field: str
):
    """UnusableConnection: nothing was sent, and the field to look at is named."""
    ports = {"http": clickhouse_server.http_port, "closed": free_ports(1)[0]}
    fields = json.loads(clickhouse_server.airflow_connection(schema="default", extra=QUICK)) | changes
    fields["port"] = ports.get(fields["port"], fields["port"])
    with (
        define(**fields).get_client() as clickhouse,
        pytest.raises(UnusableConnection) as caught,
    ):
        clickhouse.execute("SELECT 1")
    assert caught.value.field == field
    require_one_line(caught.value, f"field {field}: ")
    assert clickhouse_server.password not in str(caught.value)
    well, message = ClickHouseHook().test_connection()
    assert (well, message) == (False, str(caught.value))


def test_a_frozen_server_is_named(define: Define):
    """Who accepts and never answers does not hold us for longer than connect_timeout."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        hook = define(host="127.0.0.1", port=port, extra=QUICK | {"send_receive_timeout": 60})
        begun = time.monotonic()
        with hook.get_client() as clickhouse, pytest.raises(UnusableConnection) as caught:
            clickhouse.execute("SELECT 1")
    assert time.monotonic() - begun < 20
    require_one_line(caught.value, "field port: ", f"127.0.0.1:{port}", "9000")


def test_no_io_before_it_is_asked_for(define: Define, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Making a hook, a client or a DB-API connection opens no socket and makes no file."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket is opened")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    native = define(host="no-such-host.invalid")
    native.get_client().disconnect()
    native.get_conn().close()
    embedded = define(extra={"path": str(tmp_path / "chdb")})
    embedded.get_client()
    assert list(tmp_path.iterdir()) == []


def test_the_defaults_of_the_contract(define: Define):
    """Port 9000, database stagehouse."""
    client = define(host="h").get_client()
    assert (client.address, client.database) == ("h:9000", "stagehouse")


def test_tls_has_a_port_of_its_own(define: Define):
    """9440 where the connection says `secure` and no port, also of the other hosts."""
    define(host="127.0.0.1", extra={"secure": True, "connect_timeout": 1, "alt_hosts": "127.0.0.2"})
    with ClickHouseHook().get_client() as client:
        assert list(client.connection.hosts) == [("127.0.0.1", 9440), ("127.0.0.2", 9440)]


def test_other_hosts_may_be_addresses_of_ipv6(define: Define):
    """In brackets where a port follows, as in any URL."""
    define(host="::1", extra={"alt_hosts": "[::1]:9001,[fd00::2],other:9002"})
    with ClickHouseHook().get_client() as client:
        others = [("::1", 9001), ("fd00::2", 9000), ("other", 9002)]
        assert list(client.connection.hosts) == [("::1", 9000), *others]


@pytest.mark.parametrize("hosts", ["::1", "[::1", "::1]:9000", "[name]:9000", "name:65536", "name:0", "a,,b"])
def test_other_hosts_that_the_driver_cannot_read(define: Define, hosts: str):
    """Are told with the field before anything is opened."""
    define(host="h", extra={"alt_hosts": hosts})
    with pytest.raises(BadConnection, match=r"extra\.alt_hosts: .*name:9000,\[::1\]:9000"):
        ClickHouseHook().get_client()


def test_the_test_button_is_green(hook: ClickHouseHook):
    """With version and database."""
    well, message = hook.test_connection()
    assert well is True
    assert message.startswith("ClickHouse ")
    assert "database " in message


def test_rows_are_read_with_bound_parameters(hook: ClickHouseHook):
    """A quote in a parameter stays text."""
    select = "SELECT n, s FROM t WHERE s = %(s)s"
    assert hook.get_records(select, parameters={"s": "it's"}) == [(2, "it's")]
    assert hook.get_first(select, parameters={"s": "' OR 1 = 1 --"}) is None


def test_airflows_operators_work(hook: ClickHouseHook):
    """SQLExecuteQueryOperator, and the checks: green on what holds, red with its name on what does not."""
    on = {"conn_id": "clickhouse_default", "task_id": "asked"}
    select = "SELECT n FROM t WHERE n >= %(least)s ORDER BY n"
    assert SQLExecuteQueryOperator(sql=select, parameters={"least": 2}, **on).execute({}) == [(2,), (3,)]
    statements = ["INSERT INTO t SELECT 4, 'd'", "SELECT count() FROM t"]
    assert SQLExecuteQueryOperator(sql=statements, **on).execute({})[-1] == [(4,)]
    SQLCheckOperator(sql="SELECT count() = 4 FROM t", **on).execute({})
    with pytest.raises(AirflowException, match="Test failed"):
        SQLCheckOperator(sql="SELECT count() = 3 FROM t", **on).execute({})
    SQLColumnCheckOperator(
        table="t", column_mapping={"n": {"min": {"equal_to": 1}, "unique_check": {"equal_to": 0}}}, **on
    ).execute({})
    with pytest.raises(AirflowException, match="max"):
        SQLColumnCheckOperator(table="t", column_mapping={"n": {"max": {"equal_to": 9}}}, **on).execute({})
    SQLTableCheckOperator(table="t", checks={"four": {"check_statement": "count() = 4"}}, **on).execute({})
    with pytest.raises(AirflowException, match="five"):
        SQLTableCheckOperator(table="t", checks={"five": {"check_statement": "count() = 5"}}, **on).execute(
            {}
        )


def test_an_error_through_the_operators_is_one_line(hook: ClickHouseHook):
    """The server's words without its stack trace, behind the connection's name."""
    with pytest.raises(Exception, match="nowhere") as caught:
        hook.get_records("SELECT * FROM nowhere")
    require_one_line(caught.value, "code 60")
    assert "Stack trace" not in str(caught.value)


def test_rows_are_inserted_by_batches(hook: ClickHouseHook):
    """A generator is read batch by batch; the common-sql name works too."""
    rows = ((number, "x") for number in range(100, 350))
    assert hook.bulk_insert_rows("t", rows, ["n", "s"], batch_rows=100) == 250
    assert hook.bulk_insert_rows("t", iter([]), ["n", "s"]) == 0
    hook.insert_rows("t", [("y", 1000)], target_fields=["s", "n"])
    assert hook.get_first("SELECT count(), sum(n) FROM t WHERE n >= 100") == (
        251,
        sum(range(100, 350)) + 1000,
    )


def test_a_broken_source_leaves_whole_batches_only(hook: ClickHouseHook):
    """As documented: insert into a table that can be thrown away."""

    def source() -> Iterator[tuple[int, str]]:
        yield from ((number, "x") for number in range(100, 125))
        raise ConnectionResetError("the source is gone")

    with pytest.raises(ConnectionResetError):
        hook.bulk_insert_rows("t", source(), ["n", "s"], batch_rows=10)
    assert hook.get_first("SELECT count() FROM t WHERE n >= 100") == (20,)


@contextlib.contextmanager
def engine_held(path: Path, root: Path, *statements: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the engine open and has run `statements`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_ENGINE, str(path), *statements],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_process_waits_then_names_the_path(chdb_path: Path, root: Path):
    """EngineBusy after the wait; at once free when the holder is killed."""
    second = EmbeddedClient("connection 'clickhouse_default'", chdb_path, "stagehouse", wait_s=0.3)
    with engine_held(chdb_path, root, "SELECT 1") as holder, second:
        with pytest.raises(EngineBusy) as caught:
            second.execute("SELECT 1")
        require_one_line(caught.value, str(chdb_path), "fuser")
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        assert second.execute("SELECT 1") == [(1,)]


def test_what_was_replaced_survives_a_kill(chdb_path: Path, root: Path):
    """SIGKILL right after REPLACE PARTITION: the new day, once, and nothing of the old one."""
    shape = "(d Date, n Int32) ENGINE = MergeTree PARTITION BY d ORDER BY n"
    statements = [
        *(f"CREATE TABLE {table} {shape}" for table in ("day", "staged")),
        "INSERT INTO day SELECT toDate('2026-08-20'), number FROM numbers(100)",
        "INSERT INTO staged SELECT toDate('2026-08-20'), number + 1000 FROM numbers(7)",
        "ALTER TABLE day REPLACE PARTITION '2026-08-20' FROM staged",
    ]
    with engine_held(chdb_path, root, *statements) as holder:
        os.kill(holder.pid, signal.SIGKILL)
    with EmbeddedClient("again", chdb_path, "stagehouse", wait_s=5) as again:
        assert again.execute("SELECT count(), min(n), uniqExact(n) FROM day") == [(7, 1000, 7)]


def test_the_password_is_masked_in_the_log(define: Define):
    """Also in the form it has in a URI."""
    from airflow.sdk._shared.secrets_masker import redact

    define(host="h").get_client()
    assert redact(f"a {CANARY} b {quote(CANARY, safe='')} c") == "a *** b *** c"


def test_a_connection_as_uri_means_the_same(
    monkeypatch: pytest.MonkeyPatch, clickhouse_server: ClickHouseServer
):
    """Text for numbers and truths, an encoded password."""
    server = clickhouse_server
    uri = f"clickhouse://{server.user}:{quote(server.password, safe='')}@{server.host}:{server.port}/default"
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", f"{uri}?connect_timeout=5&compression=lz4&secure=false")
    assert ClickHouseHook("other").get_records("SELECT 1") == [(1,)]
    with pytest.raises(ClickHouseError, match="connection 'other': code 62"):
        ClickHouseHook("other").get_client().execute("SELEKT")
