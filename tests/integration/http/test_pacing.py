"""Rate and concurrency, as the server sees them."""

import asyncio
import time
from itertools import pairwise

from aiohttp import web

from include.http.pacing import CATCH_UP_S, GUARD, LEAST_DISTANCE, Pacer
from include.http.request_cost import RequestCost

JITTER_S = 0.025  # of two processes' worth of work on one busy machine
CLOCK_S = 0.001  # between a turn and the look at the clock


async def _ask_often(client, times):
    async with client:
        cost = RequestCost()
        await asyncio.gather(*(client.get(str(n), cost) for n in range(times)))
    return cost


async def test_never_more_than_told_in_any_second(serve, make_client):
    """40 requests at 20/s: no second holds more than 20, they are evenly spaced, and the first waits too."""
    server = await serve()
    loop = asyncio.get_running_loop()
    begin = loop.time()
    cost = await _ask_often(make_client(server.url, rps=20), 40)
    seen = server.seen
    assert seen.worst_second() <= 20
    assert min(seen.gaps()) > LEAST_DISTANCE * GUARD / 20 - JITTER_S
    assert seen.at[0] - begin > 1 / 20
    assert (seen.count, cost.requests) == (40, 40)


async def test_a_stall_is_not_caught_up(serve, make_client):
    """After half a second without a request the next ones do not hurry."""
    server = await serve()
    async with make_client(server.url, rps=20) as client:
        for pause_s in (0, 0.5):
            await asyncio.sleep(pause_s)
            await asyncio.gather(*(client.get(str(n)) for n in range(10)))
    burst = server.seen.at[10:]
    assert burst[-1] - burst[0] > 9 * GUARD / 20 - CATCH_UP_S - JITTER_S


async def test_slow_connections_do_not_bunch_requests(make_client):
    """Connections that all become ready at the same moment still send one at a time."""
    seen, ready = [], asyncio.Event()

    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        seen.append(asyncio.get_running_loop().time())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, make_client(f"http://127.0.0.1:{port}", rps=20) as client:
        await client.get("first")  # until its answer, one request goes alone
        resolve = client.transport._session.connector._resolve_host

        async def slow_resolve(*args, **kwargs):
            await ready.wait()
            return await resolve(*args, **kwargs)

        client.transport._session.connector._resolve_host = slow_resolve
        asyncio.get_running_loop().call_later(0.5, ready.set)
        await asyncio.gather(*(client.get(str(n)) for n in range(5)))
    assert min(b - a for a, b in pairwise(seen)) > LEAST_DISTANCE * GUARD / 20 - JITTER_S


async def test_never_more_in_flight_than_told(serve, make_client):
    """With slow answers the bound is reached and not passed."""

    async def slow(_request):
        await asyncio.sleep(0.05)
        return web.json_response([])

    server = await serve(slow)
    await _ask_often(make_client(server.url, concurrent=3), 20)
    assert server.seen.most_in_flight == 3


async def test_queueing_is_not_timed(serve, make_client):
    """A request may queue for its turn longer than timeout_s, which is about the server alone."""
    server = await serve()
    cost = await _ask_often(make_client(server.url, rps=10, concurrent=4, timeout_s=0.2), 4)
    assert (cost.requests, cost.retries) == (4, 0)


async def test_a_dropped_idle_connection_is_asked_again_at_the_same_pace(make_client):
    """Aiohttp repeats a GET on a connection that the server closed: paced and counted like any other."""
    seen = []

    async def handle(reader, writer):
        # Answers once, then hangs up on the second request of the connection.
        for answer in (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]", b""):
            await reader.readuntil(b"\r\n\r\n")
            seen.append(asyncio.get_running_loop().time())
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cost = RequestCost()
    async with server, make_client(f"http://127.0.0.1:{port}", rps=20) as client:
        for n in range(2):
            await client.get(str(n), cost)
    assert (len(seen), cost.requests, cost.retries) == (3, 3, 0)
    assert min(b - a for a, b in pairwise(seen)) > LEAST_DISTANCE * GUARD / 20 - JITTER_S


async def test_a_cancelled_waiter_gives_its_turn_back():
    """Cancelling one caller neither blocks nor hurries the others."""
    pacer, loop = Pacer(50), asyncio.get_running_loop()
    begin = loop.time()
    waiters = [asyncio.create_task(pacer.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiters[1].cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    assert 2 * pacer.interval_s - CLOCK_S < loop.time() - begin < 1


async def test_late_wake_ups_take_nothing_of_the_second():
    """Whatever holds the process up, a second of the promised rate takes a second and the guard band."""
    pacer, loop, rate = Pacer(30), asyncio.get_running_loop(), 30
    left = []
    for number in range(2 * rate):
        await pacer.wait()
        left.append(loop.time())
        time.sleep((number * 7 % 5) * 0.01)  # noqa: ASYNC251 - holds the loop up, as a busy processor does
    assert min(b - a for a, b in zip(left, left[rate:], strict=False)) > GUARD - CLOCK_S
