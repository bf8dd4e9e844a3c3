"""One transaction of the source, in which all that is read is of one instant: read only, and with limits.

Everything is set for the transaction alone (SET LOCAL), so it works behind a pooler in transaction mode, and
leaves nothing in a session that goes on to others. Tables are locked before the first query, and so before
the snapshot: a table that is rewritten later looks empty in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import psycopg2
from attrs import frozen
from psycopg2 import errors
from pydantic import BaseModel, ConfigDict

from include.change_capture.catalog import SourceTable, quoted_table, read_catalog
from include.change_capture.errors import SourceChanged, SourceFailed, SourceRefused

if TYPE_CHECKING:
    from psycopg2 import extensions

# What texts of the server depend on is set too.
LIMITS = """
SET LOCAL statement_timeout = {statement_s}000;
SET LOCAL lock_timeout = {lock_s}000;
SET LOCAL idle_in_transaction_session_timeout = {idle_s}000;
SET LOCAL row_security = off;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL intervalstyle = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1;
SET LOCAL lc_monetary = 'C';
SET LOCAL synchronize_seqscans = off;
"""
SNAPSHOT = """
SELECT pg_snapshot_xmin(taken)::text::bigint, pg_snapshot_xmax(taken)::text::bigint,
    (SELECT system_identifier FROM pg_control_system()), pg_postmaster_start_time()::text, pg_is_in_recovery()
FROM pg_current_snapshot() AS taken
"""


class Limits(BaseModel):
    """Seconds that a session may take.

    Attributes: statement_s, for one statement; lock_s, waiting for a table that is being altered; idle_s,
        between two statements, while ClickHouse works.
    """

    model_config = ConfigDict(frozen=True)
    statement_s: int = 3600
    lock_s: int = 5
    idle_s: int = 1800


class Snapshot(BaseModel):
    """An instant of the source.

    Attributes: low, the oldest transaction that was open; high, the first that had not begun; identifier of
    the server's data; started_at, when the server was started (UTC, as it writes it); is_replica.
    """

    model_config = ConfigDict(frozen=True)
    low: int
    high: int
    identifier: int
    started_at: str
    is_replica: bool = False


class Taken(NamedTuple):
    """What is read of an instant: a cursor in its transaction, the instant, the tables as they are in it."""

    using: extensions.cursor
    snapshot: Snapshot
    tables: list[SourceTable]


@frozen
class Source:
    """Where tables come from.

    Attributes: connection, its id; connect, opens a connection; tables, their names; prefix of ours, which
    names the source too; name_space, the schema; limits.
    """

    connection: str
    connect: Callable[[], extensions.connection]
    tables: tuple[str, ...]
    prefix: str
    name_space: str = "public"
    limits: Limits = Limits()  # noqa: RUF009 - it cannot be changed

    def describe(self) -> list[SourceTable]:
        """Return what the catalog says now. Raises: SourceRefused; SourceFailed; what `connect` raises."""
        with closing(self.connect()) as connected, self._told():
            return self._described(connected)

    @contextmanager
    def snapshot(self, tables: Sequence[str] = ()) -> Iterator[Taken]:
        """Begin a transaction of one instant, which is that of the first query.

        Args: tables: of the list, that are locked and described; all unless given.
        Raises: SourceRefused; SourceChanged where one was altered before the block ends: the block's result
            does not count then; SourceFailed.
        """
        names = tables or self.tables
        with closing(self.connect()) as connected, self._told():
            connected.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
            with connected.cursor() as using:
                self._lock(connected, using, names)
                using.execute(SNAPSHOT)
                low, high, identifier, started_at, is_replica = using.fetchone()  # type: ignore[misc]
                found = read_catalog(using, self.connection, self.name_space, names, self.prefix)
                taken = Snapshot(
                    low=low,
                    high=high,
                    identifier=identifier % 2**64,
                    started_at=started_at,
                    is_replica=is_replica,
                )
                yield Taken(using, taken, found)
            connected.rollback()
            self._require_same(found, self._described(connected, names))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except psycopg2.Error as error:
            raise SourceFailed(self.connection, _line(error)) from error

    def _lock(self, connected: extensions.connection, using: extensions.cursor, names: Sequence[str]) -> None:
        using.execute(LIMITS.format(**self.limits.model_dump()))
        tables = ", ".join(quoted_table(self.name_space, name) for name in names)
        try:
            using.execute(f"LOCK TABLE {tables} IN ACCESS SHARE MODE")
        except (errors.UndefinedTable, errors.InsufficientPrivilege, errors.WrongObjectType) as error:
            connected.rollback()
            self._described(connected, names)  # says which, and what to do
            raise SourceRefused(
                self.connection, tables, _line(error), "correct it, then run the task again"
            ) from error

    def _described(self, connected: extensions.connection, names: Sequence[str] = ()) -> list[SourceTable]:
        """Read the catalog in a transaction of its own."""
        connected.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
        with connected.cursor() as using:
            using.execute(LIMITS.format(**self.limits.model_dump()))
            found = read_catalog(using, self.connection, self.name_space, names or self.tables, self.prefix)
        connected.rollback()
        return found

    def _require_same(self, before: Sequence[SourceTable], after: Sequence[SourceTable]) -> None:
        """Partitions may come and go beside our lock, and rows of new ones be read in an old snapshot."""
        for one, other in zip(before, after, strict=True):
            if (one.oids, one.schema_hash) != (other.oids, other.schema_hash):
                raise SourceChanged(self.connection, one.full_name)


def _line(error: psycopg2.Error) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
