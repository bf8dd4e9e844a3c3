"""Rate limits: obeyed, remembered, never met twice by carelessness."""

import asyncio
import json
import time
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from aiohttp import web

from include.github.api.answer_errors import Forbidden
from include.github.api.rules import account_of
from include.github_stand_in.app import FAULTS, REQUEST_LOG
from include.github_stand_in.faults import Fault
from include.github_stand_in.quota import Quota
from include.http.cooldown_store import CooldownStore
from include.http.errors import LimitNeverLifts, RateLimitedUntil
from include.http.request_cost import RequestCost
from include.http.tokens import Token
from tests.clock import now
from tests.integration.http.server import answers, json_answer, ok

SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
PRIMARY = {"message": "API rate limit exceeded for user ID 1."}


class LimitedServer:
    """Allows `allowed` requests a window, refuses the rest as GitHub does; its clock is off by `skew_s`."""

    def __init__(self, allowed, window_s, skew_s=0.0):
        self.allowed, self.window_s, self.skew = allowed, window_s, timedelta(seconds=skew_s)
        self.used, self.refused, self.reset = 0, 0, 0

    async def __call__(self, _request):
        """Count, answer, show what is left."""
        await asyncio.sleep(0.01)
        clock = now() + self.skew
        if clock.timestamp() >= self.reset:
            self.used, self.reset = 0, int(clock.timestamp()) + self.window_s
        headers = {"Date": format_datetime(clock, usegmt=True), "X-RateLimit-Reset": str(self.reset)}
        if self.used >= self.allowed:
            self.refused += 1
            return web.json_response(PRIMARY, status=403, headers=headers | {"X-RateLimit-Remaining": "0"})
        self.used += 1
        return web.json_response(
            [], headers=headers | {"X-RateLimit-Remaining": str(self.allowed - self.used)}
        )


async def _ask_all(client, times):
    async with asyncio.TaskGroup() as group:
        for n in range(times):
            group.create_task(client.get(client.url(str(n)), len, RequestCost()))


@pytest.mark.parametrize("skew_s", [-5000, 0, 5000])
async def test_what_remains_is_never_overrun(serve, make_client, skew_s):
    """Five workers spend exactly what a window allows, then wait for the reset by the server's own clock."""
    limits = LimitedServer(allowed=7, window_s=1, skew_s=skew_s)
    server = await serve(limits)
    async with make_client(server.url) as client:
        await _ask_all(client, 12)
    assert (limits.refused, server.seen.count) == (0, 12)


async def test_a_long_wait_gives_up_the_worker(stand_in, make_client):
    """When the hour's requests are spent, the error says until when, and not one request is refused."""
    app, url = await stand_in(with_token=Quota(core_per_hour=4, search_per_minute=30))
    async with make_client(url, tokens=["t"]) as client:
        asked = [client.get(client.base_url, bool, RequestCost()) for _ in range(12)]
        results = await asyncio.gather(*asked, return_exceptions=True)
    limit = next(result for result in results if isinstance(result, RateLimitedUntil))
    assert limit.resource == "core"
    assert timedelta(minutes=59) < limit.until - now() <= timedelta(hours=1, seconds=2)
    assert [request.status for request in app[REQUEST_LOG].requests] == [200] * 4


async def test_the_next_process_does_not_ask_either(stand_in, make_client):
    """A second client, later or elsewhere, reads the limit from the staging root and sends nothing."""
    app, url = await stand_in(with_token=Quota(core_per_hour=1, search_per_minute=30))
    async with make_client(url, tokens=["t"]) as client:
        await client.get(client.base_url, bool, RequestCost())
    async with make_client(url, tokens=["t"]) as second:
        with pytest.raises(RateLimitedUntil):
            await second.get(second.base_url, bool, RequestCost())
        # Another resource has its own limit.
        await second.get(second.url("search", "repositories", q="stars:>1"), bool, RequestCost())
    assert [request.resource for request in app[REQUEST_LOG].requests] == ["core", "search"]


async def test_limits_of_processes_beside_each_other_add_up(stand_in, make_client):
    """Each meets another limit; who comes later asks for neither, nor does who meets his after the other."""
    app, url = await stand_in(with_token=Quota(core_per_hour=1, search_per_minute=1))
    async with make_client(url, tokens=["t"]) as one, make_client(url, tokens=["t"]) as two:
        await one.get(one.base_url, bool, RequestCost())
        search = two.url("search", "repositories", q="stars:>1")
        await two.get(search, bool, RequestCost())
        async with make_client(url, tokens=["t"]) as later:
            for client, asked in ((later, later.base_url), (later, search), (two, two.base_url)):
                with pytest.raises(RateLimitedUntil):
                    await client.get(asked, bool, RequestCost())
    assert [request.resource for request in app[REQUEST_LOG].requests] == ["core", "search"]


async def test_a_limit_that_is_over_is_asked_for_again(serve, make_client, tmp_path):
    """A remembered limit in the past closes nothing, nor does a torn file."""
    server = await serve()
    past = {"core": {"until": "2020-01-01T00:00:00Z", "reason": "x", "strikes": 2}}
    for text in (json.dumps(past), '{"core": {"unt'):
        CooldownStore(tmp_path).write(account_of(Token(""), f"{server.url}"), {})
        (path,) = tmp_path.glob("github-*.json")
        path.write_text(text)
        async with make_client(server.url) as client:
            await client.get(client.base_url, len, RequestCost())
    assert server.seen.count == 2


