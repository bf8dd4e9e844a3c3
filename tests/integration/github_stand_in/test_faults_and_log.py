"""Scripted misbehaviour over real connections, and the log of what the server saw."""

import asyncio
import json

import aiohttp
import pytest

from include.github_stand_in.app import FAULTS, REQUEST_LOG
from include.github_stand_in.faults import Fault

SEARCH = "/search/repositories?q=stars:%3E1&per_page=5"


async def test_status_headers_and_body_are_replaced(sample):
    """A secondary limit: the third search is refused, the fourth is answered; rate headers stay."""
    body = json.dumps({"message": "You have exceeded a secondary rate limit."}).encode()
    sample.app[FAULTS].add(Fault("/search", after=2, status=403, headers={"Retry-After": "7"}, body=body))
    for status in (200, 200, 403, 200):
        answer, headers = await sample.get(SEARCH, status=status)
        assert headers["X-RateLimit-Resource"] == "search"
        if status == 403:
            assert headers["Retry-After"] == "7"
            assert "secondary rate limit" in answer["message"]


async def test_true_body_can_be_changed(sample):
    """Incomplete results: only that word of the answer is another."""
    true, _ = await sample.get(SEARCH)
    sample.app[FAULTS].add(
        Fault(
            "/search",
            body=lambda body: body.replace(b'"incomplete_results":false', b'"incomplete_results":true'),
        )
    )
    changed, _ = await sample.get(SEARCH)
    assert changed == true | {"incomplete_results": True}


async def test_header_can_be_taken_away(sample):
    """A full page without a Link header."""
    sample.app[FAULTS].add(Fault("/search", headers={"Link": None}))
    _, headers = await sample.get(SEARCH)
    assert "Link" not in headers
    assert "Link" in (await sample.get(SEARCH))[1]


async def test_html_instead_of_json(sample):
    """A gateway's page: status, type and body are as told."""
    sample.app[FAULTS].add(
        Fault("/search", status=502, headers={"Content-Type": "text/html"}, body=b"<h1>502 Bad Gateway</h1>")
    )
    async with sample.session.get(SEARCH) as answer:
        assert (answer.status, answer.content_type) == (502, "text/html")
        assert await answer.text() == "<h1>502 Bad Gateway</h1>"


async def test_dropped_connection(sample):
    """The client sees the connection close, the next request is answered."""
    sample.app[FAULTS].add(
        Fault("/search", times=2, drop=True)
    )  # aiohttp itself tries a reused connection again
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await sample.get(SEARCH)
    sample.app[FAULTS].clear()
    await sample.get(SEARCH)
    assert [request.status for request in sample.app[REQUEST_LOG].requests][-1] == 200
    assert {request.status for request in list(sample.app[REQUEST_LOG].requests)[:-1]} == {0}


async def test_body_that_ends_too_early(sample):
    """The whole length is announced, part of it arrives."""
    sample.app[FAULTS].add(Fault("/search", cut_to=100))
    async with sample.session.get(SEARCH) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_a_connection_that_is_reset(sample):
    """The client learns that nobody is there any more, before the body or inside it."""
    sample.app[FAULTS].add(Fault("/search", times=2, drop=True, reset=True))
    with pytest.raises(aiohttp.ClientOSError, match="reset by peer"):
        await sample.get(SEARCH)
    sample.app[FAULTS].clear()
    sample.app[FAULTS].add(Fault("/search", times=2, cut_to=100, reset=True))
    with pytest.raises(aiohttp.ClientError):
        await sample.get(SEARCH)


async def test_a_body_that_never_ends(sample):
    """Bytes keep coming, so that only the time of the whole request ends it."""
    sample.app[FAULTS].add(Fault("/search", drip_s=0.01))
    async with sample.session.get(SEARCH, timeout=aiohttp.ClientTimeout(total=0.3)) as answer:
        assert await answer.content.readexactly(3) == b"   "
        with pytest.raises(TimeoutError):
            await answer.read()


async def test_delay_outlasts_a_client_that_does_not_wait(sample):
    """A hanging answer runs into the client's timeout."""
    sample.app[FAULTS].add(Fault("/search", delay_s=30))
    with pytest.raises(TimeoutError):
        await sample.session.get(SEARCH, timeout=aiohttp.ClientTimeout(total=0.05))


async def test_log_has_every_request(sample):
    """Requests are written down as sent, with their answers, in the order of arrival when one by one."""
    await sample.get(SEARCH)
    await sample.get("/nowhere?a=%3E", status=404)
    seen = [
        (r.method, r.path_qs, r.status, r.resource, r.in_flight) for r in sample.app[REQUEST_LOG].requests
    ]
    assert seen == [("GET", SEARCH, 200, "search", 1), ("GET", "/nowhere?a=%3E", 404, "core", 1)]
    first, second = sample.app[REQUEST_LOG].requests
    assert first.at_s < second.at_s


async def test_log_counts_what_is_in_flight(serve):
    """With latency, requests sent at once are in flight together; afterwards none is."""
    served = await serve(latency_s=0.2)
    await asyncio.gather(*(served.get(SEARCH) for _ in range(7)))
    log = served.app[REQUEST_LOG]
    assert (log.most_in_flight, log.in_flight) == (7, 0)
    assert [request.in_flight for request in sorted(log.requests, key=lambda r: r.at_s)] == list(range(1, 8))


async def test_latency_is_waited_before_each_answer(serve):
    """An answer never comes sooner than the latency."""
    served = await serve(latency_s=0.1)
    loop = asyncio.get_running_loop()
    started_at_s = loop.time()
    await served.get(SEARCH)
    assert loop.time() - started_at_s >= 0.1


async def test_listener_is_told_of_each_request(serve):
    """on_request gets what the log gets."""
    heard = []
    served = await serve(on_request=heard.append)
    await served.get(SEARCH)
    assert heard == list(served.app[REQUEST_LOG].requests)
