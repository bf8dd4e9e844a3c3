"""What is not repeatable is sent at most once, wherever the connection is cut: the server counts."""

import asyncio
import socket

import aiohttp
import pytest

from include.http.errors import RequestFailed, RequestOutcomeUnknown
from include.http.pacing import Pacer
from include.http.request_cost import RequestCost
from include.http.retries import with_retries
from tests.integration.http.cutting_server import STAGES

UNSAFE = ["POST", "PATCH", "PUT", "DELETE"]
BODY = {"title": "a"}


def stages_of(stage, connection):
    """Cut the first request of a connection, or the second one."""
    return [stage] if connection == "fresh" else ["whole", stage]


async def warm_up(client, connection):
    """Leave a connection that is kept alive, where one is asked for."""
    if connection == "kept":
        await client.get("first")


@pytest.mark.parametrize("connection", ["fresh", "kept"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_aiohttp_by_itself_sends_twice(serve_cutting, connection, method):
    """Why it takes care: without any of ours the server gets the same request two times."""
    server = await serve_cutting(*stages_of("no byte", connection))
    async with aiohttp.ClientSession() as session:
        for name in [method] if connection == "fresh" else ["GET", method]:
            async with session.request(name, server.url, json=BODY) as response:
                await response.read()
    assert server.seen[method] == 2


@pytest.mark.parametrize("connection", ["fresh", "kept"])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("method", UNSAFE)
async def test_a_lost_answer_is_unknown(serve_cutting, make_client, connection, stage, method):
    """One request at the server, none again, and an error that says so, with the status if one came."""
    server, cost = await serve_cutting(*stages_of(stage, connection)), RequestCost()
    async with make_client(server.url) as client:
        await warm_up(client, connection)
        with pytest.raises(RequestOutcomeUnknown, match=rf"{method} .*/x: outcome unknown") as lost:
            await client.send(client.request(method, body=BODY), cost)
        assert lost.value.status == STAGES[stage][1]
        # The client goes on: the next request is answered.
        assert (await client.get("next"))[0].status == 200
    assert server.seen[method] == 1
    assert (cost.requests, cost.retries) == (1, 0)


@pytest.mark.parametrize("connection", ["fresh", "kept"])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("method", "repeatable"), [("GET", None), ("POST", True), ("PUT", True)], ids=["GET", "POST", "PUT"]
)
async def test_what_is_repeatable_is_asked_again(
    serve_cutting, make_client, connection, stage, method, repeatable
):
    """Until it is answered; each request that was sent is counted."""
    server, cost = await serve_cutting(*stages_of(stage, connection)), RequestCost()
    async with make_client(server.url) as client:
        await warm_up(client, connection)
        answer, _ = await client.send(client.request(method, body=BODY, repeatable=repeatable), cost)
    assert answer.body == b'{"done": true}'
    before = 1 if connection == "kept" and method == "GET" else 0
    assert server.seen[method] - before == cost.requests == 2


@pytest.mark.parametrize("method", UNSAFE)
async def test_an_error_of_the_second_connection_says_nothing_of_the_first(
    serve_cutting, make_client, method
):
    """The server is gone when aiohttp connects again: "cannot connect", but the request had been sent."""
    server = await serve_cutting("whole", "no byte", deaf=True)
    async with make_client(server.url) as client:
        await client.get("first")
        with pytest.raises(RequestOutcomeUnknown):
            await client.send(client.request(method, body=BODY))
    assert server.seen[method] == 1


async def test_what_did_not_leave_is_sent_as_soon_as_it_can_be(serve_cutting, make_client):
    """Nobody listens at first: no request is lost, none is sent twice."""
    server = await serve_cutting()
    await server.stop()
    async with make_client(server.url, attempts=9) as client:
        sending = asyncio.create_task(client.send(client.request("POST", body=BODY)))
        await asyncio.sleep(0.05)
        await server.start(server.port)
        answer, _ = await sending
    assert (answer.status, server.seen["POST"], client.retries.spent > 0) == (200, 1, True)


@pytest.mark.parametrize("failure", [OSError, TimeoutError, aiohttp.ClientError])
async def test_a_caller_that_fails_after_the_answer_is_no_lost_connection(serve, make_client, failure):
    """A full disk where the answer is to be kept looks like one that did not leave: it is not sent again."""
    server, cost = await serve(), RequestCost()
    async with make_client(server.url) as client:
        request, transport = client.request("POST", body=BODY), client.transport

        async def ask_and_keep():
            await transport.ask(request, cost)
            raise failure("No space left on device")

        with pytest.raises(RequestOutcomeUnknown, match="No space left"):
            await with_retries(
                ask_and_keep,
                request,
                cost,
                client.retries,
                transport.bounds,
                without_secrets=transport.without_secrets,
            )
    assert (server.seen.count, cost.requests) == (1, 1)


async def test_what_never_left_has_failed_and_is_not_unknown(make_client):
    """The last attempt too found nobody: the caller may send it later."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    cost = RequestCost()
    async with make_client(url, attempts=3) as client:
        with pytest.raises(RequestFailed, match=r"failed 3 times.*ClientConnectorError"):
            await client.send(client.request("POST", body=BODY), cost)
    assert cost.requests == 0


async def test_a_handshake_that_fails_sends_nothing(serve_cutting, make_client):
    """The other side speaks no TLS."""
    server, cost = await serve_cutting(), RequestCost()
    async with make_client(server.url.replace("http:", "https:"), attempts=2, timeout_s=0.5) as client:
        with pytest.raises(RequestFailed):
            await client.send(client.request("POST", body=BODY), cost)
    assert (cost.requests, server.seen.total()) == (0, 0)


@pytest.mark.parametrize("connection", ["fresh", "kept"])
async def test_a_connection_that_was_closed_before_its_turn(serve_cutting, make_client, connection):
    """Is found out before anything is sent on it: another one is taken."""
    server, cost = await serve_cutting(*stages_of("unread", connection)), RequestCost()

    class AfterTheServerHungUp(Pacer):
        async def wait(self) -> None:
            await super().wait()
            if connection == "fresh" or server.seen:  # else it is the turn of the request before
                await server.hung_up.wait()
                await asyncio.sleep(0.01)  # sockets are read before timers run, however late that is

    async with make_client(server.url, pacer=AfterTheServerHungUp) as client:
        await warm_up(client, connection)
        answer, _ = await client.send(client.request("POST", body=BODY), cost)
    assert (answer.status, server.seen["POST"], server.connections, cost.requests) == (200, 1, 2, 1)


async def test_no_answer_in_time_is_unknown(serve, make_client):
    """The server may still be at it."""

    async def hang(_request):
        await asyncio.sleep(5)

    server = await serve(hang)
    async with make_client(server.url, timeout_s=0.1) as client:
        with pytest.raises(RequestOutcomeUnknown, match="Timeout"):
            await client.send(client.request("POST", body=BODY))
    assert server.seen.count == 1


async def test_a_caller_that_is_cancelled_hears_that_alone(serve, make_client):
    """It knows that its request may have been sent."""
    arrived = asyncio.Event()

    async def hang(_request):
        arrived.set()
        await asyncio.sleep(5)

    server = await serve(hang)
    async with make_client(server.url) as client:
        sending = asyncio.create_task(client.send(client.request("POST", body=BODY)))
        await arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    assert server.seen.count == 1
