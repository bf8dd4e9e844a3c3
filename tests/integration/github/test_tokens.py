"""Several tokens: the one with the most left asks, a share is left to others, none is ever shown."""

import asyncio
import logging
import time
from collections import Counter
from datetime import timedelta

import pytest
from aiohttp import web

from include.github.api.answer_errors import Unauthorized
from include.github_stand_in.app import FAULTS, REQUEST_LOG
from include.github_stand_in.faults import Fault
from include.github_stand_in.quota import Quota
from include.http.errors import RateLimitedUntil
from include.http.request_cost import RequestCost
from tests.clock import now

MINE, YOURS = "ghp_0123456789abcdef", "ghp_fedcba9876543210"
SECONDARY = b'{"message": "You have exceeded a secondary rate limit."}'


async def ask(client, times=1, path=""):
    """Ask so often at once; return how many were answered, and the errors."""
    urls = [client.url(path, q="stars:>1", per_page=1, page=n) for n in range(1, times + 1)]
    asked = [client.get(url, bool, RequestCost()) for url in urls]
    results = await asyncio.gather(*asked, return_exceptions=True)
    errors = [result for result in results if isinstance(result, Exception)]
    return times - len(errors), errors


class Accounts:
    """A server that tells each token what is left of it, and when it is full again, in seconds."""

    def __init__(self, **left):
        self.left, self.asked = left, Counter()

    async def __call__(self, request):
        """Answer, and count."""
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.asked[token] += 1
        remaining, reset_in_s = self.left[token]
        self.left[token] = (remaining - 1, reset_in_s)
        reset = int(time.time()) + reset_in_s
        headers = {"X-RateLimit-Remaining": str(remaining), "X-RateLimit-Reset": str(reset)}
        return web.json_response([], headers=headers)


async def test_the_token_with_the_most_left_asks(serve, make_client):
    """One request finds out about each; then the fuller one asks, until they have the same."""
    accounts = Accounts(poor=(10, 900), rich=(15, 900))
    server = await serve(accounts)
    async with make_client(server.url, tokens=["poor", "rich"]) as client:
        for _ in range(6):
            await ask(client)
        assert accounts.asked == {"poor": 1, "rich": 5}
        for _ in range(7):
            await ask(client)
    assert accounts.asked == {"poor": 4, "rich": 9}


async def test_two_tokens_have_twice_as_much(stand_in, make_client):
    """Each spends its own, nothing is refused; the error names the reset that comes first."""
    app, url = await stand_in(with_token=Quota(core_per_hour=4, search_per_minute=30))
    async with make_client(url, tokens=[MINE, YOURS]) as client:
        answered, errors = await ask(client, 12)
    assert (answered, {type(error) for error in errors}) == (8, {RateLimitedUntil})
    assert {request.status for request in app[REQUEST_LOG].requests} == {200}


async def test_when_all_are_spent_the_first_reset_counts(serve, make_client):
    """Not that of the token that was spent last."""
    server = await serve(Accounts(one=(0, 900), two=(0, 300), three=(0, 600)))
    async with make_client(server.url, tokens=["one", "two", "three"]) as client:
        answered, errors = await ask(client, 5)
    assert answered == 3
    assert timedelta(seconds=295) < errors[0].until - now() < timedelta(seconds=305)


@pytest.mark.parametrize(
    ("limit", "reserve", "spent"), [(20, 0.1, 18), (20, 0.5, 10), (30, 0.1, 27), (9, 0.1, 9), (1, 0.9, 1)]
)
@pytest.mark.parametrize("path", ["", "search/repositories"])
async def test_a_share_is_left_to_others(stand_in, make_client, path, limit, reserve, spent):
    """Rounded down, of each limit; also with one token. A tiny quota is used whole."""
    _, url = await stand_in(with_token=Quota(limit, limit))
    async with make_client(url, tokens=[MINE], reserve=reserve) as client:
        answered, errors = await ask(client, limit + 1, path)
    assert answered == spent
    assert (f"{limit - spent} of {limit} are kept in reserve" in str(errors[0])) == (spent < limit)


async def test_nothing_is_reserved_without_a_token(stand_in, make_client):
    """There is nobody to leave it to."""
    app, url = await stand_in(anonymous=Quota(10, 10))
    async with make_client(url) as client:
        assert (await ask(client, 11))[0] == 10
    assert len(app[REQUEST_LOG].requests) == 10


