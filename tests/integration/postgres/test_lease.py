"""Leases on a real server, held by real processes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psycopg2.extensions
import pytest

from include.postgres.errors import LeaseLost, LeaseTaken
from include.postgres.lease import lease, lock_key
from tests.servers.postgres import PostgresServer

HOLD = """
import sys, psycopg2
from include.postgres.lease import lease
with lease(lambda: psycopg2.connect(sys.argv[1]), sys.argv[2], sys.argv[3]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def connect(
    postgres_server: PostgresServer, postgres_database: str
) -> Callable[[], psycopg2.extensions.connection]:
    """Connect to a database of this test's own: its leases meet no others."""
    return lambda: postgres_server.connect(dbname=postgres_database)


@contextlib.contextmanager
def process_that_holds(
    server: PostgresServer, database: str, name: str, holder: str
) -> Iterator[subprocess.Popen[str]]:
    """Hold a lease in another process until its standard input is closed."""
    conninfo = psycopg2.extensions.make_dsn(**(server.parameters | {"dbname": database}))
    command = [sys.executable, "-c", HOLD, conninfo, name, holder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def take_soon(connect: Callable[[], psycopg2.extensions.connection], name: str) -> None:
    """Take the lease as soon as the server has noticed that its holder is gone."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with lease(connect, name, "next"):
                return
        except LeaseTaken:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def test_one_holder_at_a_time(postgres_server: PostgresServer, postgres_database: str, connect: Callable):
    """Refuses a second process by the name of the first, and lets it in when the first is done."""
    with process_that_holds(postgres_server, postgres_database, "github:api", "fetch try 1") as process:
        with pytest.raises(LeaseTaken, match="'github:api' is held by 'fetch try 1'") as taken:
            lease(connect, "github:api", "fetch try 2").__enter__()
        assert (taken.value.name, taken.value.holder) == ("github:api", "fetch try 1")
        process.stdin.close()
        assert process.wait(timeout=10) == 0
    take_soon(connect, "github:api")


def test_several_leases_are_held_together(connect: Callable):
    """All or none: who has one of them keeps those out who need it too, and they hold none meanwhile."""
    with lease(connect, ["a", "b"], "first") as held:
        held.check()
        for names in (["b", "c"], ["c", "b"], ["a"]):
            with pytest.raises(LeaseTaken, match="held by 'first'"):
                lease(connect, names, "second").__enter__()
        take_soon(connect, "c")
    for name in ("a", "b"):
        take_soon(connect, name)


def test_a_killed_holder_leaves_nothing(
    postgres_server: PostgresServer, postgres_database: str, connect: Callable
):
    """Is free again soon after its holder got SIGKILL."""
    with process_that_holds(postgres_server, postgres_database, "github:api", "fetch try 1") as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        take_soon(connect, "github:api")


def test_other_names_do_not_collide(connect: Callable):
    """Holds leases of different names at the same time, also when they differ in case or a space only."""
    with contextlib.ExitStack() as stack:
        for name in ("github:api", "github:API", "github:api ", "", "имя"):
            stack.enter_context(lease(connect, name, "me"))


def test_as_many_hold_a_lease_as_it_has_places(connect: Callable):
    """The next one is told who has the first place, which is that of those who know of one; all or none."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(lease(connect, "a", "first"))
        second = stack.enter_context(contextlib.ExitStack())
        second.enter_context(lease(connect, ("a", "b"), "second", places=2))
        with pytest.raises(LeaseTaken, match="'a' is held by 'first'"):
            lease(connect, ("b", "a"), "third", places=2).__enter__()
        with pytest.raises(LeaseTaken, match="'b' is held by 'second'"):
            lease(connect, "b", "third").__enter__()
        stack.enter_context(lease(connect, "b", "third", places=2))
        second.close()
        stack.enter_context(lease(connect, "a", "fourth", places=2))


def test_a_lease_ends_with_an_error_too(connect: Callable):
    """Is free again when its block raised."""
    with pytest.raises(ZeroDivisionError), lease(connect, "github:api", "me"):
        raise ZeroDivisionError
    with lease(connect, "github:api", "me") as held:
        held.check()


def test_databases_do_not_collide(postgres_server: PostgresServer, connect: Callable):
    """Is another lease in another database, and names a holder of this database only."""
    with lease(connect, "github:api", "here"), lease(postgres_server.connect, "github:api", "there"):
        with pytest.raises(LeaseTaken, match="held by 'here'"):
            lease(connect, "github:api", "me").__enter__()
        with pytest.raises(LeaseTaken, match="held by 'there'"):
            lease(postgres_server.connect, "github:api", "me").__enter__()


@pytest.mark.parametrize("name", ["a", "b", "c", "d"])  # keys with either sign in either half
def test_the_holder_is_found_for_every_key(connect: Callable, name: str):
    """Finds the holder whatever the bits of the key."""
    with lease(connect, name, f"holder of {name}"), pytest.raises(LeaseTaken, match=f"holder of {name}"):
        lease(connect, name, "me").__enter__()


def test_keys_with_both_signs_are_tried():
    """Covers, with the names above, keys whose halves are negative and positive."""
    keys = [lock_key(name) for name in "abcd"]
    assert {key < 0 for key in keys} == {key & 0x80000000 == 0 for key in keys} == {True, False}


def test_a_lost_lease_is_noticed(postgres_server: PostgresServer, connect: Callable):
    """Raises LeaseLost once the server ended the session, and another may hold the lease then."""
    with lease(connect, "github:api", "victim") as held:
        held.check()
        postgres_server.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'lease victim'"
        )
        with lease(connect, "github:api", "next"), pytest.raises(LeaseLost, match="'github:api' is lost"):
            held.check()
        with pytest.raises(LeaseLost):
            held.check()


def test_a_stopped_server_loses_the_lease(postgres_server: PostgresServer, connect: Callable):
    """Raises LeaseLost when the server went away, and leaves the block without another error."""
    with lease(connect, "github:api", "me") as held:
        postgres_server.stop()
        try:
            with pytest.raises(LeaseLost):
                held.check()
        finally:
            postgres_server.start()


def test_the_transaction_is_set_up(postgres_server: PostgresServer, connect: Callable):
    """Shows the holder, outlives the limits of idle and long transactions, ends with its host."""
    connections = []
    with lease(lambda: connections.append(connect()) or connections[0], "github:api", "ü" * 40):
        with connections[0].cursor() as cursor:
            cursor.execute(
                "SELECT application_name, current_setting('tcp_keepalives_idle'),"
                " current_setting('idle_in_transaction_session_timeout'),"
                " current_setting('transaction_timeout') FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            )
            shown, *settings = cursor.fetchone()
        assert settings == ["10", "0", "0"]
        assert connections[0].info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_INTRANS
    assert shown
    assert connections[0].closed


def test_a_lease_outlives_what_ends_forgotten_transactions(
    postgres_server: PostgresServer, postgres_database: str, connect: Callable
):
    """The server's own limits are for those who forget: a holder is quiet for as long as its work takes."""
    for limit in ("idle_in_transaction_session_timeout", "transaction_timeout", "idle_session_timeout"):
        postgres_server.execute(f"ALTER DATABASE {postgres_database} SET {limit} = '300ms'")
    with lease(connect, "github:api", "me") as held:
        time.sleep(0.7)
        held.check()


def test_a_lease_holds_no_vacuum_back(postgres_server: PostgresServer, connect: Callable):
    """Its transaction has neither a snapshot nor a number, also after checks, and by whatever default."""
    with lease(lambda: connect_repeatable(connect), "github:api", "quiet holder") as held:
        held.check()
        with postgres_server.connect().cursor() as cursor:
            cursor.execute(
                "SELECT state, backend_xmin, backend_xid FROM pg_stat_activity"
                " WHERE application_name = 'lease quiet holder'"
            )
            assert cursor.fetchall() == [("idle in transaction", None, None)]


def connect_repeatable(connect: Callable) -> psycopg2.extensions.connection:
    """Connect as a role whose transactions keep their first snapshot by default."""
    connection = connect()
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_isolation = 'repeatable read'")
    return connection


def test_a_lock_that_is_gone_is_a_lost_lease(connect: Callable):
    """Also where the connection lives on: what was rolled back, or given to somebody else by a pooler."""
    connections = []
    with lease(lambda: connections.append(connect()) or connections[0], ("a", "b"), "me") as held:
        held.check()
        connections[0].rollback()
        with pytest.raises(LeaseLost, match="'a, b' is lost"):
            held.check()


def test_an_older_version_and_this_one_exclude_each_other(connect: Callable):
    """It takes locks of the session, of the same keys: both may be at work while an upgrade goes on."""
    older = connect()
    with older.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock_key("publish")])
        with pytest.raises(LeaseTaken):
            lease(connect, "publish", "newer").__enter__()
        cursor.execute("SELECT pg_advisory_unlock(%s)", [lock_key("publish")])
        with lease(connect, "publish", "newer"):
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock_key("publish")])
            assert cursor.fetchone() == (False,)
    older.close()
