"""The transport of GraphQL: where it is asked, what it costs, which of its answers are limits."""

import json
import time

import pytest
from aiohttp import web

from include.github.api.answer_errors import NotFound, Unexpected
from include.http.errors import RateLimitedUntil, RequestFailed
from include.http.request_cost import RequestCost
from tests.integration.http.server import answers, json_answer, ok

TOKEN = "ghp_0123456789abcdef"
QUERY, VARIABLES = "query ($n: Int!) { rateLimit { cost } }", {"n": 1}
DATA = {"data": {"rateLimit": {"cost": 7}}}


def whole(value):
    """Take anything."""
    return value


@pytest.mark.parametrize(
    ("base", "path"), [("", "/graphql"), ("/api/v3/", "/api/graphql"), ("/v3", "/v3/graphql")]
)
async def test_a_query(serve, make_client, base, path):
    """Goes by POST, with the token, to where that kind of GitHub has GraphQL; its points are counted."""
    bodies = []

    async def handle(request):
        bodies.append((request.method, await request.json()))
        return web.json_response(DATA)

    server, cost = await serve(handle), RequestCost()
    async with make_client(server.url, tokens=[TOKEN], base=base) as client:
        assert client.has_token
        assert await client.query(QUERY, VARIABLES, whole, cost) == DATA
    assert bodies == [("POST", {"query": QUERY, "variables": VARIABLES})]
    assert server.seen.paths == [path]
    assert server.seen.headers[0]["Authorization"] == f"Bearer {TOKEN}"
    assert (cost.requests, cost.points) == (1, 7)


async def test_errors_are_the_reader_s(serve, make_client):
    """Data and errors may come together; without a cost a query is a point."""
    body, cost = {"data": None, "errors": [{"type": "NOT_FOUND", "message": "x"}]}, RequestCost()
    server = await serve(answers(ok(body)))
    async with make_client(server.url, tokens=[TOKEN]) as client:
        assert await client.query(QUERY, {}, whole, cost) == body
    assert cost.points == 1


@pytest.mark.parametrize("attempts", [None, 2])
async def test_what_is_not_usable_is_asked_again(serve, make_client, attempts):
    """As often as told, a point each; then the last cause is named."""

    def refuse(_value):
        raise ValueError("neither data nor errors")

    server, cost = await serve(answers(json_answer(502, {}), ok({}))), RequestCost()
    async with make_client(server.url, tokens=[TOKEN], attempts=4) as client:
        with pytest.raises(RequestFailed, match="neither data nor errors"):
            await client.query(QUERY, {}, refuse, cost, attempts=attempts)
    assert server.seen.count == cost.points == (attempts or 4)


@pytest.mark.parametrize(("answer", "kind"), [(404, NotFound), (301, Unexpected)])
async def test_graphql_that_is_not_there(serve, make_client, answer, kind):
    """Fails at once, by name."""
    server = await serve(answers(json_answer(answer, {"message": "no", "url": "/y"})))
    async with make_client(server.url, tokens=[TOKEN]) as client:
        with pytest.raises(kind):
            await client.query(QUERY, {}, whole, RequestCost())
    assert server.seen.count == 1


PRIMARY = "API rate limit exceeded for user ID 1."
LIMITS = {
    "RATE_LIMITED": (200, {"errors": [{"type": "RATE_LIMITED", "message": PRIMARY}]}, "graphql"),
    "RATE_LIMIT": (200, {"data": None, "errors": [{"type": "RATE_LIMIT", "message": PRIMARY}]}, "graphql"),
    "code": (200, {"errors": [{"code": "graphql_rate_limit", "message": PRIMARY}]}, "graphql"),
    "403": (403, {"message": PRIMARY}, "graphql"),
    "secondary": (200, {"message": "You have exceeded a secondary rate limit."}, "all"),
    "secondary error": (200, {"errors": [{"message": "You have exceeded a secondary rate limit."}]}, "all"),
}


@pytest.mark.parametrize(("status", "body", "closed"), LIMITS.values(), ids=LIMITS)
async def test_a_limit(serve, make_client, status, body, closed):
    """Of GraphQL alone, until the reset, or of everything; not a point is spent on asking again."""
    remaining = 0 if status == 403 else 3  # less than the query costs is not 0
    headers = {"X_RateLimit_Reset": str(int(time.time()) + 900), "X_RateLimit_Remaining": str(remaining)}
    server = await serve(
        answers(json_answer(status, body, X_RateLimit_Resource="graphql", **headers), ok([]))
    )
    async with make_client(server.url, tokens=[TOKEN], max_sleep_s=0.05) as client:
        for _ in range(2):
            with pytest.raises(RateLimitedUntil):
                await client.query(QUERY, {}, whole, RequestCost())
        assert server.seen.count == 1
        if closed == "graphql":
            await client.get(client.url("x"), len, RequestCost())
        else:
            with pytest.raises(RateLimitedUntil):
                await client.get(client.url("x"), len, RequestCost())


async def test_what_repositories_say_is_no_limit(serve, make_client):
    """Words of a limit inside of the data, or about a name, close nothing."""
    data = {
        "data": {"r0": {"description": "secondary rate limit"}},
        "errors": [{"message": "secondary rate of r1"}],
    }
    server = await serve(answers(ok(data)))
    async with make_client(server.url, tokens=[TOKEN]) as client:
        assert json.dumps(await client.query(QUERY, {}, whole, RequestCost())) == json.dumps(data)