async def test_retry_after_stops_every_worker(serve, make_client):
    """One refusal, and for that second nobody asks, not even those already in the queue."""
    refuse_after = 6
    times = []

    async def handle(_request):
        times.append(time.monotonic())
        if len(times) == refuse_after:
            return web.json_response(SECONDARY, status=429, headers={"Retry-After": "1"})
        return web.json_response([])

    server = await serve(handle)
    # Slower than what a late wake-up makes good: else several requests may be on their way at once.
    async with make_client(server.url, rps=20) as client:
        await _ask_all(client, 14)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    # What was on its way within a round trip of the refusal cannot be called back.
    stopped = next(n for n, gap in enumerate(gaps) if gap > 0.5)
    assert stopped - (refuse_after - 1) <= 2
    assert gaps[stopped] > 0.9
    assert len(times) == 15
    assert client.waited_s == pytest.approx(1, abs=0.1)


async def test_a_secondary_limit_without_a_time_waits_longer_each_time(serve, make_client):
    """First the minimum, then twice, then four times; a success ends the series."""
    refusal = json_answer(403, SECONDARY, X_RateLimit_Remaining="14")
    server = await serve(answers(refusal, refusal, refusal, ok(), refusal, ok()))
    async with make_client(server.url, refusal_wait_s=0.15) as client:
        for _ in range(2):
            await client.get(client.base_url, len, RequestCost())
    waits = server.seen.gaps()
    assert [round(wait / 0.15) for wait in waits] == [1, 2, 4, 0, 1]


async def test_a_limit_that_never_lifts_fails_the_run(serve, make_client):
    """After the last wait was kept and refused again, the error says so."""
    server = await serve(answers(json_answer(403, SECONDARY)))
    async with make_client(server.url, refusal_wait_s=0.02, strikes=3) as client:
        with pytest.raises(LimitNeverLifts, match=r"4 times in a row.*requests_per_second"):
            await client.get(client.base_url, len, RequestCost())
    assert server.seen.count == 4


async def test_answers_of_another_resource_end_no_series(serve, make_client):
    """Where GraphQL is always refused, REST and /rate_limit may answer as they like."""
    limits = json.dumps({"resources": {}})

    async def handle(request):
        if request.path == "/graphql":
            return web.json_response({"errors": [{"type": "RATE_LIMITED", "message": "no"}]})
        return web.Response(text=limits, content_type="application/json")

    server, clock = await serve(handle), {"ahead": timedelta()}
    async with make_client(
        server.url, tokens=["t"], refusal_wait_s=60, strikes=3, clock=lambda: now() + clock["ahead"]
    ) as client:
        for _ in range(3):
            with pytest.raises(RateLimitedUntil) as limit:
                await client.query("{x}", {}, bool, RequestCost())
            clock["ahead"] = limit.value.until - now() + timedelta(seconds=1)
            await client.get(client.base_url, bool, RequestCost())
            await client.quotas()
        with pytest.raises(LimitNeverLifts, match="4 times in a row"):
            await client.query("{x}", {}, bool, RequestCost())


async def test_strikes_are_counted_across_processes(serve, make_client):
    """A minute is longer than our patience: each try meets the limit once, the next waits twice as long."""
    server = await serve(answers(json_answer(403, SECONDARY)))
    clock = {"ahead": timedelta()}
    waits = []
    for _ in range(3):
        async with make_client(server.url, refusal_wait_s=60, clock=lambda: now() + clock["ahead"]) as client:
            with pytest.raises(RateLimitedUntil) as limit:
                await client.get(client.base_url, len, RequestCost())
        waits.append(round((limit.value.until - now() - clock["ahead"]).total_seconds()))
        clock["ahead"] = limit.value.until - now() + timedelta(seconds=1)
    assert waits == [60, 120, 240]
    assert server.seen.count == 3


async def test_five_refusals_at_once_are_one_strike(serve, make_client):
    """Workers that were refused together do not add up to "in a row"."""
    first_five = asyncio.Barrier(5)
    count = 0

    async def handle(_request):
        nonlocal count
        count += 1
        if count == 1:
            return web.json_response([])
        if count <= 6:
            await first_five.wait()
            return web.json_response(SECONDARY, status=403)
        return web.json_response([])

    server = await serve(handle)
    async with make_client(server.url, strikes=1, refusal_wait_s=0.1) as client:
        await _ask_all(client, 8)
    assert server.seen.count == 13


async def test_a_refusal_in_the_middle_of_the_stand_in(stand_in, make_client):
    """GitHub's own words and headers, met at the third request, cost one wait and one request."""
    app, url = await stand_in()
    body = json.dumps(SECONDARY).encode()
    app[FAULTS].add(Fault("/rate_limit|/$", after=2, status=403, headers={"Retry-After": "1"}, body=body))
    async with make_client(url) as client:
        for _ in range(4):
            await client.get(client.base_url / "", bool, RequestCost())
    assert [request.status for request in app[REQUEST_LOG].requests] == [200, 200, 403, 200, 200]


async def test_a_403_about_rights_is_no_limit(serve, make_client):
    """It fails at once, closes nothing, and says what to check."""
    server = await serve(answers(json_answer(403, {"message": "Resource not accessible"}), ok()))
    async with make_client(server.url) as client:
        with pytest.raises(Forbidden, match=r"Resource not accessible.*rights of the token"):
            await client.get(client.base_url, len, RequestCost())
        await client.get(client.base_url, len, RequestCost())
    assert server.seen.count == 2
