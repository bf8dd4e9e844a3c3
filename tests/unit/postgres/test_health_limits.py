"""The verdict on a server's state, and what is advised for a refusal."""

import pickle

import psycopg
import pytest

from include.postgres.errors import LeaseLost, LeaseTaken, PostgresUnreachable, PostgresUnwell
from include.postgres.health import HealthLimits, PostgresHealth, explain, find_reasons

WELL = PostgresHealth(
    version="18.6",
    latency_ms=0.4,
    connections_used=17,
    connections_max=20,
    oldest_transaction_s=3600.0,
    replication_lag_s=300.0,
    replication_lag_bytes=2**30,
    database_bytes=7_500_000,
    in_recovery=False,
    sees_all=True,
)


def test_a_server_at_its_limits_is_well():
    """Finds no reason where nothing is exceeded, nor where there is no transaction and no replica."""
    assert find_reasons(WELL, HealthLimits()) == ()
    idle = WELL.model_copy(
        update={"oldest_transaction_s": None, "replication_lag_s": None, "replication_lag_bytes": None}
    )
    assert find_reasons(idle, HealthLimits()) == ()


def test_being_a_replica_is_no_illness():
    """Tells that a server is a read-only replica without a reason against it."""
    replica = WELL.model_copy(update={"in_recovery": True})
    assert find_reasons(replica, HealthLimits()) == ()
    assert "a replica" in str(replica)
    assert "a replica" not in str(WELL)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"connections_used": 18}, "18 of 20 connections are used (limit 90%)"),
        ({"oldest_transaction_s": 3601.0}, "a transaction is open for 3601 s (limit 3600 s)"),
        ({"replication_lag_s": 301.0}, "replication is 301 s behind (limit 300 s)"),
        ({"replication_lag_bytes": 2**31}, "replication is 2147.5 MB behind (limit 1073.7 MB)"),
        ({"latency_ms": 5001.0}, "one round trip takes 5 s (limit 5 s)"),
    ],
)
def test_each_limit_has_its_reason(change: dict, reason: str):
    """Gives exactly one reason, with the figure and the limit, for each limit that is exceeded."""
    (found,) = find_reasons(WELL.model_copy(update=change), HealthLimits())
    assert found.startswith(reason)


def test_limits_are_arguments():
    """Judges by the limits it is given."""
    limits = HealthLimits(
        connections_share=0.5,
        oldest_transaction_s=10,
        replication_lag_s=1,
        replication_lag_bytes=1,
        latency_s=0.0001,
    )
    assert len(find_reasons(WELL, limits)) == 5


def test_the_line_for_the_log_tells_everything():
    """Prints every fact on one line."""
    assert str(WELL) == (
        "PostgreSQL 18.6: 0.4 ms, 17 of 20 connections, oldest transaction 3600 s, "
        "replication lag 300 s, database 7.5 MB"
    )
    assert "GRANT pg_read_all_stats" in str(WELL.model_copy(update={"sees_all": False}))


@pytest.mark.parametrize(
    ("said", "next_step"),
    [
        ("FATAL:  the database system is starting up", "wait until the server is up"),
        ('FATAL:  too many connections for role "database"', "wait, or raise the limit of connections"),
        (
            'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "u", database "d", SSL off',
            "let this host in",
        ),
        ("server does not support SSL, but SSL was required", "check extra.sslmode"),
        ("SSL error: certificate verify failed", "check extra.sslrootcert"),
        ("FATAL:  le mot de passe est faux", "check host, port, login, password and schema"),
    ],
)
def test_a_refusal_names_the_field(said: str, next_step: str):
    """Advises by what the server said, never by words in the address; keeps to the first line."""
    address = 'connection failed: connection to server at "ssl.refused.example", port 5432 failed: '
    line, advice = explain(psycopg.OperationalError(f"{address}{said}\nmore lines"))
    assert line == f'connection to server at "ssl.refused.example", port 5432 failed: {said}'
    assert next_step in advice


@pytest.mark.parametrize(
    "error",
    [
        PostgresUnreachable("postgres_default", "Connection refused", "check host and port"),
        PostgresUnwell("postgres_default", ("18 of 20 connections are used",)),
        LeaseTaken("github:api", "fetch try 1"),
        LeaseLost("github:api"),
    ],
)
def test_errors_survive_the_way_between_processes(error: Exception):
    """Keeps facts and text of an error over pickling."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), vars(copy), str(copy)) == (type(error), vars(error), str(error))