async def test_a_revoked_token_is_set_aside(stand_in, make_client, caplog):
    """With a warning that says which one, without showing it; the others go on."""
    app, url = await stand_in(revoked_tokens=[MINE])
    async with make_client(url, tokens=[MINE, YOURS]) as client:
        assert await ask(client, 9) == (9, [])
    assert sum(request.status == 401 for request in app[REQUEST_LOG].requests) == 1
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [warning for warning in warnings if "token 1 of 2 (sha256 " in warning] == warnings
    assert warnings[0].endswith("take it out of the password of the GitHub connection")
    assert not [token for token in (MINE, YOURS) if token in caplog.text]


async def test_when_all_are_revoked_it_fails(stand_in, make_client):
    """By name, and never anonymously."""
    app, url = await stand_in(revoked_tokens=[MINE, YOURS])
    async with make_client(url, tokens=[MINE, YOURS]) as client:
        answered, errors = await ask(client, 3)
    assert (answered, {type(error) for error in errors}) == (0, {Unauthorized})
    assert {request.status for request in app[REQUEST_LOG].requests} == {401}


async def test_a_spent_token_is_known_to_the_next_process(stand_in, make_client):
    """Whatever other tokens it has; the spent one is not asked with."""
    app, url = await stand_in(with_token=Quota(core_per_hour=2, search_per_minute=30))
    async with make_client(url, tokens=[MINE]) as client:
        await ask(client, 2)
    async with make_client(url, tokens=[YOURS, MINE]) as second:
        answered, errors = await ask(second, 3)
    assert (answered, len(errors)) == (2, 1)
    assert [request.status for request in app[REQUEST_LOG].requests] == [200] * 4


async def test_a_secondary_limit_stops_all_tokens(stand_in, make_client):
    """Also in the next process, and with the others alone."""
    app, url = await stand_in()
    app[FAULTS].add(Fault("/", status=403, headers={"Retry-After": "60"}, body=SECONDARY))
    async with make_client(url, tokens=[MINE, YOURS]) as client:
        assert (await ask(client))[0] == 0
    for tokens in ([MINE], [YOURS]):
        async with make_client(url, tokens=tokens) as later:
            answered, errors = await ask(later, 1)
        assert (answered, type(errors[0])) == (0, RateLimitedUntil)
    assert len(app[REQUEST_LOG].requests) == 1


async def test_what_each_token_may_still_spend(stand_in, make_client):
    """Is told for nothing, of each resource, less the reserve; one that is rejected then has nothing."""
    _, url = await stand_in(with_token=Quota(100, 30, 5000), revoked_tokens=["ghp_revoked"])
    async with make_client(url, tokens=[MINE, "ghp_revoked", YOURS]) as client:
        cost = RequestCost()
        mine, yours = await client.quotas(cost)
        again = await client.quotas()
    assert cost.requests == 3
    assert again[0].resources["core"].remaining == mine.resources["core"].remaining
    assert (mine.token[:12], yours.token[:12]) == ("token 1 of 3", "token 3 of 3")
    left = {name: (quota.limit, quota.available) for name, quota in yours.resources.items()}
    assert left == {"core": (100, 90), "search": (30, 27), "graphql": (5000, 4500)}
    assert timedelta(minutes=59) < mine.resources["core"].reset_at - now() < timedelta(minutes=61)


async def test_a_token_that_is_spent_is_not_asked_with_once_that_is_told(stand_in, make_client, tmp_path):
    """The budget learns of what others have spent before a request is refused."""
    app, url = await stand_in(with_token=Quota(4, 30))
    async with make_client(url, tokens=[MINE]) as other:
        await ask(other, 4)
    for path in tmp_path.iterdir():
        path.unlink()
    async with make_client(url, tokens=[MINE, YOURS]) as client:
        await client.quotas()
        await ask(client, 4)
    assert {request.status for request in app[REQUEST_LOG].requests} == {200}


async def test_a_server_without_limits_tells_none(stand_in, make_client):
    """As a GitHub Enterprise where they are off."""
    app, url = await stand_in()
    app[FAULTS].add(Fault("/rate_limit", status=404, body=b'{"message": "Rate limiting is not enabled."}'))
    async with make_client(url, tokens=[MINE]) as client:
        assert await client.quotas() == ()
