"""The connection type http_api: mistakes by field, the secret in its place, one pace and lease an account."""

import json
import socketserver
import threading
from collections.abc import Iterator

import pytest
from aiohttp import web
from yarl import URL

from include.http import transport as http_transport
from include.http.request import Request
from include.http.request_cost import RequestCost
from stagehouse.hooks.connection_fields import BadConnection
from stagehouse.hooks.http_api_hook import HttpApiHook
from tests.servers.counting_api import CountingApi
from tests.servers.free_port import free_ports
from tests.servers.postgres import PostgresServer

SECRET = "s3cret/of+the&api=0123456789"


@pytest.fixture
def api() -> Iterator[CountingApi]:
    """An API."""
    with CountingApi().serving() as api:
        yield api


class Greeting(socketserver.StreamRequestHandler):
    """Answers a request in another protocol."""

    def handle(self) -> None:
        """Read it, and speak."""
        self.rfile.readline()
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")


@pytest.fixture
def no_http() -> Iterator[str]:
    """The URL of a server that speaks something else."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeting) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch):
    """Set the connection; return its hook."""

    def connect(host: str, extra: dict | None = None, **fields: object) -> HttpApiHook:
        given = {"conn_type": "http_api", "host": host, "password": SECRET, "extra": extra or {}, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_HTTP_API_DEFAULT", json.dumps(given))
        return HttpApiHook()

    return connect


@pytest.mark.parametrize(
    ("extra", "fields", "field"),
    [
        ({}, {"host": ""}, "host"),
        ({}, {"host": "api.example"}, "host"),
        ({}, {"host": "https://user:pa55word@api.example"}, "host"),
        ({}, {"host": "https://api.example?key=s3cret"}, "host"),
        ({}, {"port": 8080}, "port"),
        ({}, {"password": "two words"}, "password"),
        ({}, {"password": "a\r\nX-Admin: 1"}, "password"),
        ({}, {"password": "пароль"}, "password"),
        ({}, {"conn_type": "http"}, "conn_type"),
        ({"requests_per_second": 0}, {}, "extra.requests_per_second"),
        ({"requests_per_second": True}, {}, "extra.requests_per_second"),
        ({"max_concurrent_requests": 101}, {}, "extra.max_concurrent_requests"),
        ({"header": "X-Key\r\nX"}, {}, "extra.header"),
        ({"header": "Host"}, {}, "extra.header"),
        ({"header": "X-Key", "query_parameter": "key"}, {}, "extra.query_parameter"),
        ({"query_parameter": "a&b"}, {}, "extra.query_parameter"),
        ({"test_path": "//evil.example"[1:] + " x"}, {}, "extra.test_path"),
        ({"rps": 7}, {}, "extra.rps"),
    ],
    ids=str,
)
def test_a_mistake_is_named(connect, tmp_path, extra: dict, fields: dict, field: str):
    """By connection and field, without a secret, before anything is asked."""
    hook = connect(**{"host": "https://api.example", "extra": extra, **fields})
    with pytest.raises(BadConnection) as caught:
        hook.transport(tmp_path)
    assert caught.value.field == field
    assert not any(text in str(caught.value) for text in (SECRET, "pa55word", "s3cret", "пароль"))
    assert hook.test_connection() == (False, str(caught.value))


@pytest.mark.parametrize(
    ("extra", "header", "query"),
    [
        ({}, ("Authorization", f"Bearer {SECRET}"), ""),
        ({"header": "X-Api-Key"}, ("X-Api-Key", SECRET), ""),
        ({"query_parameter": "key"}, None, "key=s3cret%2Fof%2Bthe%26api%3D0123456789"),
    ],
    ids=["bearer", "header", "query"],
)
async def test_the_secret_goes_where_the_connection_says(connect, tmp_path, api, extra, header, query):
    """In each request, to its own place; what is told of a failure does not have it."""
    hook = connect(f"{api.url}/v1", extra)
    async with hook.transport(tmp_path) as transport:
        asked = Request(URL(f"{hook.base_url}/items/a?x=%2F", encoded=True), "calls")
        received = await transport.ask(asked, RequestCost())
    ((_, path, headers, _),) = api.log
    assert path == f"/v1/items/a?x=%2F{'&' if query else ''}{query}"
    sent = {name: value for name, value in headers.items() if SECRET in value}
    assert sent == (dict([header]) if header else {})
    assert SECRET not in repr(received.answer)
    assert "0123456789" not in received.answer.url


async def test_an_answer_may_take_as_long_as_the_connection_says(connect, tmp_path, api, monkeypatch):
    """Whatever other APIs take: an unsafe request that was given up too early would be unknown."""
    monkeypatch.setattr(http_transport, "SOCK_READ_S", 0.2)
    api.latency_s = 0.6
    hook = connect(api.url, {"timeout_s": 5})
    async with hook.transport(tmp_path) as transport:
        received = await transport.ask(Request(URL(f"{hook.base_url}/items/a"), "calls"), RequestCost())
    assert received.answer.status == 200


def test_the_button_asks_for_the_path_that_is_named(connect, api: CountingApi):
    """Once, by GET; without a path it asks nothing and says so."""
    ok, told = connect(api.url).test_connection()
    assert ok
    assert "nothing was asked" in told
    assert not api.log
    ok, told = connect(api.url, {"test_path": "/items/me?x=1"}).test_connection()
    assert (ok, told) == (True, "GET /items/me?x=1 was answered with 200")
    assert [(method, path) for method, path, _, _ in api.log] == [("GET", "/items/me?x=1")]


@pytest.mark.parametrize("status", [401, 403, 404, 302, 429])
def test_the_button_shows_a_refusal(connect, api: CountingApi, status: int):
    """In the words of the API, without the secret; one request is all that it sends."""
    headers = {"Location": "https://evil.example/", "Retry-After": "1"}
    api.answer = lambda *_: web.Response(status=status, text=f"no: {SECRET}", headers=headers)
    ok, told = connect(api.url, {"test_path": "/me", "processes": 2}).test_connection()
    assert not ok
    assert str(status) in told
    assert SECRET not in told
    assert len(api.log) == 1


def test_the_button_shows_that_nobody_is_there(connect):
    """In a line."""
    ok, told = connect(f"http://127.0.0.1:{free_ports(1)[0]}", {"test_path": "/me"}).test_connection()
    assert not ok
    assert "Cannot connect" in told


def test_the_button_shows_an_answer_that_is_no_http(connect, no_http: str):
    """Without the secret that stands in the address."""
    ok, told = connect(no_http, {"test_path": "/me", "query_parameter": "key"}).test_connection()
    assert not ok
    assert "/me?key=***" in told
    assert "0123456789" not in told


def test_an_account_has_one_lease(connect, postgres_server: PostgresServer, monkeypatch):
    """By host and secret, whatever path the root has; another secret is another account."""
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", postgres_server.airflow_connection())
    name = connect("https://api.example/v1").lease_name()
    assert name == connect("https://API.example/v2").lease_name()
    assert name != connect("https://api.example/v1", password="another").lease_name()
    assert SECRET not in name
    with connect("https://api.example/v1").lease() as held:
        held.check()
