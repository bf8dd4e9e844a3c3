"""The stand-in as an aiohttp application: latency, faults and the request log around the gateway."""

import asyncio
import socket
import struct
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

from aiohttp import web

from include.github_stand_in.answers import Answer
from include.github_stand_in.dataset import Dataset
from include.github_stand_in.faults import Fault, Faults
from include.github_stand_in.gateway import Gateway, resource_of, token_of
from include.github_stand_in.quota import ANONYMOUS, WITH_TOKEN, Quota
from include.github_stand_in.request_log import LoggedRequest, RequestLog

GATEWAY = web.AppKey("gateway", Gateway)
FAULTS = web.AppKey("faults", Faults)
REQUEST_LOG = web.AppKey("request_log", RequestLog)
LATENCY_S = web.AppKey("latency_s", float)


def create_app(
    dataset: Dataset,
    *,
    now: Callable[[], datetime],
    anonymous: Quota = ANONYMOUS,
    with_token: Quota = WITH_TOKEN,
    revoked_tokens: Collection[str] = (),
    latency_s: float = 0.0,
    on_request: Callable[[LoggedRequest], None] | None = None,
    graphql_schema: Path | None = None,
) -> web.Application:
    """Return the stand-in, ready for aiohttp's runners and for its TestServer.

    Args:
        dataset: what it serves; see sample.py and recorded.py.
        now: the server's clock, aware, UTC: its Date header, its quotas, the edge of the history.
        anonymous: quota of each address that sends no token; GitHub's own by default.
        with_token: quota of each token; GitHub's own by default.
        revoked_tokens: tokens answered with 401.
        latency_s: seconds before each answer.
        on_request: told of each request when it is answered.
        graphql_schema: GitHub's, a file; without it there is no GraphQL API (404).

    Returns:
        The application; app[REQUEST_LOG] holds what it saw, app[FAULTS] takes scripted misbehaviour.

    Raises:
        ValueError: two repositories share a name or an id.
    """
    app = web.Application()
    app[GATEWAY] = Gateway(dataset, now, anonymous, with_token, revoked_tokens, graphql_schema)
    app[FAULTS] = Faults()
    app[REQUEST_LOG] = RequestLog(on_request)
    app[LATENCY_S] = latency_s
    app.router.add_route("*", "/{path:.*}", _handle)
    return app


async def _handle(request: web.Request) -> web.StreamResponse:
    """Answer one request as the faults allow, and write it down."""
    log = request.app[REQUEST_LOG]
    at_s, in_flight, status = asyncio.get_running_loop().time(), log.arrive(), 0
    try:
        fault = request.app[FAULTS].take(request.path_qs, token_of(request))
        delay_s = request.app[LATENCY_S] + (fault.delay_s if fault else 0.0)
        if delay_s:
            await asyncio.sleep(delay_s)
        answer = request.app[GATEWAY].answer(request, await request.read())
        if fault is None:
            status = answer.status
            return web.Response(status=status, body=answer.body, headers=answer.headers)
        status = 0 if fault.drop else fault.status or answer.status
        return await _misbehave(request, fault, answer)
    finally:
        log.leave(
            LoggedRequest(at_s, request.method, request.path_qs, status, resource_of(request), in_flight)
        )


async def _misbehave(request: web.Request, fault: Fault, answer: Answer) -> web.StreamResponse:
    """Send what is left of an answer after a fault."""
    body = fault.rewrite(answer.body)
    changed = {name.lower() for name in fault.headers}
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in changed}
    headers |= {name: value for name, value in fault.headers.items() if value is not None}
    response = web.StreamResponse(status=fault.status or answer.status, headers=headers)
    if fault.drop:
        _hang_up(request, fault)
        return response
    if fault.drip_s is not None:
        return await _drip(request, response, fault.drip_s)
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: fault.cut_to])
    if fault.cut_to is not None:
        _hang_up(request, fault)
    return response


async def _drip(request: web.Request, response: web.StreamResponse, drip_s: float) -> web.StreamResponse:
    """Send a blank, which JSON allows, again and again, until the client has enough."""
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(drip_s)


def _hang_up(request: web.Request, fault: Fault) -> None:
    """Close the connection once what was written has left, or reset it at once."""
    if request.transport is None:
        return
    if fault.reset:
        linger_no_second = struct.pack("ii", 1, 0)
        request.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger_no_second
        )
    request.transport.close()
