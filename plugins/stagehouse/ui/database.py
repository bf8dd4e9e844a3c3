"""The version of the Postgres server, from a pool that lives as long as the API server does."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import psycopg
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from stagehouse.hooks.connection_fields import BadConnection
from stagehouse.hooks.postgres_hook import StagehousePostgresHook
from stagehouse.ui.access import may_read

logger = logging.getLogger(__name__)

PATIENCE_S = 3.0
APPLICATION = "stagehouse api-server"  # how pg_stat_activity shows us
router = APIRouter(prefix="/db")


def create_pool(hook: StagehousePostgresHook) -> AsyncConnectionPool[Any]:
    """Return a pool of one to two connections, not open yet. Opening it does not wait for Postgres.

    The connection's fields are read for each new connection, so a mended one needs no restart.
    """

    async def parameters() -> dict[str, Any]:
        found = await asyncio.to_thread(hook.parameters)
        # Nothing is prepared: behind a pooler the next statement may have another session.
        return {"application_name": APPLICATION, "autocommit": True, "prepare_threshold": None} | found

    return AsyncConnectionPool(
        kwargs=parameters,
        min_size=1,
        max_size=2,
        open=False,
        name="stagehouse",
        timeout=PATIENCE_S,
        reconnect_timeout=PATIENCE_S,  # then it waits for the next request: no knocking all night
        check=AsyncConnectionPool.check_connection,  # one that died while idle is replaced, not handed out
    )


@router.get("/version", dependencies=[may_read("postgres_health")])
async def version(request: Request) -> Any:
    """Return {"version": "..."} of the server of `postgres_default`; 503 with the reason when it is away."""
    try:
        return {"version": await _ask_with_patience(request.app.state.postgres)}
    except (PoolTimeout, TimeoutError, psycopg.Error) as error:
        reason = await asyncio.to_thread(_explain, request.app.state.hook)
        logger.warning("%s (%s)", reason, error)
        return JSONResponse({"detail": reason}, 503)


async def _ask_with_patience(pool: AsyncConnectionPool[AsyncConnection[tuple[str]]]) -> str:
    asking = asyncio.create_task(_ask(pool))
    if (await asyncio.wait({asking}, timeout=PATIENCE_S + 1))[0]:
        return asking.result()
    # Not awaited: calling off a query takes psycopg another 10 s where the server hangs.
    asking.cancel()
    asking.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    raise TimeoutError("connected, but the server hangs")


async def _ask(pool: AsyncConnectionPool[AsyncConnection[tuple[str]]]) -> str:
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT current_setting('server_version')")
        row = await cursor.fetchone()
    if row is None:
        raise psycopg.DataError("no row for the server's version")
    return row[0]


def _explain(hook: StagehousePostgresHook) -> str:
    try:
        hook.parameters()
    except BadConnection as error:
        return f"Postgres cannot be asked: {error}"
    return (
        f"Postgres gives no answer within {PATIENCE_S:g} s; the driver's words are in the log of the API "
        "server, which needs no restart afterwards. Next: see whether the server is up, and check host, "
        f"port, login, password and schema of the connection {hook.get_conn_id()!r}"
    )
