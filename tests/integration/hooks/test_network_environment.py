"""The way to GitHub by the environment: through a real proxy, over a certificate of one's own."""

import json
import logging
import os

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from include.github.api.client import GitHubClient
from include.http.errors import ProxyRefused, RequestFailed, Untrusted
from include.http.request_cost import RequestCost
from include.http.retries import RETRYABLE
from stagehouse.hooks.github_hook import GitHubHook
from stagehouse.hooks.network_environment import BadEnvironment, route_to
from tests.servers.certificates import certified
from tests.servers.http_proxy import HttpProxy

NAME = "api.github.invalid"  # no resolver knows it
PASSWORD = "pr0xy:s3cret/word"  # with signs that a URL has to encode
ENCODED = "pr0xy%3As3cret%2Fword"
TOKEN = "ghp_0123456789abcdef"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Nothing of the machine's own environment; what a test sets is set in it."""
    for name in os.environ:
        if name.lower().endswith("_proxy") or name in (
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "SSL_CERT_FILE",
        ):
            monkeypatch.delenv(name)
    return monkeypatch.setenv


@pytest.fixture
def connect(monkeypatch, tmp_path):
    """Define github_default and return its client: quick to give up."""

    def define(host, **extra):
        fields = {"conn_type": "github", "host": host, "password": TOKEN, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_GITHUB_DEFAULT", json.dumps(fields))
        return GitHubHook(staging_root=tmp_path).get_conn()

    return define


@pytest.fixture
async def serve():
    """Start the API, plain or over TLS; all stop at the end."""
    servers = []

    async def start(context=None):
        async def handle(request):
            headers = {"Link": f'<{request.url.with_path("/more").with_port(None)}>; rel="next"'}
            return web.json_response([request.path], headers=headers if request.path == "/x" else {})

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        servers.append(TestServer(app, scheme="https" if context else "http"))
        await servers[-1].start_server(ssl=context)
        return servers[-1].port

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
async def start_proxy():
    """Start proxies; all stop at the end."""
    proxies = []

    async def start(hosts, login=""):
        proxies.append(HttpProxy(hosts, login))
        await proxies[-1].start()
        return proxies[-1]

    yield start
    for proxy in proxies:
        await proxy.stop()


@pytest.fixture
def way(environment, serve, start_proxy, tmp_path):
    """Start the API and a proxy before it that wants a login; return the proxy."""

    async def start(scheme):
        context, authority = certified(tmp_path, NAME)
        environment("REQUESTS_CA_BUNDLE", str(authority))
        port = await serve(context if scheme == "https" else None)
        return await start_proxy({NAME: port}, f"me:{PASSWORD}")

    return start


async def ask(client: GitHubClient, path="x"):
    """Ask for a list, and for the next page of it."""
    async with client:
        page = await client.get(client.url(path), list, RequestCost())
        if page.next_url:
            return page.value + (await client.get(page.next_url, list, RequestCost())).value
        return page.value


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_plain_server_is_reached_through_the_proxy(
    environment, connect, serve, start_proxy, variable
):
    """By the whole address; the next page too, though the connection writes the default port out."""
    proxy = await start_proxy({NAME: await serve()})
    environment(variable, f"http://127.0.0.1:{proxy.port}")
    assert await ask(connect(f"http://{NAME}:80")) == ["/x", "/more"]
    assert [line.split(" ")[1] for line in proxy.asked] == [f"http://{NAME}/x", f"http://{NAME}/more"]


async def test_a_server_over_tls_is_reached_by_a_tunnel(environment, connect, serve, start_proxy, tmp_path):
    """With the authority of one's own, which the environment names; the proxy sees no token."""
    context, authority = certified(tmp_path, NAME)
    proxy = await start_proxy({NAME: await serve(context)})
    environment("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
    environment("REQUESTS_CA_BUNDLE", str(authority))
    assert await ask(connect(f"https://{NAME}"), "y") == ["/y"]
    assert proxy.asked == [f"CONNECT {NAME}:443 HTTP/1.1"]


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
async def test_a_bundle_of_the_environment_is_trusted(environment, connect, serve, tmp_path, variable):
    """Without it the certificate is refused at once, with the next step: no retry helps."""
    context, authority = certified(tmp_path, "localhost")
    host = f"https://localhost:{await serve(context)}"
    with pytest.raises(Untrusted, match=r"not trusted \(.*\)\. Next: .*REQUESTS_CA_BUNDLE or SSL_CERT_FILE"):
        await ask(connect(host))
    environment(variable, str(authority))
    assert await ask(connect(host), "y") == ["/y"]


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "127.0.0.0/8", "*", "other,127.0.0.1"])
async def test_hosts_that_need_no_proxy_are_reached_directly(
    environment, connect, serve, start_proxy, no_proxy
):
    """By name, by network, or all."""
    port, proxy = await serve(), await start_proxy({})
    environment("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    environment("NO_PROXY", no_proxy)
    assert await ask(connect(f"http://127.0.0.1:{port}"), "y") == ["/y"]
    assert proxy.asked == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_a_login(environment, connect, way, caplog, scheme):
    """It gets the one of its URL; a wrong one is red at once, by the variable, and never shown."""
    proxy = await way(scheme)
    variable = f"{scheme.upper()}_PROXY"
    environment(variable, f"http://me:{ENCODED}@127.0.0.1:{proxy.port}")
    assert await ask(connect(f"{scheme}://{NAME}"), "y") == ["/y"]

    caplog.set_level(logging.DEBUG)
    environment(variable, f"http://me:wr0ng{ENCODED}@127.0.0.1:{proxy.port}")
    with pytest.raises(ProxyRefused) as refused:
        await ask(connect(f"{scheme}://{NAME}"), "y")
    told = str(refused.value)
    assert f"the proxy http://127.0.0.1:{proxy.port} answers 407" in told
    assert f"Next: set the right login and password in {variable}" in told
    assert len(proxy.asked) == 2
    for text in (told, repr(refused.value), repr(refused.value.__cause__), caplog.text):
        assert "s3cret" not in text


@pytest.mark.parametrize(("status", "tries"), [(403, 1), (502, 2)])
async def test_a_proxy_that_lets_nothing_through(environment, connect, start_proxy, status, tries):
    """Refused by its rules is red at once; unwell passes, perhaps, and is tried again."""
    proxy = await start_proxy({})
    proxy.status = status
    environment("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    client = connect(f"https://{NAME}")
    object.__setattr__(client.bounds, "attempts", 2)
    object.__setattr__(client.bounds, "retry_first_s", 0.01)
    with pytest.raises((ProxyRefused, RequestFailed)) as failed:
        await ask(client)
    assert len(proxy.asked) == tries
    assert isinstance(failed.value, ProxyRefused) is (tries == 1)
    assert not isinstance(failed.value, RETRYABLE)


def test_a_password_of_a_proxy_is_masked_in_logs(environment):
    """As it is, and as the URL writes it."""
    from airflow.sdk._shared.secrets_masker import redact

    environment("HTTPS_PROXY", f"http://me:{ENCODED}@127.0.0.1:1")
    route = route_to("https://api.github.com")
    assert redact(f"a {PASSWORD} b {ENCODED} c") == "a *** b *** c"
    assert "s3cret" not in f"{route!r} {route}"


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("HTTPS_PROXY", "socks5://s3cret@127.0.0.1:1", "HTTPS_PROXY: is no URL of an HTTP proxy; not shown"),
        ("https_proxy", "http://me:s3cret@host:port", "https_proxy: is no URL of an HTTP proxy; not shown"),
        ("REQUESTS_CA_BUNDLE", "/no/such/file", "REQUESTS_CA_BUNDLE: '/no/such/file' is no bundle"),
        ("SSL_CERT_FILE", os.devnull, "SSL_CERT_FILE: '/dev/null' is no bundle"),
    ],
)
def test_what_is_of_no_use_is_named_before_anything_is_sent(environment, connect, variable, value, told):
    """The variable and the next step; the first task looks."""
    environment(variable, value)
    with pytest.raises(BadEnvironment) as bad:
        connect("https://api.github.com")
    assert told in str(bad.value)
    assert "Next: set it to" in str(bad.value)
    assert "s3cret" not in str(bad.value)
    with pytest.raises(BadEnvironment):
        GitHubHook().require_usable()


