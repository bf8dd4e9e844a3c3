"""One holder at a time, across processes, hosts, runs and tries: a lease on a PostgreSQL session.

The lease is a session-level advisory lock. PostgreSQL frees it when the session ends for whatever reason, so
a holder that is killed leaves nothing behind. Two holders compete only within one database, and only over
connections of their own: behind a pooler in transaction mode a session lock means nothing.
Source: https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg2
import psycopg2.extensions

from include.postgres.errors import LeaseLost, LeaseTaken

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
    """A lease that is held; made by lease(). Attributes: name."""

    def __init__(self, name: str, connection: psycopg2.extensions.connection) -> None:
        self.name = name
        self._connection = connection

    def check(self) -> None:
        """Ask the server whether the session still lives: one round trip, call it now and then.

        Raises: LeaseLost: the session ended, and the lock with it.
        """
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except psycopg2.Error as error:
            raise LeaseLost(self.name) from error


@contextmanager
def lease(connect: Callable[[], psycopg2.extensions.connection], name: str, holder: str) -> Iterator[Lease]:
    """Hold the lease `name` for the length of a `with` block; never waits for it.

    Args: connect: opens a connection of its own, with client-side TCP timeouts, so that check() cannot hang
        on a dead network. name: any text, compared exactly. holder: who we are, shown to those who come too
        late; cut after 63 bytes.
    Raises: LeaseTaken: somebody else has it. psycopg2.Error: the server cannot be asked.
    """
    with closing(connect()) as connection:
        connection.autocommit = True  # an open transaction would hold vacuum back for as long as the lease
        with connection.cursor() as cursor:
            cursor.execute(SESSION, {"holder": _cut(holder)})
            key = {"key": lock_key(name)}
            cursor.execute("SELECT pg_try_advisory_lock(%(key)s)", key)
            if cursor.fetchone() != (True,):
                cursor.execute(HOLDER, key)
                raise LeaseTaken(name, *(cursor.fetchone() or ("unknown",)))
        yield Lease(name, connection)


def lock_key(name: str) -> int:
    """Return the advisory lock's key: 64 bits of SHA-256, signed, the same on every server version."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def _cut(holder: str) -> str:
    return holder.encode()[:HOLDER_BYTES].decode(errors="ignore")
