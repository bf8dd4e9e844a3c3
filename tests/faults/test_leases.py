"""The connection to PostgreSQL, on which leases rest, is cut or falls silent."""

from collections.abc import Callable
from functools import partial

import psycopg2
import pytest

from include.postgres.errors import LeaseLost, LeaseTaken, LeaseUnanswered
from include.postgres.lease import lease
from tests.faults.proxy import AFTER, ANSWERED, BEFORE, INSIDE, Moment, Proxy
from tests.servers.postgres import PostgresServer


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent server counts as gone after half a second."""
    monkeypatch.setattr("include.postgres.lease.ANSWER_WAIT_S", 0.5)


@pytest.mark.parametrize("moment", [BEFORE, INSIDE, AFTER, ANSWERED])
def test_a_lease_whose_answer_is_lost_is_free_again(postgres: Proxy, dsn: Callable, moment: Moment):
    """Whether it was granted or not: it died with its session, and the next one gets it."""
    connect = partial(psycopg2.connect, dsn(postgres))
    postgres.reset_at(b"pg_try_advisory_xact_lock", moment)
    with pytest.raises(LeaseLost, match=r"lease 'publish' is lost, .*\. Next: .* takes it anew"):
        lease(connect, "publish", "first").__enter__()
    with lease(connect, "publish", "second") as held:
        held.check()
        with pytest.raises(LeaseTaken, match="second"):
            lease(connect, "publish", "third").__enter__()


@pytest.mark.parametrize("moment", [BEFORE, INSIDE, AFTER, ANSWERED])
def test_a_check_whose_answer_is_lost_is_a_lost_lease(postgres: Proxy, dsn: Callable, moment: Moment):
    """Nobody may assume that it is still held."""
    with lease(partial(psycopg2.connect, dsn(postgres)), "publish", "first") as held:
        postgres.reset_at(b"pg_backend_pid", moment)
        with pytest.raises(LeaseLost):
            held.check()


def test_a_server_that_falls_silent_loses_the_lease(postgres: Proxy, dsn: Callable, short_patience: None):
    """The connection stays open and nothing comes back: the holder stops waiting, and stops."""
    with lease(partial(psycopg2.connect, dsn(postgres)), "publish", "first") as held:
        held.check()
        postgres.freeze()
        with pytest.raises(LeaseLost):
            held.check()
        with pytest.raises(LeaseLost):
            held.check()


def test_a_server_that_falls_silent_while_it_is_asked(postgres: Proxy, dsn: Callable, short_patience: None):
    """No task waits for a lease without an end."""
    postgres.stop_at(b"pg_try_advisory_xact_lock")
    with pytest.raises(LeaseUnanswered, match=r"'publish': .* no answer within 0\.5 s"):
        lease(partial(psycopg2.connect, dsn(postgres)), "publish", "first").__enter__()


def test_a_lease_does_not_survive_a_restart_of_the_server(
    postgres_server: PostgresServer, postgres: Proxy, dsn: Callable
):
    """Its holder learns it; the next one gets it from the server that came back."""
    connect = partial(psycopg2.connect, dsn(postgres))
    with lease(connect, "publish", "first") as held:
        postgres_server.stop()
        postgres_server.start()
        with lease(connect, "publish", "second"), pytest.raises(LeaseLost):
            held.check()
