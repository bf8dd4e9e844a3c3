"""Connections: a client, or BadConnection with the connection and the field; no password is shown."""

import json

import pytest
from airflow.sdk._shared.secrets_masker import reset_secrets_masker
from hypothesis import example, given
from hypothesis import strategies as st

from include.clickhouse.errors import UnusableConnection
from stagehouse.hooks.clickhouse_hook import ClickHouseHook
from stagehouse.hooks.connection_fields import BadConnection
from stagehouse.hooks.github_hook import GitHubHook
from stagehouse.hooks.postgres_hook import StagehousePostgresHook
from tests.unit.hostile.values import MEGABYTE, RARELY, any_text, anything, assert_names, damaged, json_text

GITHUB = {
    "requests_per_second": 5, "max_concurrent_requests": 2, "timeout_s": 10, "reserve": 0.1, "processes": 2,
}  # fmt: skip
CLICKHOUSE = {
    "secure": False, "verify": True, "compression": False, "connect_timeout": 0.2, "send_receive_timeout": 1,
    "alt_hosts": None, "settings": {"max_threads": 1}, "path": None, "ca_certs": None, "cluster": None,
}  # fmt: skip
POSTGRES = {"sslmode": "disable", "connect_timeout": 1, "application_name": "x"}
CANARY = "c@nary-s3cret"
FIELDS = {"host": "127.0.0.1", "login": "u", "password": CANARY, "schema": "stagehouse"}
# Airflow makes a regular expression of a password, which for a megabyte takes it many seconds.
LONGEST = 20_000
passwords = st.sampled_from(["", "t", "a b", "t\n", "\0", "\ud800", "p\u00e4", "x" * 30_000])
hosts = any_text | st.text("htps:/.[]@?#%1a-_ \\", max_size=15).map(lambda text: f"http://{text}")
json_texts = anything.map(json_text)


@pytest.fixture
def define(monkeypatch: pytest.MonkeyPatch):
    """A function that defines a connection, as JSON in the environment; that to Postgres is there too.

    The port is JSON, for it may be what Python cannot write.
    """

    def define(conn_id: str, extra: str, port: str = "1", **fields: str) -> None:
        reset_secrets_masker()  # it would seek the secrets of all examples before in each line of a log
        for name, how, at in (("postgres_default", {}, "1"), (conn_id, fields | {"extra": extra}, port)):
            text = json.dumps({"conn_type": "http"} | FIELDS | how)
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", f'{text[:-1]}, "port": {at}}}')

    return define


def assert_named(refusal: Exception, conn_id: str) -> None:
    """Require the connection in it, and not its password."""
    assert_names(refusal, f"connection '{conn_id}', ")
    assert CANARY not in str(refusal)


@RARELY
@given(extra=(anything | damaged(GITHUB)).map(json_text) | any_text, host=hosts, token=passwords)
@example(extra="", host="https://api.github.com", token="t")
@example(extra='{"\\u001b": 1}', host="https://api.github.com", token="t")
@example(extra="[" * 100_000, host="https://api.github.com", token="t")
@example(extra='{"max_concurrent_requests": 100}', host="https://api.github.com", token="t")
@example(extra='{"max_concurrent_requests": 101}', host="https://api.github.com", token="t")
@example(extra='{"processes": 20, "requests_per_second": 1000}', host="https://api.github.com", token="t")
@example(extra='{"processes": 21}', host="https://api.github.com", token="t")
def test_a_connection_to_github(define, tmp_path, extra, host, token):
    """Has a client whose limits are positive and whose headers can be sent."""
    define("github_default", extra, host=host, password=token, port="null")
    try:
        client = GitHubHook(staging_root=tmp_path).get_conn()
    except BadConnection as refusal:
        assert_named(refusal, "github_default")
    else:
        assert 0.01 <= client.requests_per_second <= 1000
        assert 1 <= client.max_concurrent_requests <= 100
        assert client.base_url.host


@RARELY
@given(
    extra=damaged(CLICKHOUSE).map(json_text),
    field=st.sampled_from(["host", "login", "password", "schema"]),
    value=any_text.map(lambda text: text[:LONGEST]),
)
@example(extra="", field="host", value="a" * 10_000)
@example(extra="", field="host", value=MEGABYTE)
@example(extra='{"alt_hosts": "a:b"}', field="login", value="u")
@example(extra='{"settings": {"\\u001b": [[]]}}', field="login", value="u")
@example(extra='{"compression": "zstd"}', field="login", value="u")
def test_a_connection_to_clickhouse(define, extra, field, value):
    """Has a client that finds nobody at port 1, or is refused before."""
    define("clickhouse_default", extra, **{field: value})
    try:
        ClickHouseHook().get_client().execute("SELECT 1")
    except (BadConnection, UnusableConnection) as refusal:
        assert_named(refusal, "clickhouse_default")
    else:
        pytest.fail("there is no server")


@RARELY
@given(
    extra=(anything | damaged(POSTGRES)).map(json_text) | any_text,
    changed=st.tuples(st.sampled_from([*FIELDS]), json_texts | any_text)
    | st.tuples(st.just("port"), json_texts),
)
@example(extra="", changed=("port", "9" * 5000))
@example(extra="", changed=("host", "9" * 5000))
@example(extra="", changed=("port", "[" * 100_000 + "]" * 100_000))
@example(extra="", changed=("host", "[" * 100_000 + "]" * 100_000))
def test_a_connection_to_postgres(define, extra, changed):
    """Has keywords for libpq, all of them text and numbers."""
    field, value = changed
    define("postgres_default", extra, **{field: value if field == "port" else value[:LONGEST]})
    try:
        parameters = StagehousePostgresHook().parameters()
    except BadConnection as refusal:
        assert_named(refusal, "postgres_default")
    else:
        assert all(type(each) in (str, int) for each in parameters.values())
        assert all(each and "\0" not in str(each) for each in parameters.values())
