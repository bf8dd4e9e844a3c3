"""Two that should be one: two tries alive at once, two runs of one day, many days at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest

from include.clickhouse.errors import DayMismatch
from include.clickhouse.publish import check_day
from tests.faults.day import LAST_AUTHOR, FaultyDay
from tests.faults.proxy import ANSWERED, BEFORE, Proxy
from tests.faults.task_process import TaskProcess
from tests.integration.clickhouse.days import COMMITS, DAY, commits, load, publish, run, stored

PUBLISH = {
    "before the upsert": (b"INSERT INTO `repositories`", BEFORE, 1),
    "before the first day": (b"REPLACE PARTITION", BEFORE, 1),
    "between two days": (b"REPLACE PARTITION", ANSWERED, 1),
    "before loads": (b"INSERT INTO `loads`", BEFORE, 1),
    "while staging is dropped": (b"DROP TABLE IF EXISTS", ANSWERED, 3),
}
TASKS = ["load", "publish", "check"]


def test_two_tries_of_a_load_are_alive_at_once(day: FaultyDay, proxy: Proxy):
    """Each fills staging tables of its own; either may be published; what the other left goes with it."""
    stop = proxy.stop_at(LAST_AUTHOR)
    with day.watched(), TaskProcess(day, "load", "1", port=proxy.port) as first, day.connect() as clickhouse:
        stop.wait()
        with TaskProcess(day, "load", "2") as second:
            staged = second.result()
        stop.release()
        assert first.result() != staged
        publish(clickhouse, day.manifest, staged)
        check_day(clickhouse, day.directory, day.manifest, "1")
    day.require_published(day.manifest, day.rows)


@pytest.mark.parametrize("point", PUBLISH)
def test_two_tries_of_a_publication_are_alive_at_once(day: FaultyDay, proxy: Proxy, point: str):
    """The worst case, without a lease: the first stands still at the point while the second finishes.

    When it goes on it finds its own day there or its staging gone: it changes nothing that can be seen.
    """
    text, moment, nth = PUBLISH[point]
    with day.connect() as clickhouse:
        staged = load(clickhouse, day.directory, day.manifest)
    stop = proxy.stop_at(text, moment, nth)
    with day.watched(), TaskProcess(day, "publish", "1", port=proxy.port, staged=staged) as first:
        stop.wait()
        with TaskProcess(day, "publish", "2", staged=staged) as second:
            second.result()
        stop.release()
        if point in ("before loads", "while staging is dropped"):
            first.result()
        else:
            assert "__stg_" in first.error()
        with day.connect() as clickhouse:
            check_day(clickhouse, day.directory, day.manifest, "1")
    day.require_published(day.manifest, day.rows)


def test_two_runs_of_a_day_take_turns(day: FaultyDay, proxy: Proxy, postgres: Proxy, dsn: Callable):
    """The second is told who publishes and changes nothing; when the first is done it replaces the day."""
    rows = commits(333, who="newer author")
    directory, manifest = day.stage("newer run", rows)
    with day.connect() as clickhouse:
        staged = load(clickhouse, day.directory, day.manifest)
        newer = load(clickhouse, directory, manifest)
    stop = proxy.stop_at(b"REPLACE PARTITION", nth=2)
    first_try = partial(TaskProcess, day, "publish", "1", postgres=dsn(postgres))
    with day.watched(manifest), first_try(port=proxy.port, staged=staged) as first:
        stop.wait()
        with first_try(directory=directory, staged=newer) as refused:
            told = f"LeaseTaken: lease 'publish {DAY}' is held by 'publish of new run'. Next: try again"
            assert told in refused.error()
        stop.release()
        first.result()
        with first_try(directory=directory, staged=newer) as second:
            second.result()
        with day.connect() as clickhouse:
            check_day(clickhouse, directory, manifest, "1")
            check_day(clickhouse, day.directory, day.manifest, "1")
    day.require_published(manifest, rows)


def test_a_publisher_that_lost_its_lease_stops(day: FaultyDay, proxy: Proxy, postgres: Proxy, dsn: Callable):
    """Its Postgres session ends while it stands still before a change that it may no longer make.

    The statement it was about to send is the only one that nobody can call back: the next run's check finds
    what it did, and the next step in its error mends it.
    """
    rows = commits(333, who="newer author")
    directory, manifest = day.stage("newer run", rows)
    with day.connect() as clickhouse:
        staged = load(clickhouse, day.directory, day.manifest)
        newer = load(clickhouse, directory, manifest)
    stop = proxy.stop_at(b"REPLACE PARTITION", nth=2)
    publishing = partial(TaskProcess, day, "publish", "1", postgres=dsn(postgres))
    with day.watched(manifest), publishing(port=proxy.port, staged=staged) as zombie:
        stop.wait()
        postgres.reset_all()
        with publishing(directory=directory, staged=newer) as next_one:
            next_one.result()
        stop.release()
        assert zombie.error().endswith(
            "is lost, its connection to PostgreSQL ended. Next: run the task again, which takes it anew; "
            "where it is lost each time, see whether a pooler between ends transactions"
        )
        with day.connect() as clickhouse:
            assert len(stored(clickhouse)) == len(day.rows)
            with pytest.raises(DayMismatch, match="Next: clear task load with all after it"):
                check_day(clickhouse, directory, manifest, "1")
            publish(clickhouse, manifest, load(clickhouse, directory, manifest, "2"), "2")
            check_day(clickhouse, directory, manifest, "2")
            check_day(clickhouse, day.directory, day.manifest, "2")
    day.require_published(manifest, rows)


def test_many_days_at_once(day: FaultyDay):
    """Twelve days by four workers, each day by two runs, as a backfill does: every day is exact."""
    days = [DAY - timedelta(days=number) for number in range(10, 22)]

    def bring_in(number: int) -> None:
        of_day, who = days[number // 2], f"worker {number % 2}"
        with day.connect() as clickhouse:
            rows = commits(50 + number // 2, of_day, who)
            run(clickhouse, day.root, f"run {number}", (COMMITS, rows), day=of_day)

    with day.watched(), ThreadPoolExecutor(4) as workers:
        list(workers.map(bring_in, range(0, 24, 2)))
        list(workers.map(bring_in, range(1, 24, 2)))
    with day.connect() as clickhouse:
        for number, of_day in enumerate(days):
            assert sorted(stored(clickhouse, day=of_day)) == sorted(commits(50 + number, of_day, "worker 1"))
    day.next_run()


@pytest.mark.parametrize(
    ("done", "again"),
    [(done, again) for done in TASKS for again in TASKS if TASKS.index(again) <= TASKS.index(done) + 1],
)
def test_any_task_is_cleared_in_any_state(day: FaultyDay, done: str, again: str):
    """That task with all after it runs as new tries, from whatever was there: exact, also a second time."""
    staged = []

    def do(task: str, attempt: str) -> None:
        if task == "load":
            staged[:] = load(clickhouse, day.directory, day.manifest, attempt)
        elif task == "publish":
            publish(clickhouse, day.manifest, staged, attempt)
        else:
            check_day(clickhouse, day.directory, day.manifest, attempt)

    with day.watched(), day.connect() as clickhouse:
        for task in TASKS[: TASKS.index(done) + 1]:
            do(task, "1")
        for attempt in "23":
            for task in TASKS[TASKS.index(again) :]:
                do(task, attempt)
    day.require_published(day.manifest, day.rows)
