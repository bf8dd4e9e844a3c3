"""The Postgres hook: from an Airflow connection to a healthy server, a lease, or one clear line."""

import json
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from airflow.sdk.execution_time.context import set_current_context

from include.postgres.errors import LeaseTaken, PostgresUnreachable, PostgresUnwell
from include.postgres.health import HealthLimits
from stagehouse.hooks.connection_fields import BadConnection
from stagehouse.hooks.postgres_hook import StagehousePostgresHook
from tests.servers.postgres import PostgresServer

VARIABLE = "AIRFLOW_CONN_POSTGRES_DEFAULT"


@pytest.fixture
def hook(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> StagehousePostgresHook:
    """A hook whose connection is the real server's."""
    monkeypatch.setenv(VARIABLE, postgres_server.airflow_connection())
    return StagehousePostgresHook()


async def test_checks_the_health_of_its_connection(hook: StagehousePostgresHook):
    """Tells the state of the server behind postgres_default."""
    assert (await hook.check_health()).version == "18.6"


async def test_takes_the_limits_of_its_caller(hook: StagehousePostgresHook):
    """Fails by the name of the connection when the caller's limits are exceeded."""
    with pytest.raises(PostgresUnwell, match="connection 'postgres_default': PostgreSQL is unwell: "):
        await hook.check_health(HealthLimits(connections_share=0.01))


async def test_never_shows_the_password(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch):
    """Names connection and field, not the password, when the server refuses it."""
    monkeypatch.setenv(VARIABLE, postgres_server.airflow_connection(password="wr0ng-s3cret"))
    with pytest.raises(PostgresUnreachable, match="check login and password") as refusal:
        await StagehousePostgresHook().check_health()
    assert "s3cret" not in str(refusal.value)
    assert "s3cret" not in str(refusal.value.__cause__)


@pytest.mark.parametrize("form", ["host field", "uri with ?host=", "uri with escaped host"])
async def test_unix_sockets(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, form: str):
    """Reaches a server by the directory of its Unix socket, in each way a connection can carry one."""
    directory, port = str(postgres_server.directory), postgres_server.port
    forms = {
        "host field": postgres_server.airflow_connection(host=directory, password=None),
        "uri with ?host=": f"postgresql://postgres:@:{port}/postgres?host={directory}",
        "uri with escaped host": f"postgres://postgres@{quote(directory, safe='')}:{port}/postgres",
    }
    monkeypatch.setenv(VARIABLE, forms[form])
    assert (await StagehousePostgresHook().check_health()).version == "18.6"


async def test_extra_reaches_libpq(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch):
    """Passes extra's options on: a server without TLS refuses sslmode=require."""
    monkeypatch.setenv(VARIABLE, postgres_server.airflow_connection(extra={"sslmode": "require"}))
    with pytest.raises(PostgresUnreachable, match=r"check extra\.sslmode"):
        await StagehousePostgresHook().check_health()


def test_leases_exclude_each_other(hook: StagehousePostgresHook):
    """Holds a lease in the connection's database, and tells the next who holds it."""
    with hook.lease("github:api", holder="first") as held:
        held.check()
        with pytest.raises(LeaseTaken, match="'first'"):
            hook.lease("github:api").__enter__()
    with hook.lease("github:api"), pytest.raises(LeaseTaken, match=r"\w+@.+ pid \d+"):
        hook.lease("github:api").__enter__()


def test_is_still_the_providers_hook(hook: StagehousePostgresHook):
    """Runs SQL as Airflow's operators expect."""
    assert hook.get_first("SELECT 1") == (1,)


def test_does_no_io_when_it_is_made():
    """Is made without its connection, and only asking for it tells that it is missing."""
    hook = StagehousePostgresHook("no_such_connection")
    with pytest.raises(BadConnection, match="connection 'no_such_connection', id: not defined"):
        hook.parameters()


WELL = {"login": "u", "schema": "d", "host": "h"}


@pytest.mark.parametrize(
    ("connection", "line"),
    [
        (WELL | {"host": ""}, "host: is empty; it is libpq's host"),
        (WELL | {"host": None}, "host: is empty"),
        (WELL | {"login": None}, "login: is empty; it is libpq's user"),
        (WELL | {"schema": ""}, "schema: is empty; it is libpq's dbname"),
        (WELL | {"port": 70000}, "port: 70000 is not between 1 and 65535"),
        (WELL | {"port": -1}, "port: -1 is not between 1 and 65535"),
        (WELL | {"port": "http"}, "port: what is there is not a number"),
        (WELL | {"extra": "{sslmode: require}"}, "extra: not JSON: Expecting property name"),
        (WELL | {"extra": "[1]"}, "extra: not a JSON object"),
        (
            WELL | {"extra": {"sslmod": "require"}},
            "extra.sslmod: neither an option of libpq nor of the provider",
        ),
        (WELL | {"extra": {"sslmode": ["require"]}}, "extra.sslmode: neither text nor a number"),
        (
            WELL | {"extra": {"iam": True}},
            "extra.iam: tokens are not supported. Next: use login and password",
        ),
        (WELL | {"hots": "h"}, "hots: AIRFLOW_CONN_POSTGRES_DEFAULT has this unknown field"),
    ],
)
def test_each_mistake_is_one_line(monkeypatch: pytest.MonkeyPatch, connection: dict, line: str):
    """Names the connection, the field and the reason; opens nothing."""
    monkeypatch.setenv(
        VARIABLE, json.dumps({"conn_type": "postgres", "password": "pa55-s3cret"} | connection)
    )
    with pytest.raises(BadConnection) as mistake:
        StagehousePostgresHook().parameters()
    assert str(mistake.value).startswith(f"connection 'postgres_default', {line}")
    assert "\n" not in str(mistake.value)
    assert "s3cret" not in str(mistake.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '{"conn_type": "postgres", "host":',
            "JSON: AIRFLOW_CONN_POSTGRES_DEFAULT is not JSON: Expecting value",
        ),
        (
            "postgres://u:pa55/s3cret@h/db",
            "port: AIRFLOW_CONN_POSTGRES_DEFAULT is no URI: its port is no number",
        ),
    ],
)
def test_an_unreadable_variable_is_one_line(monkeypatch: pytest.MonkeyPatch, text: str, line: str):
    """Tells an unreadable variable from a missing one, and shows no part of a password."""
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(BadConnection) as mistake:
        StagehousePostgresHook().parameters()
    assert str(mistake.value).startswith(f"connection 'postgres_default', {line}")
    assert "pa55" not in str(mistake.value)
    assert mistake.value.__suppress_context__


