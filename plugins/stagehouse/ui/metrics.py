"""GET /stagehouse/metrics, for Prometheus: what it shows is read when it asks, by a token of its own."""

from __future__ import annotations

import hmac
import logging
import os

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from include.monitoring.metrics import CONTENT_TYPE, exposition

log = logging.getLogger(__name__)

TOKEN = "STAGEHOUSE_METRICS_TOKEN"  # noqa: S105 - the name of the variable
SHORTEST = 32
_SCHEME = b"bearer "


def add_metrics(app: FastAPI) -> None:
    """Add the route, which has a token of its own: users' end after a day. Without one it is not there.

    The token is no Airflow variable: a database that hangs would hang who asks for metrics of it.
    """
    token = _token()
    if not token:
        return

    async def metrics(request: Request) -> Response:
        given = dict(request.headers.raw).get(b"authorization", b"")
        # Bytes: a token that is not ASCII is a wrong one, not an error.
        if given[: len(_SCHEME)].lower() != _SCHEME or not hmac.compare_digest(given[len(_SCHEME) :], token):
            return Response(
                "A token is needed\n", 401, {"WWW-Authenticate": "Bearer"}, media_type="text/plain"
            )
        body = await run_in_threadpool(lambda: exposition(app.state.monitor.read()))
        return Response(body, headers={"Content-Type": CONTENT_TYPE})

    app.add_route("/metrics", metrics)


def _token() -> bytes:
    token = os.fsencode(os.environ.get(TOKEN, "")).strip()
    if token and len(token) < SHORTEST:
        log.error(
            "%s has fewer than %d characters: there are no metrics. Next: make it longer", TOKEN, SHORTEST
        )
        return b""
    return token
