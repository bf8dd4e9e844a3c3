"""The app under /stagehouse: routes, refusals, and what lives from the API server's start to its end."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from stagehouse.hooks.connection_fields import BadConnection
from stagehouse.hooks.postgres_hook import StagehousePostgresHook
from stagehouse.hooks.storage_roots import BadVariable, StorageAway
from stagehouse.ui import (
    api_calls,
    data,
    database,
    events,
    inbox,
    phrase_views,
    runs,
    shop,
    static,
    top_repositories,
    uploads,
)
from stagehouse.ui.access import signed_in
from stagehouse.ui.archive import NotPublished, UnreadableIndex
from stagehouse.ui.metrics import add_metrics
from stagehouse.ui.monitored import Monitor
from stagehouse.ui.responses import add_headers, refusal

logger = logging.getLogger(__name__)

MEANING = {
    401: "Not signed in, or the session has ended: sign in to Airflow again",
    403: "Your role in Airflow may not see this: it follows the right to read the DAG",
    404: "There is no such page",
}
NOT_READABLE = (
    "The reports cannot be read: see that the Airflow variable 'reports_root' names the directory that the "
    "DAGs render into, and that the API server's user may read all of it. The log of the API server tells "
    "which file is meant, and what is wrong"
)


def create_app() -> FastAPI:
    """Return the app. Every route asks Airflow who is there, and whether that user may read the DAG."""
    # A slash too few is not mended by a redirect: that would answer before anybody is asked who they are.
    app = FastAPI(
        title="Stagehouse pages",
        lifespan=_lifespan,
        dependencies=[signed_in()],
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.middleware("http")(add_headers)
    for module in (
        static,
        data,
        phrase_views,
        top_repositories,
        api_calls,
        shop,
        events,
        inbox,
        uploads,
        runs,
        database,
    ):
        app.include_router(module.router)
    app.state.monitor = Monitor()
    add_metrics(app)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(NotPublished, _not_published)
    for mistake in (BadVariable, BadConnection, StorageAway, UnreadableIndex):
        app.add_exception_handler(mistake, _not_ready)
    app.add_exception_handler(OSError, _not_readable)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold the pool of Postgres connections while the server runs.

    Starlette runs no lifespan of a mounted app, but Airflow's own lifespan enters that of every mounted
    FastAPI object (airflow.api_fastapi.app.lifespan): once in each worker of the server, on its event loop.
    """
    app.state.hook = StagehousePostgresHook()
    async with database.create_pool(app.state.hook) as app.state.postgres:
        yield


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    return refusal(request, error.status_code, MEANING.get(error.status_code, error.detail))


def _not_published(request: Request, error: Exception) -> Response:
    return refusal(request, 404, str(error))


def _not_ready(request: Request, error: Exception) -> Response:
    logger.error("%s", error)
    return refusal(request, 503, str(error))


def _not_readable(request: Request, error: Exception) -> Response:
    logger.error("%s", error, exc_info=error)
    return refusal(request, 503, NOT_READABLE)
