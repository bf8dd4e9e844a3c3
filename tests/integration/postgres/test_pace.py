"""A pace that processes keep together, on a real PostgreSQL."""

import asyncio
import time
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.postgres import pace
from include.postgres.errors import PaceLost
from include.postgres.pace import LATE_S, Clock, SharedPacer
from tests.servers.postgres import PostgresServer

DISTANCE_S = 0.05
JITTER_S = 0.025  # of two processes' worth of work on one busy machine


@pytest.fixture
def connect(postgres_server: PostgresServer, postgres_database: str):
    """Open a connection of one's own to a database without any pace."""
    parameters = postgres_server.parameters | {"dbname": postgres_database}
    return partial(psycopg.AsyncConnection.connect, **parameters, autocommit=True)


@pytest.fixture
async def make_pacer(connect):
    """Make pacers of one pace, as several processes would; all are closed in the end."""
    made = []

    def make(processes: int = 2, distance_s: float = DISTANCE_S) -> SharedPacer:
        made.append(SharedPacer(connect, "github:it's %s", distance_s, processes))
        return made[-1]

    yield make
    for pacer in made:
        await pacer.close()


async def execute(connect, query: str) -> tuple:
    """Run a statement on a connection of its own."""
    async with await connect() as connection:
        cursor = await connection.execute(query)
        return (await cursor.fetchone() or ()) if cursor.description else ()


async def turns(pacer: SharedPacer, count: int) -> list[float]:
    """Take turns; return when they came."""
    at = []
    for _ in range(count):
        await pacer.wait()
        at.append(time.monotonic())
    return at


async def test_several_share_one_pace(make_pacer):
    """Equal distance over all of them, but for what a busy machine makes late, and none at once."""
    begin, distance_s = time.monotonic(), 4 * (LATE_S + JITTER_S)
    each = await asyncio.gather(*(turns(make_pacer(3, distance_s), 4) for _ in range(3)))
    at = sorted(moment for moments in each for moment in moments)
    assert at[0] - begin > distance_s
    assert min(later - earlier for earlier, later in pairwise(at)) > 0.75 * distance_s
    assert at[-1] - at[0] > 11 * distance_s - LATE_S
    assert make_pacer(3, distance_s).interval_s == pytest.approx(3 * distance_s)


async def test_callers_of_one_process_go_one_by_one(make_pacer):
    """Also those that ask together."""
    pacer = make_pacer()
    begin = time.monotonic()
    await asyncio.gather(*(pacer.wait() for _ in range(10)))
    assert time.monotonic() - begin > 10 * DISTANCE_S - LATE_S


async def test_a_turn_that_is_missed_is_let_go(make_pacer, connect):
    """A process that was stopped takes a new one, or its request would come beside that of another."""
    pacer = make_pacer()
    await pacer.wait()
    asyncio.get_running_loop().call_later(DISTANCE_S / 2, time.sleep, 4 * DISTANCE_S)
    await pacer.wait()
    came = datetime.now(UTC)
    (next_at,) = await execute(connect, "SELECT next_at FROM stagehouse_pace")
    assert abs((next_at - came).total_seconds() - DISTANCE_S) < LATE_S + JITTER_S


async def test_a_server_s_clock_that_was_set_back_stops_nobody(make_pacer, connect):
    """A row of an hour ahead begins anew."""
    pacer = make_pacer()
    await pacer.wait()
    await execute(connect, "UPDATE stagehouse_pace SET next_at = next_at + interval '1 hour'")
    async with asyncio.timeout(5):
        await turns(pacer, 3)


async def test_a_connection_that_was_cut_is_made_anew(make_pacer, connect):
    """Between two turns: a server ends sessions that lie idle, and is restarted."""
    pacer = make_pacer()
    await pacer.wait()
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    await execute(connect, f"{others} AND datname = current_database()")
    await pacer.wait()


async def test_without_an_answer_nobody_goes(silent_port, closed_port, monkeypatch):
    """Neither where no server is nor where it is silent: the error says that PostgreSQL is to blame."""
    monkeypatch.setattr(pace, "ANSWER_WAIT_S", 0.2)
    for port in (silent_port, closed_port):
        connect = partial(psycopg.AsyncConnection.connect, host="127.0.0.1", port=port)
        with pytest.raises(PaceLost, match=r"pace 'x' is not to be had.*with processes 1"):
            await SharedPacer(connect, "x", DISTANCE_S, 2).wait()


async def test_a_caller_who_is_cancelled_blocks_nobody(make_pacer):
    """Neither while it waits for its turn nor while it asks for one."""
    pacer = make_pacer()
    for wait_s in (0, 0.001, 0.01):
        waiting = asyncio.create_task(pacer.wait())
        await asyncio.sleep(wait_s)
        waiting.cancel()
    async with asyncio.timeout(5):
        await pacer.wait()


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0, 0.1), st.floats(0, 0.1)), min_size=1, max_size=20),
)
def test_the_difference_of_two_clocks_is_narrowed_down(ahead_s, travelled):
    """The truth stays between the bounds, which are no further apart than the quickest answer took."""
    clock, now = Clock(float("-inf"), float("inf")), 0.0
    for there_s, back_s in travelled:
        clock = clock.narrowed(now, now + there_s + ahead_s, now + there_s + back_s)
        now += 1
    assert clock.least - 1e-6 <= ahead_s <= clock.most + 1e-6
    assert clock.round_trip_s <= min(there + back for there, back in travelled) + 1e-6


def test_rounding_is_no_contradiction():
    """What the quickest answer told is kept."""
    clock = Clock(0.1, 0.1).narrowed(1, 1.1 - 1e-9, 1.05)
    assert clock.round_trip_s < 1e-6


def test_a_clock_that_was_set_is_believed_at_once():
    """What was known of it before contradicts the answer."""
    before = Clock(9.99, 10.01)
    assert before.narrowed(100, 3700.05, 100.1).ahead_s == pytest.approx(3600)
