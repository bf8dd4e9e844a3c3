"""One holder at a time, across processes, hosts, runs and tries: a lease on a PostgreSQL session.

The lease is a session-level advisory lock. PostgreSQL frees it when the session ends for whatever reason, so
a holder that is killed leaves nothing behind. Two holders compete only within one database, and only over
connections of their own: behind a pooler in transaction mode a session lock means nothing.
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

from include.postgres.errors import LeaseLost, LeaseTaken

# A server that is silent for this long counts as gone. The server, for its part, gives the lease of a silent
# holder away after 25 s.
ANSWER_WAIT_S = 10.0
HOLDER_BYTES = 63  # PostgreSQL cuts application_name there
# The server must notice a holder whose host vanished without a word (in about 25 s instead of two hours), and
# must not end a holder for being quiet. Servers that do not know a setting do not get it.
SESSION = """
SELECT set_config(name, wanted.value, false)
FROM pg_settings JOIN (VALUES
    ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'),
    ('idle_session_timeout', '0'), ('application_name', %(holder)s)
) AS wanted (name, value) USING (name)
"""
# How pg_locks shows a lock whose key is one bigint: the key's halves in classid and objid, objsubid 1.
HOLDER = """
SELECT activity.application_name
FROM pg_locks AS lock JOIN pg_stat_activity AS activity USING (pid)
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1
    AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND lock.classid::bigint = (%(key)s >> 32) & 4294967295 AND lock.objid::bigint = %(key)s & 4294967295
"""


class Lease:
    """A lease that is held, or several as one; made by lease(). Attributes: name, theirs together."""

    def __init__(self, name: str, connection: psycopg2.extensions.connection) -> None:
        self.name = name
        self._connection = connection

    def check(self) -> None:
        """Ask the server whether the session still lives: one round trip, call it now and then.

        Raises: LeaseLost: the session ended, and the lock with it, or there was no answer for ANSWER_WAIT_S.
        """
        with _answered(self._connection, self.name), self._connection.cursor() as cursor:
            cursor.execute("SELECT 1")


@contextmanager
def lease(
    connect: Callable[[], psycopg2.extensions.connection],
    names: str | Sequence[str],
    holder: str,
    places: int = 1,
) -> Iterator[Lease]:
    """Hold the lease of each name for the length of a `with` block, all or none; never waits for them.

    Args: connect: opens a connection of its own. names: one, or several to be taken in this order; any texts,
        compared exactly. holder: who we are, shown to those who come too late; cut after 63 bytes.
        places: how many may hold a lease at a time; the first is that of those who know of one only.
    Raises: LeaseTaken: somebody else has it. LeaseLost: the connection ended while it was asked for. What
        `connect` raises.
    """
    names = (names,) if isinstance(names, str) else names
    together = ", ".join(names)
    with closing(connect()) as connection:
        connection.autocommit = True  # an open transaction would hold vacuum back for as long as the lease
        with _answered(connection, together), connection.cursor() as cursor:
            cursor.execute(SESSION, {"holder": _shown(holder)})
            for name in names:
                _take(cursor, name, places)
        yield Lease(together, connection)


def _take(cursor: psycopg2.extensions.cursor, name: str, places: int) -> None:
    for each in (name, *(f"{name} place {place}" for place in range(2, places + 1))):
        cursor.execute("SELECT pg_try_advisory_lock(%(key)s)", {"key": lock_key(each)})
        if cursor.fetchone() == (True,):
            return
    cursor.execute(HOLDER, {"key": lock_key(name)})
    raise LeaseTaken(name, *(cursor.fetchone() or ("unknown",)))


@contextmanager
def _answered(connection: psycopg2.extensions.connection, name: str) -> Iterator[None]:
    """Cut the connection when the server stays silent: libpq has no time limit for a statement."""
    try:
        watchdog = threading.Timer(ANSWER_WAIT_S, _cut_off, [connection.fileno()])
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()
            watchdog.join()
    except psycopg2.Error as error:
        raise LeaseLost(name) from error


def _cut_off(descriptor: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def lock_key(name: str) -> int:
    """Return the advisory lock's key: 64 bits of SHA-256, signed, the same on every server version."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def _shown(holder: str) -> str:
    return holder.encode()[:HOLDER_BYTES].decode(errors="ignore")
