"""The process of a task is killed (SIGKILL: memory, an operator, a lost worker) at named points."""

import time

import pytest

from include.clickhouse.publish import check_day
from tests.faults.day import LAST_AUTHOR, FaultyDay
from tests.faults.proxy import ANSWERED, BEFORE, INSIDE, Moment, Proxy
from tests.faults.task_process import TaskProcess
from tests.integration.clickhouse.days import load, publish, staging_tables

LOAD = {
    "before the insert": (b"INSERT INTO", BEFORE),
    "in the middle of the rows": (LAST_AUTHOR, INSIDE),
    "after the rows": (LAST_AUTHOR, ANSWERED),
}
PUBLISH = {
    "after the upsert": (b"INSERT INTO `repositories`", ANSWERED, 1),
    "between the parts": (b"ATTACH PARTITION", ANSWERED, 2),
    "between two days": (b"REPLACE PARTITION", BEFORE, 2),
    "after the days, before loads": (b"REPLACE PARTITION", ANSWERED, 2),
    "between two rows of loads": (b"INSERT INTO `loads`", ANSWERED, 1),
    "while old parts are awaited": (b"system.parts", BEFORE, 1),
    "while staging is dropped": (b"DROP TABLE IF EXISTS", ANSWERED, 3),
}


@pytest.mark.parametrize("point", LOAD)
def test_a_load_is_killed(day: FaultyDay, proxy: Proxy, point: str):
    """Nothing is in sight; the next try loads anew, and what the killed one left goes with it."""
    text, moment = LOAD[point]
    stop = proxy.stop_at(text, moment)
    with day.watched() as reader, TaskProcess(day, "load", "1", port=proxy.port) as task:
        stop.wait()
        task.kill()
        stop.reset()
        assert len(reader.seen) == 1
        day.require_old()
        with day.connect() as clickhouse:
            assert staging_tables(clickhouse)
        day.next_run()


@pytest.mark.parametrize("point", PUBLISH)
def test_a_publication_is_killed(day: FaultyDay, proxy: Proxy, point: str):
    """Readers of a table see its old day or its new one; the next try of publish alone is exact."""
    text, moment, nth = PUBLISH[point]
    with day.connect() as clickhouse:
        staged = load(clickhouse, day.directory, day.manifest)
    stop = proxy.stop_at(text, moment, nth)
    with day.watched(), TaskProcess(day, "publish", "1", port=proxy.port, staged=staged) as task:
        stop.wait()
        task.kill()
        stop.reset()
        with TaskProcess(day, "publish", "2", staged=staged) as retry:
            assert set(retry.result()) == set(day.manifest.tables)
        with TaskProcess(day, "check", "1") as check:
            check.result()
    day.require_published(day.manifest, day.rows)


@pytest.mark.parametrize("moment", [BEFORE, ANSWERED])
def test_a_check_is_killed(day: FaultyDay, proxy: Proxy, moment: Moment):
    """It has changed nothing, and the next one cleans up behind it."""
    day.next_run()
    stop = proxy.stop_at(b"SELECT count()", moment)
    with day.watched(), TaskProcess(day, "check", "1", port=proxy.port) as check:
        stop.wait()
        check.kill()
        stop.reset()
        with TaskProcess(day, "check", "2") as again:
            again.result()
    day.require_published(day.manifest, day.rows)


def test_a_loader_whose_host_vanished(day: FaultyDay, proxy: Proxy):
    """The server still waits for its rows: the next run neither waits for it nor mixes with it.

    Its staging table goes when the server has given it up, with the next check.
    """
    stop = proxy.stop_at(LAST_AUTHOR, INSIDE)
    with day.watched(), TaskProcess(day, "load", "1", port=proxy.port) as task, day.connect() as clickhouse:
        stop.wait()
        (held,) = held_by_an_insert(clickhouse)
        task.kill()
        with TaskProcess(day, "load", "2") as retry:
            staged = retry.result()
        publish(clickhouse, day.manifest, staged, "1")
        check_day(clickhouse, day.directory, day.manifest, "1")
        assert staging_tables(clickhouse) == [held]
        assert held_by_an_insert(clickhouse) == [held]
        stop.reset()
        deadline = time.monotonic() + 60
        while held_by_an_insert(clickhouse):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        check_day(clickhouse, day.directory, day.manifest, "2")
    day.require_published(day.manifest, day.rows)


def held_by_an_insert(clickhouse) -> list[str]:
    """Staging tables that the server still reads rows for."""
    running = clickhouse.execute("SELECT query FROM system.processes WHERE query LIKE 'INSERT%%'")
    return [name for name in staging_tables(clickhouse) if any(name in query for (query,) in running)]
