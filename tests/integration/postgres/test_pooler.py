"""Leases, the shared pace, health check and the page's pool through a real PgBouncer in transaction mode."""

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial

import psycopg
import psycopg2.extensions
import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from include.postgres.errors import LeaseLost, LeaseTaken, LeaseUnanswered
from include.postgres.health import HealthLimits, check_health
from include.postgres.lease import lease
from include.postgres.pace import SharedPacer
from stagehouse.hooks.postgres_hook import StagehousePostgresHook
from stagehouse.hooks.rescheduling import reschedule_on_wait
from stagehouse.ui.database import create_pool
from tests.integration.postgres.test_lease import process_that_holds, take_soon
from tests.servers.pgbouncer import running_pgbouncer, through
from tests.servers.postgres import PostgresServer

LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


@pytest.fixture(scope="module")
def pooler(postgres_server: PostgresServer) -> Iterator[int]:
    """The port of a pooler."""
    with running_pgbouncer(postgres_server) as port:
        yield port


@pytest.fixture
def connect(postgres_server: PostgresServer, pooler: int) -> Callable[[], psycopg2.extensions.connection]:
    """Connect through it."""
    return partial(through, postgres_server, pooler)


def test_one_holder_at_a_time(connect: Callable):
    """Also between statements, when a pooler would give an idle session to the next client."""
    with lease(connect, "publish", "run 1") as first:
        for _ in range(3):
            with pytest.raises(LeaseTaken, match="held by 'run 1'"):
                lease(connect, "publish", "run 2").__enter__()
            first.check()
        with lease(connect, "another", "run 2") as second:
            second.check()
    take_soon(connect, "publish")


def test_nothing_is_left_in_the_server(postgres_server: PostgresServer, connect: Callable):
    """The session goes back to the pooler without a lock, and without what the lease had set."""
    with lease(connect, "publish", "run 1"):
        pass
    take_soon(connect, "publish")
    with postgres_server.connect().cursor() as cursor:
        deadline = time.monotonic() + 10
        while cursor.execute(LOCKS) or cursor.fetchone() != (0,):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    with connect() as other, other.cursor() as cursor:
        cursor.execute("SHOW tcp_keepalives_idle")
        assert cursor.fetchone() != ("10",)
    other.close()


def test_a_killed_holder_leaves_nothing(postgres_server: PostgresServer, pooler: int, connect: Callable):
    """The pooler ends the session of a client that is gone in the middle of a transaction."""
    behind = PostgresServer(postgres_server.directory)
    behind.port = pooler
    with process_that_holds(behind, behind.database, "publish", "run 1") as process:
        with pytest.raises(LeaseTaken):
            lease(connect, "publish", "run 2").__enter__()
        process.kill()
        process.wait()
        take_soon(connect, "publish")


def test_a_pooler_that_ends_quiet_transactions_takes_the_lease(postgres_server: PostgresServer):
    """The holder learns it by its next check: no two believe that they hold it."""
    with running_pgbouncer(postgres_server, idle_transaction_timeout_s=0.2) as port:
        connect = partial(through, postgres_server, port)
        with lease(connect, "publish", "run 1") as held:
            take_soon(connect, "publish")
            with pytest.raises(LeaseLost):
                held.check()


def test_a_pool_without_a_free_session_is_no_lost_lease(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    """A task gives its slot back and spends no try; the text says what to look at."""
    monkeypatch.setattr("include.postgres.lease.ANSWER_WAIT_S", 0.5)
    with running_pgbouncer(postgres_server, sessions=1) as port:
        connect = partial(through, postgres_server, port)
        with lease(connect, "publish", "run 1") as held:
            with pytest.raises(AirflowRescheduleException) as waits, reschedule_on_wait():
                lease(connect, "another", "run 2").__enter__()
            assert isinstance(waits.value.__cause__, LeaseUnanswered)
            assert "a pooler before it has a session for each lease" in str(waits.value.__cause__)
            held.check()
        take_soon(connect, "another")


def test_a_pooler_by_statement_gives_no_lease(postgres_server: PostgresServer):
    """Nothing can be held where a transaction cannot stay open: nobody believes that he holds it."""
    with running_pgbouncer(postgres_server, mode="statement") as port:
        refusal = pytest.raises(LeaseLost, match="a pooler between ends transactions")
        with refusal, lease(partial(through, postgres_server, port), "publish", "run 1"):
            pass


async def test_the_pace_is_kept(postgres_server: PostgresServer, pooler: int):
    """More turns than the driver needs to prepare its statements: the next session does not know them."""
    parameters = postgres_server.parameters | {"port": pooler}
    connect = partial(psycopg.AsyncConnection.connect, **parameters, autocommit=True)
    pacers = [SharedPacer(connect, "github", 0.005, 2) for _ in range(2)]

    async def take(pacer: SharedPacer) -> None:
        for _ in range(20):
            await pacer.wait()
        await pacer.close()

    begin = time.monotonic()
    await asyncio.gather(*map(take, pacers))
    assert time.monotonic() - begin >= 0.005 * 38


async def test_a_lease_is_no_forgotten_transaction(
    postgres_server: PostgresServer, pooler: int, connect: Callable, monkeypatch: pytest.MonkeyPatch
):
    """The health check counts transactions that hold something back; of ours it says nothing."""
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", postgres_server.airflow_connection(port=pooler))
    with lease(connect, "publish", "run 1") as held:
        held.check()
        pool = StagehousePostgresHook().health_pool()
        health = await check_health(
            pool, "postgres_default", HealthLimits(oldest_transaction_s=0.0), timeout_s=20
        )
    assert health.oldest_transaction_s is None


async def test_the_pages_pool_asks_again_and_again(
    postgres_server: PostgresServer, pooler: int, connect: Callable, monkeypatch: pytest.MonkeyPatch
):
    """Also when the pooler gives it another session than before, which knows none of its statements."""
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", postgres_server.airflow_connection(port=pooler))
    async with create_pool(StagehousePostgresHook()) as pool:
        for turn in range(20):
            async with pool.connection() as connection:
                assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
            if turn % 5 == 0:
                other = connect()  # its transaction takes the session that was last used
                other.cursor().execute("SELECT 1")
            elif turn % 5 == 4:
                other.close()
