"""A pace that several processes keep together: a row in PostgreSQL says when the next of them may go.

Each turn moves the row forward by one distance, in one statement, by the server's clock. A process has one
turn at a time, and one that it comes too late for is let go: those of others are not bunched by it. What a
process that dies leaves behind is a turn that nobody uses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, LiteralString, NamedTuple

import psycopg

from include.postgres.errors import PaceLost

ANSWER_WAIT_S = 10.0
LATE_S = 0.02  # of the 40 ms that the guard band of a second has; the other 20 ms are for the network
LOCK = 5_236_881_407_215_904  # two that make the table at once would be in each other's way

# Not in the log of changes: after a crash or on another server the table is empty, which is as good.
TABLE = """
CREATE UNLOGGED TABLE IF NOT EXISTS stagehouse_pace (name text PRIMARY KEY, next_at timestamptz NOT NULL)
"""
# A row that is far ahead was written before the clock was set back: it begins anew.
TURN = """
INSERT INTO stagehouse_pace AS pace (name, next_at)
VALUES (%(name)s, clock_timestamp() + %(distance)s + %(distance)s)
ON CONFLICT (name) DO UPDATE SET next_at = %(distance)s + CASE
    WHEN pace.next_at > clock_timestamp() + %(most)s THEN clock_timestamp() + %(distance)s
    ELSE greatest(pace.next_at, clock_timestamp() + %(lead)s)
END
RETURNING extract(epoch FROM next_at - %(distance)s)::float8, extract(epoch FROM clock_timestamp())::float8
"""
LOOK = "SELECT 0::float8, extract(epoch FROM clock_timestamp())::float8"
LOOKS = 5  # at the clock, before the first turn
ROUNDING_S = 1e-6  # of differences of times since 1970: no contradiction


class Clock(NamedTuple):
    """The lead of the server's clock over ours, in seconds: between `least` and `most`."""

    least: float
    most: float

    def narrowed(self, sent: float, theirs: float, received: float) -> Clock:
        """Return what is known after one more answer, which told their time between two of ours.

        What contradicts the answer is forgotten: a clock was set, or they drifted apart.
        """
        seen = Clock(theirs - received, theirs - sent)
        both = Clock(max(self.least, seen.least), min(self.most, seen.most))
        return both if both.least <= both.most + ROUNDING_S else seen

    @property
    def ahead_s(self) -> float:
        """The best guess."""
        return (self.least + self.most) / 2

    @property
    def round_trip_s(self) -> float:
        """The shortest so far, or less."""
        return self.most - self.least


class SharedPacer:
    """Lets callers of all processes that name the same pace through one at a time, at equal distance.

    Args: connect: opens a connection of its own, with autocommit. name: of the pace. distance_s: between two
        of all. processes: how many share it at most.
    Attributes: interval_s, between two of this process where all are busy.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]],
        name: str,
        distance_s: float,
        processes: int,
    ) -> None:
        self.interval_s = distance_s * processes
        self._connect, self._name, self._distance_s = connect, name, distance_s
        self._most_s = max(10.0, 10 * self.interval_s)
        self._turn = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._clock = Clock(float("-inf"), float("inf"))

    async def wait(self) -> None:
        """Return at this caller's turn. Raises: PaceLost; what `connect` raises."""
        async with self._turn:
            while True:
                at = await self._next_turn()
                await asyncio.sleep(at - self._loop.time())
                if self._loop.time() - at <= LATE_S:
                    return

    async def close(self) -> None:
        """Close the connection."""
        if self._connection:
            await self._connection.close()
            self._connection = None

    async def _next_turn(self) -> float:
        """Return when this process may go, by the clock of the loop."""
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                try:
                    at = await self._take_turn()
                except psycopg.OperationalError:
                    if self._connection is None:
                        raise
                    await self.close()  # it had lain idle for too long, or the server was restarted
                    at = await self._take_turn()
        except (psycopg.Error, TimeoutError) as error:
            raise PaceLost(self._name, str(error) or f"no answer within {ANSWER_WAIT_S:.0f} s") from error
        return at - self._clock.ahead_s

    async def _take_turn(self) -> float:
        if self._connection is None:
            self._connection = await self._open()
        lead_s = max(self._distance_s / 2, 2 * self._clock.round_trip_s)  # or the answer would come too late
        seconds = {"distance": self._distance_s, "lead": lead_s, "most": self._most_s}
        bound = {name: timedelta(seconds=value) for name, value in seconds.items()}
        return await self._ask(self._connection, TURN, {"name": self._name, **bound})

    async def _open(self) -> psycopg.AsyncConnection[Any]:
        connection = await self._connect()
        connection.prepare_threshold = None  # behind a pooler the next turn may have another session
        try:
            there = await connection.execute("SELECT to_regclass('stagehouse_pace') IS NOT NULL")
            if await there.fetchone() != (True,):
                async with connection.transaction():
                    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
                    await connection.execute(TABLE)
            for _ in range(LOOKS):
                await self._ask(connection, LOOK, {})
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _ask(
        self, connection: psycopg.AsyncConnection[Any], query: LiteralString, bound: Mapping[str, object]
    ) -> float:
        sent = self._loop.time()
        cursor = await connection.execute(query, bound)
        at, theirs = await cursor.fetchone() or (0.0, 0.0)
        self._clock = self._clock.narrowed(sent, theirs, self._loop.time())
        return float(at)
