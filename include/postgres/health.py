"""Is PostgreSQL well enough to start work that rests on it?"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt

from include.postgres.errors import PostgresRefused, PostgresUnreachable, PostgresUnwell

logger = logging.getLogger(__name__)

SQL = Path(__file__).with_name("health.sql").read_text()
ADDRESS = "check host and port"
# The driver gives no SQLSTATE for a refused connection, so the text has to do; an unknown one (another
# language, another proxy) still gets the server's line and OTHERWISE. The first sign found decides.
NEXT_STEPS = {
    "resolve host": "check host",
    "refused": ADDRESS,
    "no such file": ADDRESS,
    "unreachable": ADDRESS,
    "timeout expired": ADDRESS,
    "name or service not known": "check host",
    "password authentication failed": "check login and password",
    "no password supplied": "fill in password",
    "starting up": "wait until the server is up",
    "shutting down": "wait until the server is up",
    "too many": "wait, or raise the limit of connections",
    "connection slots": "wait, or raise max_connections",
    "pg_hba.conf": "check login and schema, or let this host in (pg_hba.conf)",
    "role ": "check login",
    "database ": "check schema, which holds the name of the database",
    "certificate": "check extra.sslrootcert",
    "ssl": "check extra.sslmode",
}
# What no retry helps against: classes of SQLSTATE, and words where the driver gives none.
REFUSED_STATES = ("28", "3D000")
REFUSED_SIGNS = (
    "password authentication failed",
    "no password supplied",
    "pg_hba.conf",
    "not permitted to log in",
    "does not exist",
    "permission denied for database",
)
OTHERWISE = "check host, port, login, password and schema"


class PostgresHealth(BaseModel):
    """The state of a server and one database at one moment.

    Attributes: version; latency_ms of one round trip; connections_used (ours included) of connections_max;
    oldest_transaction_s, age of the oldest open or prepared one but ours, None: there is none;
    replication_lag_s and replication_lag_bytes, of the slowest replica or of this, None: no replica (trust
    the bytes on a primary: its seconds stand still while a replica replays nothing); database_bytes;
    in_recovery: the server is a replica and read-only, a fact and not an illness; sees_all: False if the role
    lacks pg_read_all_stats, then oldest_transaction_s knows only its own sessions and the lag is None.
    """

    model_config = ConfigDict(frozen=True)
    version: str
    latency_ms: NonNegativeFloat
    connections_used: NonNegativeInt
    connections_max: NonNegativeInt
    oldest_transaction_s: float | None
    replication_lag_s: float | None
    replication_lag_bytes: int | None
    database_bytes: NonNegativeInt
    in_recovery: bool
    sees_all: bool

    def __str__(self) -> str:
        return (
            f"PostgreSQL {self.version}{', a replica' * self.in_recovery}: {self.latency_ms:.1f} ms, "
            f"{self.connections_used} of {self.connections_max} connections, "
            f"oldest transaction {_seconds(self.oldest_transaction_s)}, "
            f"replication lag {_seconds(self.replication_lag_s)}, database {self.database_bytes / 1e6:.1f} MB"
            f"{'' if self.sees_all else ', own sessions only (GRANT pg_read_all_stats shows all)'}"
        )


class HealthLimits(BaseModel):
    """From where on a server is unwell: connections_share of the maximum (0..1), seconds, bytes."""

    model_config = ConfigDict(frozen=True)
    connections_share: float = 0.9
    oldest_transaction_s: float = 3600.0
    replication_lag_s: float = 300.0
    replication_lag_bytes: int = 2**30
    latency_s: float = 5.0


def find_reasons(health: PostgresHealth, limits: HealthLimits) -> tuple[str, ...]:
    """Return one sentence for each limit that `health` exceeds; empty for a server that is well."""
    share = health.connections_used / max(health.connections_max, 1)
    oldest_s, lag_s = health.oldest_transaction_s or 0.0, health.replication_lag_s or 0.0
    lag_mb, lag_limit_mb = (health.replication_lag_bytes or 0) / 1e6, limits.replication_lag_bytes / 1e6
    latency_s = health.latency_ms / 1000
    checks = [
        (
            share >= limits.connections_share,
            (
                f"{health.connections_used} of {health.connections_max} connections are used "
                f"(limit {limits.connections_share:.0%})"
            ),
        ),
        (
            oldest_s > limits.oldest_transaction_s,
            (f"a transaction is open for {oldest_s:.0f} s (limit {limits.oldest_transaction_s:.0f} s)"),
        ),
        (
            lag_s > limits.replication_lag_s,
            f"replication is {lag_s:.0f} s behind (limit {limits.replication_lag_s:.0f} s)",
        ),
        (
            lag_mb > lag_limit_mb,
            f"replication is {lag_mb:.1f} MB behind (limit {lag_limit_mb:.1f} MB)",
        ),
        (
            latency_s > limits.latency_s,
            f"one round trip takes {latency_s:.3g} s (limit {limits.latency_s:g} s)",
        ),
    ]
    return tuple(reason for exceeded, reason in checks if exceeded)


async def check_health(
    pool: AsyncConnectionPool[Any], connection: str, limits: HealthLimits, timeout_s: float
) -> PostgresHealth:
    """Ask the server for its state, once; the pool is opened here and closed in any case.

    Args: pool: not open yet. connection: its id, for messages. timeout_s: for everything together.
    Raises: PostgresUnreachable: no answer, or refused. PostgresUnwell: it answers but exceeds a limit.
    """
    try:
        async with asyncio.timeout(timeout_s), pool:
            health = await _read(pool)
    except (PoolTimeout, psycopg.errors.ConnectionTimeout) as error:
        reason = f"no connection within {pool.timeout:g} s"
        raise PostgresUnreachable(connection, reason, ADDRESS) from error
    except TimeoutError as error:
        reason = f"connected, but no answer within {timeout_s:g} s"
        raise PostgresUnreachable(connection, reason, "look for locks and load on the server") from error
    except psycopg.Error as error:
        raise unreachable(connection, error) from error
    if reasons := find_reasons(health, limits):
        raise PostgresUnwell(connection, reasons)
    logger.info("connection %r: %s", connection, health)
    return health


def explain(error: Exception) -> tuple[str, str]:
    """Return the first line of what psycopg, psycopg2 or the server said, and the next step it calls for."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    line = lines[0].removeprefix("connection failed: ")
    return line, next((step for sign, step in NEXT_STEPS.items() if sign in _said(line)), OTHERWISE)


def unreachable(connection: str, error: Exception) -> PostgresUnreachable:
    """Return the error of what psycopg, psycopg2 or the server said when `connection` was opened or asked."""
    line, next_step = explain(error)
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
    is_refused = state.startswith(REFUSED_STATES) or any(sign in _said(line) for sign in REFUSED_SIGNS)
    return (PostgresRefused if is_refused else PostgresUnreachable)(connection, line, next_step)


def _said(line: str) -> str:
    return line.rpartition("failed: ")[2].lower()  # without the address, which may hold any word


async def _read(pool: AsyncConnectionPool[Any]) -> PostgresHealth:
    clock = asyncio.get_running_loop().time
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SET TRANSACTION READ ONLY")
        began = clock()
        await cursor.execute("SELECT 1")
        latency_ms = (clock() - began) * 1000
        await cursor.execute(SQL)
        return PostgresHealth.model_validate({**(await cursor.fetchone() or {}), "latency_ms": latency_ms})


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:.0f} s"
