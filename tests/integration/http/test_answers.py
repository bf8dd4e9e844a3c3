"""What the answer to a request means for it: sent again, sent elsewhere, or never again."""

import pytest
from aiohttp import web

from include.http.cooldown_store import CooldownStore
from include.http.errors import (
    ForeignOrigin,
    LimitNeverLifts,
    RateLimitedUntil,
    RequestFailed,
    RequestOutcomeUnknown,
    TooManyRedirects,
)
from include.http.request_cost import RequestCost
from include.http.rules import ApiRules
from tests.clock import now
from tests.integration.http.client import PlainClient
from tests.integration.http.server import answers, json_answer, ok

SECRET = "s3cret/0123456789"


class Unavailable(ApiRules):
    """An API that promises to have done nothing where it answers 503."""

    def not_done(self, answer):
        """Tell so."""
        return answer.status == 503 or super().not_done(answer)


BUSY = json_answer(503, {}, Retry_After="1")
TOO_MANY = json_answer(429, {})


async def test_a_refusal_that_says_that_nothing_was_done(serve, make_client):
    """Is waited for, then the request goes again."""
    server = await serve(answers(TOO_MANY, TOO_MANY, ok()))
    async with make_client(server.url) as client:
        answer, _ = await client.send(client.request("POST", body={}))
    assert (answer.status, server.seen.count) == (200, 3)
    assert [round(gap, 1) for gap in server.seen.gaps()] == [0.1, 0.2]


async def test_headers_as_long_as_proxies_make_them(serve, make_client):
    """A value of 60,000 characters, or 500 headers, are an answer like any other."""
    many = {f"X-Number-{number}": "1" for number in range(500)}
    server = await serve(answers(json_answer(200, {}, X_Policy="x" * 60_000), json_answer(200, {}, **many)))
    async with make_client(server.url) as client:
        for _ in range(2):
            assert (await client.get("x"))[0].status == 200
    assert server.seen.count == 2


async def test_a_503_says_nothing_by_itself(serve, make_client):
    """It is not sent again, whatever Retry-After says; others wait for as long as that."""
    server = await serve(answers(BUSY, ok()))
    async with make_client(server.url) as client:
        with pytest.raises(RequestOutcomeUnknown, match="503") as unknown:
            await client.send(client.request("POST", body={}))
        await client.get("next")
    assert unknown.value.status == 503
    assert server.seen.count == 2
    assert server.seen.gaps()[0] > 0.9


async def test_a_503_of_an_api_that_promises_more(serve, make_client):
    """Is sent again after Retry-After: the rule is the caller's."""
    server = await serve(answers(BUSY, ok()))
    async with make_client(server.url, rules=Unavailable()) as client:
        await client.send(client.request("POST", body={}))
    assert server.seen.count == 2


async def test_a_limit_that_never_lifts_hides_no_unknown_outcome(serve, make_client):
    """The request's own fate first; who asks next, and may ask again, hears of the limit."""
    server = await serve(answers(json_answer(503, {}, Retry_After="0")))
    async with make_client(server.url, strikes=0) as client:
        with pytest.raises(RequestOutcomeUnknown):
            await client.send(client.request("POST", body={}))
        with pytest.raises(LimitNeverLifts):
            await client.get("next")
    assert server.seen.count == 2


class FullDisk(CooldownStore):
    """Remembers nothing."""

    def write(self, *_facts):
        """Fail."""
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("server_says", [json_answer(503, {}, Retry_After="1"), json_answer(429, {})])
async def test_a_full_disk_sends_nothing_twice(serve, tmp_path, server_says):
    """An error of ours after the answer is no sign that the request did not leave; after a 429 it is one."""
    server = await serve(answers(server_says))
    async with PlainClient(str(server.url), FullDisk(tmp_path), clock=now, attempts=3) as client:
        with pytest.raises((RequestOutcomeUnknown, RequestFailed), match="No space left") as failure:
            await client.send(client.request("POST", body={}))
    unknown = isinstance(failure.value, RequestOutcomeUnknown)
    assert (unknown, server.seen.count) == (server_says().status == 503, 1 if unknown else 3)


async def test_a_long_wait_is_not_slept(serve, make_client):
    """Nothing was done, so the error is that of the limit; the next process sends nothing."""
    server = await serve(answers(json_answer(429, {}, Retry_After="900")))
    for _ in range(2):
        async with make_client(server.url) as client:
            with pytest.raises(RateLimitedUntil):
                await client.send(client.request("POST", body={}))
    assert server.seen.count == 1


