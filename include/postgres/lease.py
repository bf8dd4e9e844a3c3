"""One holder at a time, across processes, hosts, runs and tries: a lease in an open PostgreSQL transaction.

The lease is an advisory lock of a transaction. PostgreSQL frees it when the transaction ends for whatever
reason, so a holder that is killed leaves nothing behind. The transaction stays open, so a pooler in
transaction mode (PgBouncer) cannot give its session to anybody else. It reads nothing and writes nothing: it
holds no snapshot, and so no vacuum back. Two holders compete only within one database. A session lock of the
same key, as older versions take, excludes it too.
Source: https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress

import psycopg2
import psycopg2.extensions

from include.postgres.errors import LeaseLost, LeaseTaken, LeaseUnanswered

# A server that is silent for this long counts as gone. The server, for its part, gives the lease of a silent
# holder away after 25 s.
ANSWER_WAIT_S = 10.0
# The health check knows leases by this beginning of application_name, which PostgreSQL cuts after 63 bytes.
SHOWN_AS, SHOWN_BYTES = "lease ", 63
# The server must notice a holder whose host vanished without a word (in about 25 s instead of two hours), and
# must not end a holder for being quiet. Servers that do not know a setting do not get it. All of it ends with
# the transaction: behind a pooler the session goes on to others.
TRANSACTION = """
SELECT set_config(name, wanted.value, true)
FROM pg_settings JOIN (VALUES
    ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'),
    ('idle_in_transaction_session_timeout', '0'), ('transaction_timeout', '0'),
    ('application_name', %(holder)s)
) AS wanted (name, value) USING (name)
"""
# How pg_locks shows a lock whose key is one bigint: the key's halves in classid and objid, objsubid 1.
HOLDER = """
SELECT regexp_replace(activity.application_name, '^lease ', '')  -- older versions have it without
FROM pg_locks AS lock JOIN pg_stat_activity AS activity USING (pid)
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1
    AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND lock.classid::bigint = (%(key)s >> 32) & 4294967295 AND lock.objid::bigint = %(key)s & 4294967295
"""
HELD = """
SELECT count(DISTINCT (classid, objid)) = cardinality(%(keys)s)
FROM pg_locks JOIN unnest(%(keys)s) AS key
    ON classid::bigint = (key >> 32) & 4294967295 AND objid::bigint = key & 4294967295
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid = pg_backend_pid()
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Lease:
    """A lease that is held, or several as one; made by lease(). Attributes: name, theirs together."""

    def __init__(self, name: str, connection: psycopg2.extensions.connection, keys: list[int]) -> None:
        self.name = name
        self._connection, self._keys = connection, keys

    def check(self) -> None:
        """Ask the server whether this transaction still has the locks: one round trip, call it now and then.

        Raises: LeaseLost: it has not, the session ended, or there was no answer for ANSWER_WAIT_S.
        """
        with _answered(self._connection, self.name), self._connection.cursor() as cursor:
            cursor.execute(HELD, {"keys": self._keys})
            held = cursor.fetchone()
        if held != (True,):
            raise LeaseLost(self.name)


@contextmanager
def lease(
    connect: Callable[[], psycopg2.extensions.connection],
    names: str | Sequence[str],
    holder: str,
    places: int = 1,
) -> Iterator[Lease]:
    """Hold the lease of each name for the length of a `with` block, all or none; never waits for them.

    Args: connect: opens a connection of its own. names: one, or several to be taken in this order; any texts,
        compared exactly. holder: who we are, shown to those who come too late; cut after 57 bytes.
        places: how many may hold a lease at a time; the first is that of those who know of one only.
    Raises: LeaseTaken: somebody else has it. LeaseUnanswered: no answer came. LeaseLost: the connection ended
        while it was asked for. What `connect` raises.
    """
    names = (names,) if isinstance(names, str) else names
    together = ", ".join(names)
    with closing(connect()) as connection:
        # Another level would keep its first snapshot, and hold vacuum back for as long as the lease.
        connection.set_session(isolation_level="READ COMMITTED", readonly=True, autocommit=False)
        unanswered = LeaseUnanswered(together, ANSWER_WAIT_S)
        with _answered(connection, together, unanswered), connection.cursor() as cursor:
            cursor.execute(TRANSACTION, {"holder": _shown(holder)})
            keys = [_take(cursor, name, places) for name in names]
        yield Lease(together, connection, keys)


def _take(cursor: psycopg2.extensions.cursor, name: str, places: int) -> int:
    for each in (name, *(f"{name} place {place}" for place in range(2, places + 1))):
        cursor.execute("SELECT pg_try_advisory_xact_lock(%(key)s)", {"key": (key := lock_key(each))})
        if cursor.fetchone() == (True,):
            return key
    cursor.execute(HOLDER, {"key": lock_key(name)})
    raise LeaseTaken(name, *(cursor.fetchone() or ("unknown",)))


@contextmanager
def _answered(
    connection: psycopg2.extensions.connection, name: str, unanswered: LeaseUnanswered | None = None
) -> Iterator[None]:
    """Cut the connection when the server stays silent: libpq has no time limit for a statement."""
    silent = threading.Event()
    try:
        watchdog = threading.Timer(ANSWER_WAIT_S, _cut_off, [connection.fileno(), silent])
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()
            watchdog.join()
    except psycopg2.Error as error:
        raise (unanswered if unanswered and silent.is_set() else LeaseLost(name)) from error


def _cut_off(descriptor: int, silent: threading.Event) -> None:
    silent.set()
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def lock_key(name: str) -> int:
    """Return the advisory lock's key: 64 bits of SHA-256, signed, the same on every server version."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def _shown(holder: str) -> str:
    return (SHOWN_AS + holder).encode()[:SHOWN_BYTES].decode(errors="ignore")
