"""The health check against a real server, well and unwell."""

import contextlib
from collections.abc import Iterator

import psycopg
import psycopg2
import pytest
from psycopg_pool import AsyncNullConnectionPool

from include.errors import PermanentError
from include.postgres.errors import PostgresUnreachable, PostgresUnwell
from include.postgres.health import HealthLimits, PostgresHealth, check_health
from tests.servers.postgres import MAX_CONNECTIONS, PostgresServer


async def check(
    server: PostgresServer, limits: HealthLimits | None = None, **changes: object
) -> PostgresHealth:
    """Check `server` with `changes` to its parameters; the pool must be closed after it."""
    pool = AsyncNullConnectionPool(kwargs=server.parameters | changes, max_size=1, open=False, timeout=2)
    try:
        return await check_health(pool, "postgres_default", limits or HealthLimits(), timeout_s=3)
    finally:
        assert pool.closed


@contextlib.contextmanager
def connections(server: PostgresServer, count: int, **changes: object) -> Iterator[list]:
    """Hold `count` connections open."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(server.connect(**changes))) for _ in range(count)]


def ran_out(server: PostgresServer, **changes: object) -> list:
    """Open connections until the server refuses the next."""
    opened = []
    with contextlib.suppress(psycopg2.OperationalError):
        while True:
            opened.append(server.connect(**changes))
    return opened


async def test_a_server_that_is_well(postgres_server: PostgresServer, postgres_database: str):
    """Tells the facts as the server's own tools do."""
    health = await check(postgres_server, dbname=postgres_database)
    assert health.version == "18.6"
    assert 0 < health.latency_ms < 3000
    assert 1 <= health.connections_used < MAX_CONNECTIONS == health.connections_max
    assert (health.oldest_transaction_s, health.in_recovery, health.sees_all) == (None, False, True)
    with postgres_server.connect(dbname=postgres_database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        assert cursor.fetchone() == (health.database_bytes,)
    connection.close()


async def test_over_a_unix_socket(postgres_server: PostgresServer):
    """Takes the directory of a Unix socket as the host."""
    health = await check(postgres_server, host=str(postgres_server.directory), password="")
    assert health.version == "18.6"


async def test_a_forgotten_transaction(postgres_server: PostgresServer):
    """Fails with the age of a transaction that somebody left open, and is well once it ends."""
    limits = HealthLimits(oldest_transaction_s=0.0)
    with contextlib.closing(postgres_server.connect()) as idle:
        idle.autocommit = False
        idle.cursor().execute("SELECT 1")
        with pytest.raises(PostgresUnwell, match=r"a transaction is open for 0 s \(limit 0 s\)"):
            await check(postgres_server, limits)
    assert (await check(postgres_server, limits)).oldest_transaction_s is None


async def test_a_forgotten_prepared_transaction(postgres_server: PostgresServer):
    """Counts a prepared transaction, which no session shows."""
    with contextlib.closing(postgres_server.connect()) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN; CREATE TABLE forgotten (n int); PREPARE TRANSACTION 'forgotten'")
        try:
            with pytest.raises(PostgresUnwell, match="pg_prepared_xacts"):
                await check(postgres_server, HealthLimits(oldest_transaction_s=0.0))
        finally:
            cursor.execute("ROLLBACK PREPARED 'forgotten'")


async def test_a_crowded_server(postgres_server: PostgresServer):
    """Fails when more than nine tenths of the connections are used, ours included.

    One more may be counted: a session of an earlier test that is still ending.
    """
    said = r"(19|20) of 20 connections are used \(limit 90%\)"
    with connections(postgres_server, 18), pytest.raises(PostgresUnwell, match=said):
        await check(postgres_server)
    assert (await check(postgres_server)).connections_used < 18


@pytest.mark.parametrize(("role", "said"), [("reader", "connection slots"), ("postgres", "too many clients")])
async def test_no_connection_left(postgres_server: PostgresServer, role: str, said: str):
    """Says so when the server has no connection left, for a role without and with the reserved ones."""
    password = {"reader": postgres_server.reader_password, "postgres": postgres_server.password}[role]
    opened = ran_out(postgres_server, user=role, password=password)
    try:
        with pytest.raises(PostgresUnreachable, match=said) as refusal:
            await check(postgres_server, user=role, password=password)
    finally:
        for connection in opened:
            connection.close()
    assert refusal.value.next_step.startswith("wait, or raise")


@pytest.mark.parametrize(
    ("changes", "said", "next_step", "permanent"),
    [
        (
            {"password": "wr0ng-s3cret"},
            'password authentication failed for user "postgres"',
            "check login and password",
            True,
        ),
        ({"password": ""}, "no password supplied", "fill in password", True),
        (
            {"user": "nobody_here"},
            'password authentication failed for user "nobody_here"',
            "check login and password",
            True,
        ),
        ({"dbname": "nowhere"}, 'database "nowhere" does not exist', "check schema", True),
        ({"sslmode": "require"}, "server does not support SSL", "check extra.sslmode", False),
        ({"host": "no-such-host.invalid"}, "resolve host", "check host", False),
        ({"host": "/nowhere"}, "No such file or directory", "check host and port", False),
    ],
)
async def test_a_refusal(
    postgres_server: PostgresServer, changes: dict, said: str, next_step: str, permanent: bool
):
    """Gives one line with the connection, what the server said and the field to fix, and no password.

    What no retry helps says so.
    """
    with pytest.raises(PostgresUnreachable) as refusal:
        await check(postgres_server, **changes)
    line = str(refusal.value)
    assert line.startswith("connection 'postgres_default': ")
    assert said in line
    assert isinstance(refusal.value, PermanentError) is permanent
    assert refusal.value.next_step.startswith(next_step)
    assert "\n" not in line
    assert "s3cret" not in line


async def test_an_unknown_role_over_the_socket(postgres_server: PostgresServer):
    """Names login when the server does not know the role."""
    with pytest.raises(PostgresUnreachable, match=r'role "nobody_here" does not exist\. Next: check login'):
        await check(postgres_server, host=str(postgres_server.directory), user="nobody_here")


async def test_a_stopped_server(postgres_server: PostgresServer):
    """Says that the server refuses while it is stopped, and is well as soon as it is back."""
    postgres_server.stop()
    try:
        with pytest.raises(PostgresUnreachable, match=r"Connection refused\. Next: check host and port"):
            await check(postgres_server)
    finally:
        postgres_server.start()
    assert (await check(postgres_server)).version == "18.6"


async def test_nobody_listens(postgres_server: PostgresServer, closed_port: int):
    """Names host and port where nobody listens, also for a name with two addresses."""
    with pytest.raises(
        PostgresUnreachable, match=rf"port {closed_port} failed: .*refused\. Next: check host and port"
    ):
        await check(postgres_server, host="localhost", port=closed_port)


async def test_a_port_that_never_answers(postgres_server: PostgresServer, silent_port: int):
    """Gives up in time on a port that accepts and stays silent."""
    with pytest.raises(PostgresUnreachable, match=r"no connection within 2 s\. Next: check host and port"):
        await check(postgres_server, port=silent_port)


async def test_a_server_that_hangs(postgres_server: PostgresServer):
    """Gives up in time on a server whose answer never comes, and leaves nothing behind on it."""
    with contextlib.closing(postgres_server.connect()) as blocker:
        blocker.autocommit = False
        blocker.cursor().execute("LOCK TABLE pg_proc")  # lets us in, and then no function can be called
        with pytest.raises(
            PostgresUnreachable, match=r"connected, but no answer within 3 s\. Next: look for locks"
        ):
            await check(postgres_server)
    assert (await check(postgres_server, HealthLimits(oldest_transaction_s=0.0))).oldest_transaction_s is None


async def test_a_role_without_rights(postgres_server: PostgresServer):
    """Says that it sees its own sessions only, and neither invents nor fails."""
    health = await check(
        postgres_server, user=postgres_server.reader, password=postgres_server.reader_password
    )
    assert (health.sees_all, health.replication_lag_s, health.replication_lag_bytes) == (False, None, None)
    assert health.connections_used >= 1


async def test_a_replica_that_keeps_up(postgres_server: PostgresServer, postgres_replica: PostgresServer):
    """Finds no lag on either side of a replication that keeps up; the replica is well and read-only."""
    wait_for_replay(postgres_server, postgres_replica)
    primary, replica = await check(postgres_server), await check(postgres_replica)
    assert (primary.in_recovery, replica.in_recovery) == (False, True)
    assert primary.replication_lag_s is not None
    assert primary.replication_lag_s < 5
    assert primary.replication_lag_bytes is not None
    assert (replica.replication_lag_s, replica.replication_lag_bytes) == (0, 0)


async def test_a_replica_that_falls_behind(postgres_server: PostgresServer, postgres_replica: PostgresServer):
    """Fails on either side while the replica does not replay what it received."""
    wait_for_replay(postgres_server, postgres_replica)
    postgres_replica.execute("SELECT pg_wal_replay_pause()")
    try:
        postgres_server.execute("SET synchronous_commit = on; CREATE TABLE unread (n int); DROP TABLE unread")
        wait_for_receipt(postgres_server, postgres_replica)
        with pytest.raises(PostgresUnwell, match=r"replication is \d+ s behind"):
            await check(postgres_replica, HealthLimits(replication_lag_s=0.0))
        with pytest.raises(PostgresUnwell, match=r"replication is \d+\.\d MB behind"):
            await check(postgres_server, HealthLimits(replication_lag_bytes=0))
    finally:
        postgres_replica.execute("SELECT pg_wal_replay_resume()")


def wait_for_replay(primary: PostgresServer, replica: PostgresServer) -> None:
    """Return when the replica has replayed all that the primary wrote until now."""
    _wait(primary, replica, "pg_last_wal_replay_lsn()")


def wait_for_receipt(primary: PostgresServer, replica: PostgresServer) -> None:
    """Return when the replica has received all that the primary wrote until now."""
    _wait(primary, replica, "pg_last_wal_receive_lsn()")


def _wait(primary: PostgresServer, replica: PostgresServer, position: str) -> None:
    with psycopg.connect(**primary.parameters) as asked:
        (written,) = asked.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
    with psycopg.connect(**replica.parameters, autocommit=True) as asked:
        for _ in range(300):
            (there,) = asked.execute(f"SELECT {position} >= %s::pg_lsn", [written]).fetchone()
            if there:
                return
            asked.execute("SELECT pg_sleep(0.1)")
    raise AssertionError(f"{position} did not reach {written}")