def test_a_task_holds_a_lease_by_its_own_name(hook: StagehousePostgresHook):
    """Shows task, try and as much of the run as PostgreSQL keeps to those who come too late."""
    task = SimpleNamespace(
        dag_id="github_top_repositories",
        task_id="fetch",
        try_number=2,
        run_id="scheduled__2026-11-20T00:30:00+00:00",
    )
    with set_current_context({"ti": task}), hook.lease("github:api"), pytest.raises(LeaseTaken) as taken:
        hook.lease("github:api").__enter__()
    assert taken.value.holder == "github_top_repositories.fetch try 2 scheduled__2026-11-20"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"password": "wr0ng-s3cret"},
            r"password authentication failed for user .*\. Next: check login and password",
        ),
        ({"schema": "nowhere"}, r'database "nowhere" does not exist\. Next: check schema'),
        ({"host": "no-such-host.invalid"}, "check host$"),
        ({"port": 1}, r"refused\. Next: check host and port"),
    ],
)
def test_a_lease_that_cannot_be_asked_for(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, change: dict, line: str
):
    """Names connection and field in one line when the server does not let the holder in."""
    monkeypatch.setenv(VARIABLE, postgres_server.airflow_connection(**change))
    with pytest.raises(PostgresUnreachable, match=line) as refusal:
        StagehousePostgresHook().lease("github:api").__enter__()
    assert str(refusal.value).startswith("connection 'postgres_default': ")
    assert "s3cret" not in str(refusal.value)