async def test_a_bundle_of_openssl_that_is_missing_is_ignored(environment, connect, caplog):
    """As OpenSSL does, so hosts of authorities that the system knows are reached; the log says so."""
    environment("SSL_CERT_FILE", "/no/such/file")
    connect("https://api.github.com")
    assert route_to("https://api.github.com").authorities is None
    assert "environment variable SSL_CERT_FILE: ignored" in caplog.text
    assert "/no/such/file" in caplog.text


async def test_without_tls_no_bundle_is_read(environment, connect, serve, start_proxy):
    """A file that is missing is no matter of a plain server, but of a proxy over TLS before it."""
    environment("REQUESTS_CA_BUNDLE", "/no/such/file")
    host = f"http://127.0.0.1:{await serve()}"
    assert await ask(connect(host), "y") == ["/y"]
    environment("HTTP_PROXY", f"http://127.0.0.1:{(await start_proxy({})).port}")
    route_to(f"http://{NAME}")
    environment("HTTP_PROXY", "https://127.0.0.1:1")
    with pytest.raises(BadEnvironment, match="REQUESTS_CA_BUNDLE"):
        route_to(f"http://{NAME}")


async def test_logins_of_netrc_are_nobody_s(environment, tmp_path):
    """A file of other programs gives no request a login that the connection does not have."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
    environment("NETRC", str(netrc))
    seen = []

    async def handle(request):
        seen.append(request.headers.get("Authorization"))
        return web.json_response([])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as server:
        environment("HTTP_PROXY", "http://127.0.0.1:1")
        environment("NO_PROXY", "127.0.0.1")
        environment(
            "AIRFLOW_CONN_GITHUB_DEFAULT",
            json.dumps({"conn_type": "github", "host": str(server.make_url("/"))}),
        )
        client = GitHubHook(staging_root=tmp_path).get_conn()
        assert await ask(client) == []
    assert seen == [None]