async def test_an_answer_that_is_of_no_use(serve, make_client):
    """A 500 to what is repeatable is asked again; else nobody knows."""
    server = await serve(answers(json_answer(500, {})))
    async with make_client(server.url, attempts=3) as client:
        with pytest.raises(RequestFailed, match="failed 3 times"):
            await client.send(client.request("POST", body={}, repeatable=True))
        assert server.seen.count == 3
        with pytest.raises(RequestOutcomeUnknown, match="500") as unknown:
            await client.send(client.request("POST", body={}))
    assert (server.seen.count, unknown.value.status) == (4, 500)


async def test_a_rejected_token_has_done_nothing(serve, make_client):
    """The next token sends it."""

    async def handle(request):
        known = request.headers["Authorization"] == "Bearer good-token"
        return web.json_response({}, status=200 if known else 401)

    server = await serve(handle)
    async with make_client(server.url, tokens=["bad-token", "good-token"]) as client:
        answer, _ = await client.send(client.request("POST", body={}))
    assert (answer.status, server.seen.count) == (200, 2)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects(serve, make_client, status):
    """What is repeatable goes where it is told to, by the same method; else nobody knows."""

    async def handle(request):
        if request.path == "/x":
            return web.Response(status=status, headers={"Location": "/y"})
        return web.json_response(request.method)

    server, cost = await serve(handle), RequestCost()
    async with make_client(server.url) as client:
        answer, hops = await client.send(client.request("PUT", body={}, repeatable=True), cost)
        assert (answer.body, hops, cost.requests) == (b'"PUT"', 1, 2)
        with pytest.raises(RequestOutcomeUnknown, match="redirected to '/y', not followed") as unknown:
            await client.send(client.request("PUT", body={}))
    assert (server.seen.count, unknown.value.status) == (3, status)


async def test_redirects_stay_with_the_server_and_end(serve, make_client):
    """Another port is another origin: it gets neither request nor token."""
    foreign = await serve()
    elsewhere = json_answer(302, {}, Location=str(foreign.url))
    server = await serve(answers(elsewhere, json_answer(302, {}, Location="/x")))
    async with make_client(server.url, tokens=[SECRET]) as client:
        with pytest.raises(ForeignOrigin, match="not followed"):
            await client.get("x")
        with pytest.raises(TooManyRedirects, match="after 5 hops"):
            await client.get("x")
    assert (server.seen.count, foreign.seen.count) == (7, 0)


@pytest.mark.parametrize("repeatable", [True, False])
async def test_an_answer_that_is_too_large(serve, make_client, repeatable):
    """Is not read to its end; the status is known all the same."""
    server = await serve(lambda _request: _large())
    error = RequestFailed if repeatable else RequestOutcomeUnknown
    async with make_client(server.url, max_body_bytes=1000, attempts=2) as client:
        with pytest.raises(error, match="more than 1000 bytes of body") as failure:
            await client.send(client.request("POST", body={}, repeatable=repeatable))
    assert server.seen.count == (2 if repeatable else 1)
    assert repeatable or failure.value.status == 201


async def _large():
    return web.Response(status=201, body=b"x" * 5000)


@pytest.mark.parametrize("repeatable", [True, False])
async def test_no_secret_in_a_text(serve_cutting, make_client, caplog, repeatable):
    """Not where it is part of the address either, in whatever form."""
    server = await serve_cutting(*["no byte"] * 9)
    async with make_client(server.url, tokens=[SECRET], attempts=2) as client:
        request = client.request("POST", SECRET, body={}, repeatable=repeatable)
        with pytest.raises((RequestFailed, RequestOutcomeUnknown), match=r"\*\*\*") as failure:
            await client.send(request)
    assert "0123456789" not in f"{failure.value} {failure.value!r} {caplog.text}"


async def test_what_a_request_carries(serve, make_client):
    """Its headers, its body as JSON, the token as a bearer."""
    bodies = []

    async def handle(request):
        bodies.append(await request.json())
        return web.json_response({})

    server = await serve(handle)
    async with make_client(server.url, tokens=[SECRET]) as client:
        await client.send(
            client.request("POST", body={"a": None}, headers={"Idempotency-Key": '"k"'}, repeatable=True)
        )
    headers = server.seen.headers[0]
    assert bodies == [{"a": None}]
    assert (headers["Idempotency-Key"], headers["Authorization"]) == ('"k"', f"Bearer {SECRET}")
    assert headers["User-Agent"].startswith("stagehouse/")
