"""Marks: the rows of a run that may have been sent, written to PostgreSQL before they are sent.

One row a run: all rows of its file up to `high` may have been sent, but those in `unsent`. Whoever takes the
lease raises `fence`, and each change names it: an overtaken try, which may not know yet, fails there before
it sends anything. Each change is on the disk when it returns, whatever the server does by default.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, LiteralString, NamedTuple, Self

import psycopg

from include.api_calls.errors import MarksAway, Overtaken, Unpublished

ANSWER_WAIT_S = 10.0
LOCK = 5_236_881_407_215_905  # two that make the table, or begin a run of one recipe, go one after the other
KEPT_DAYS = 90  # longer than any run's staging files

TABLE = """
CREATE TABLE IF NOT EXISTS stagehouse_calls (
    run text PRIMARY KEY, recipe text NOT NULL, high bigint NOT NULL, unsent bigint[] NOT NULL,
    fence bigint NOT NULL, oldest_at timestamptz, published boolean NOT NULL, touched_at timestamptz NOT NULL
)
"""
FORGET = "DELETE FROM stagehouse_calls WHERE touched_at < now() - make_interval(days => %(days)s)"
OPEN = """
SELECT run FROM stagehouse_calls
WHERE recipe = %(recipe)s AND run <> %(run)s AND NOT published AND high > 0 ORDER BY touched_at LIMIT 1
"""
TAKE = """
INSERT INTO stagehouse_calls AS mine (run, recipe, high, unsent, fence, published, touched_at)
VALUES (%(run)s, %(recipe)s, 0, '{}', 1, false, now())
ON CONFLICT (run) DO UPDATE SET fence = mine.fence + 1, touched_at = now()
RETURNING high, unsent, fence, oldest_at
"""
# Every condition is asked before a row changes: so the commit waits for the disk.
_DURABLE = "run = %(run)s AND fence = %(fence)s AND set_config('synchronous_commit', 'on', true) = 'on'"
MARK = (
    "UPDATE stagehouse_calls SET high = greatest(high, %(row)s), unsent = array_remove(unsent, %(row)s), "
    "oldest_at = %(oldest_at)s, published = false, touched_at = now() WHERE " + _DURABLE
)
UNMARK = (
    "UPDATE stagehouse_calls SET unsent = unsent || %(rows)s::bigint[], touched_at = now() WHERE " + _DURABLE
)
PUBLISHED = "UPDATE stagehouse_calls SET published = true, touched_at = now() WHERE run = %(run)s"


class Taken(NamedTuple):
    """The marks of earlier tries.

    Attributes: high, row up to which all may have been sent; unsent, of those the ones that surely were not;
    fence, of this try, 1 for the first one; oldest_at, when the first of those without an answer was marked.
    """

    high: int
    unsent: Sequence[int]
    fence: int
    oldest_at: datetime | None


class Marks:
    """The marks of one run. One event loop.

    Args: connect: opens a connection of its own, with autocommit. run: a text that no other run has.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]], run: str, recipe: str
    ) -> None:
        self._connect, self._run, self._recipe = connect, run, recipe
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._asking = asyncio.Lock()
        self._fence = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def take(self, *, beside_others: bool = False) -> Taken:
        """Raise the fence, and return what earlier tries have marked. Only the holder of the lease may.

        Args: beside_others: also where another run of the recipe has sent rows and not published them.
        Raises: Unpublished; MarksAway.
        """
        taken: Taken = await self._answered(partial(self._take, beside_others))
        self._fence = taken.fence
        return taken

    async def mark(self, row: int, oldest_at: datetime) -> None:
        """Say that a row may have been sent from now on.

        Args: oldest_at: when the first row was marked of those that have no answer yet.
        Raises: Overtaken; MarksAway: then it may be marked, and is not sent.
        """
        await self._change(MARK, {"row": row, "oldest_at": oldest_at})

    async def unmark(self, rows: Iterable[int]) -> None:
        """Say that marked rows were surely not sent, or that nothing was done. Raises: as mark()."""
        if rows := list(rows):
            await self._change(UNMARK, {"rows": rows})

    async def published(self) -> None:
        """Say that what became of all marked rows can be seen by other runs. Raises: MarksAway."""
        await self._answered(lambda connection: connection.execute(PUBLISHED, {"run": self._run}))

    async def _take(self, beside_others: bool, connection: psycopg.AsyncConnection[Any]) -> Taken:
        bound = {"run": self._run, "recipe": self._recipe, "days": KEPT_DAYS}
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            await connection.execute(TABLE)
            await connection.execute(FORGET, bound)
            other = await (await connection.execute(OPEN, bound)).fetchone()
            if other and not beside_others:
                raise Unpublished(self._recipe, other[0])
            found = await (await connection.execute(TAKE, bound)).fetchone()
        return Taken(*(found or (0, [], 0, None)))

    async def _change(self, statement: LiteralString, bound: dict[str, Any]) -> None:
        bound = {**bound, "run": self._run, "fence": self._fence}
        cursor = await self._answered(lambda connection: connection.execute(statement, bound))
        if cursor.rowcount != 1:
            raise Overtaken(self._run)

    async def _answered(self, ask: Callable[[psycopg.AsyncConnection[Any]], Awaitable[Any]]) -> Any:
        """Ask, once more on a new connection where the old one broke: each statement may be repeated."""
        async with self._asking:
            try:
                async with asyncio.timeout(ANSWER_WAIT_S):
                    try:
                        return await ask(await self._open())
                    except psycopg.OperationalError:
                        await self._close()
                        return await ask(await self._open())
            except (psycopg.Error, TimeoutError) as error:
                await self._close()
                reason = str(error) or f"no answer within {ANSWER_WAIT_S:.0f} s"
                raise MarksAway(self._run, reason) from error

    async def _open(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None:
            self._connection = await self._connect()
            self._connection.prepare_threshold = (
                None  # behind a pooler the next turn may have another session
            )
        return self._connection

    async def _close(self) -> None:
        if self._connection:
            await self._connection.close()
            self._connection = None
