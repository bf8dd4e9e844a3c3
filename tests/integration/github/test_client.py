"""One request: what is asked again, what is followed, what is refused, and what stays secret."""

import logging
from base64 import b64encode

import pytest
from aiohttp import web

from include.github.api.answer_errors import Forbidden, Invalid, NotFound, Unauthorized
from include.http.errors import ForeignOrigin, RequestFailed, RetryBudgetSpent, TooManyRedirects
from include.http.request_cost import RequestCost
from include.http.retries import RetryBudget
from tests.integration.http.server import answers, json_answer, ok

TOKEN = "ghp_0123456789abcdef"


async def _truncated(request):
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'[{"sha": ')
    request.transport.close()
    return response


async def _dropped(request):
    request.transport.close()
    return web.Response()


async def _close_delimited(request):
    request.transport.write(b'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n[{"sha": ')
    request.transport.close()
    return web.Response()


def _fixed(**answer):
    async def handle(_request):
        return web.Response(**answer)

    return handle


BROKEN = {
    "502 page": _fixed(status=502, text="<h1>502 Bad Gateway</h1>", content_type="text/html"),
    "200 page": _fixed(text="<html>Unicorn!</html>", content_type="text/html"),
    "200 empty": _fixed(),
    "204": _fixed(status=204),
    "null": _fixed(text="null"),
    "wrong type": _fixed(text='{"a": 1}'),
    "bad gzip": _fixed(body=b"no gzip", headers={"Content-Encoding": "gzip"}),
    "truncated": _truncated,
    "close delimited": _close_delimited,
    "dropped": _dropped,
    "another 409": _fixed(status=409, text='{"message": "busy"}'),
}


def _as_list(value):
    if not isinstance(value, list):
        raise ValueError("a list was expected")  # noqa: TRY004
    return value


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
async def test_a_passing_failure_is_asked_again(serve, make_client, broken):
    """Asks once more, counts it, and returns the whole answer."""
    count = 0

    async def handle(request):
        nonlocal count
        count += 1
        return await (broken(request) if count == 1 else answers(ok([1]))(request))

    server, cost = await serve(handle), RequestCost()
    async with make_client(server.url) as client:
        page = await client.get(client.url("x"), _as_list, cost)
    # A connection dropped without a word is asked again by aiohttp itself: a request, not a retry of ours.
    retries = 0 if broken is _dropped else 1
    assert (page.value, cost.retries, cost.requests, server.seen.count) == ([1], retries, 2, 2)


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
async def test_a_lasting_failure_ends_by_name(serve, make_client, broken):
    """After the last attempt the error names the URL and the last cause."""
    server = await serve(broken)
    async with make_client(server.url, attempts=3) as client:
        with pytest.raises(RequestFailed, match=r"failed 3 times.*/x\b"):
            await client.get(client.url("x"), _as_list, RequestCost())
    assert server.seen.count >= 3


async def test_a_server_that_hangs_is_left(serve, make_client):
    """A body that drips for ever is cut by the total time."""

    async def drip(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await _sleep(0.02)

    from asyncio import sleep as _sleep

    server = await serve(drip)
    async with make_client(server.url, timeout_s=0.2, attempts=2) as client:
        with pytest.raises(RequestFailed, match="TimeoutError"):
            await client.get(client.url("x"), len, RequestCost())


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"message": "Bad credentials"}, Unauthorized),
        (403, {"message": "Resource not accessible"}, Forbidden),
        (404, {"message": "Not Found"}, NotFound),
        (422, {"message": "Only the first 1000 search results are available"}, Invalid),
    ],
)
async def test_what_no_retry_changes_is_not_retried(serve, make_client, status, body, kind):
    """One request, one error that quotes GitHub."""
    server = await serve(answers(json_answer(status, body)))
    async with make_client(server.url) as client:
        with pytest.raises(kind, match=body["message"]):
            await client.get(client.url("x"), len, RequestCost())
    assert server.seen.count == 1


async def test_the_retries_of_a_try_are_bounded(serve, make_client):
    """When all retries of a try are spent, the error says so, with the last causes."""
    server = await serve(BROKEN["502 page"])
    async with make_client(server.url) as client:
        client.retries = RetryBudget(limit=6)
        with pytest.raises(RequestFailed):
            await client.get(client.url("x"), len, RequestCost())
        with pytest.raises(RetryBudgetSpent, match=r"all 6 retries.*502 Bad Gateway"):
            await client.get(client.url("y"), len, RequestCost())
    assert server.seen.count == 5 + 3


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_followed_with_the_query(serve, make_client, status):
    """Relative or not, with or without its query; the hop is counted and known."""

    async def handle(request):
        if request.path == "/old":
            return web.Response(status=status, headers={"Location": "/repositories/1/commits"})
        return web.json_response([1])

    server, cost = await serve(handle), RequestCost()
    async with make_client(server.url) as client:
        page = await client.get(client.url("old", since="2026-08-20T00:00:00Z"), len, cost)
    assert (page.value, page.moved, cost.requests) == (1, True, 2)
    assert server.seen.paths[1] == "/repositories/1/commits?since=2026-08-20T00:00:00Z"


async def test_redirects_that_turn_in_a_circle_end(serve, make_client):
    """Five hops and no more."""
    server = await serve(lambda request: _moved(f"/{int(request.path[1:]) + 1}"))
    async with make_client(server.url) as client:
        with pytest.raises(TooManyRedirects, match="after 5 hops"):
            await client.get(client.url("0"), len, RequestCost())
    assert server.seen.count == 6


async def _moved(location):
    return web.Response(status=301, headers={"Location": location})


@pytest.mark.parametrize("how", ["redirect", "link"])
async def test_another_server_gets_neither_request_nor_token(serve, make_client, how):
    """Another port is another origin: nothing is sent there."""
    foreign = await serve()
    target = str(foreign.url / "steal")
    answer = (
        json_answer(301, {}, Location=target)
        if how == "redirect"
        else ok([1], Link=f'<{target}>; rel="next"')
    )
    server = await serve(answers(answer))
    async with make_client(server.url, tokens=[TOKEN]) as client:
        with pytest.raises(ForeignOrigin, match="not followed"):
            await client.get(client.url("x"), len, RequestCost())
    assert (server.seen.count, foreign.seen.count) == (1, 0)


@pytest.mark.parametrize(
    "target",
    ["https://api.github.com/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://[::1", "//other/x"],
)
async def test_strange_redirects_are_refused(serve, make_client, target):
    """Other schemes, other hosts, no URL at all."""
    server = await serve(lambda _request: _moved(target))
    async with make_client(server.url) as client:
        with pytest.raises(ForeignOrigin):
            await client.get(client.url("x"), len, RequestCost())
    assert server.seen.count == 1


@pytest.mark.parametrize(
    "form", [str, str.lower, lambda token: b64encode(token.encode()).decode().rstrip("=")]
)
@pytest.mark.parametrize(
    "place", ["http://{}.example/", "http://a.example/{:x>190}", "http://u:{}@a.example", "http://[{}"]
)
@pytest.mark.parametrize("how", ["redirect", "link"])
async def test_a_foreign_address_shows_no_token(serve, make_client, how, place, form):
    """Whoever sends us there may know our token: it is hidden wherever it stands, and not cut in two."""
    token = "ghp_" + "ABCDefgh" * 4
    target = place.format(form(token))
    link = {"Link": f'<{target}>; rel="next"'}
    server = await serve(lambda _: _moved(target) if how == "redirect" else answers(ok([1], **link))(_))
    async with make_client(server.url, tokens=[token], attempts=1) as client:
        with pytest.raises((ForeignOrigin, RequestFailed)) as failure:
            await client.get(client.url("x"), len, RequestCost())
    assert form("ghp_ABCDef")[:10].lower() not in f"{failure.value!r} {failure.value}".lower()


async def test_what_every_request_carries(serve, make_client):
    """Token, agent, version of the API, kind of answer; a root with a path is kept."""
    server = await serve()
    async with make_client(server.url, tokens=[TOKEN], base="/api/v3") as client:
        await client.get(
            client.url("repos", "o", "n", "commits", since="2026-08-20T00:00:00Z"), len, RequestCost()
        )
    assert server.seen.paths == ["/api/v3/repos/o/n/commits?since=2026-08-20T00:00:00Z"]
    headers = server.seen.headers[0]
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert headers["User-Agent"].startswith("stagehouse/")
    assert headers["Accept"] == "application/vnd.github+json"


async def test_without_a_token_none_is_sent(serve, make_client):
    """Anonymous means no Authorization header at all."""
    server = await serve()
    async with make_client(server.url) as client:
        await client.get(client.url("x"), len, RequestCost())
    assert "Authorization" not in server.seen.headers[0]


async def test_no_secret_in_logs_and_errors(serve, make_client, caplog):
    """A proxy that echoes our headers in its error page reveals nothing."""

    async def echo(request):
        return web.Response(status=502, text=str(dict(request.headers)))

    caplog.set_level(logging.DEBUG)
    server = await serve(echo)
    async with make_client(server.url, tokens=[TOKEN], attempts=2) as client:
        with pytest.raises(RequestFailed) as failure:
            await client.get(client.url("x"), len, RequestCost())
    assert "Bearer ***" in str(failure.value)
    assert TOKEN not in f"{failure.value!r} {failure.value.__cause__!r} {client!r} {caplog.text}"
