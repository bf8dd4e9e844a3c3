"""Faults while a file of counters comes into a table where, of two rows of a sample, the last one counts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import product
from pathlib import Path

import psycopg2
import pytest
import stamina

from include.clickhouse.errors import OutcomeUnknown
from include.clickhouse.load import StagedPart
from include.clickhouse.publish import check_day
from include.phrase_views.counters.staging import PHRASES_VIEWS
from include.postgres.errors import LeaseLost, LeaseTaken
from include.postgres.lease import lease
from tests.faults.import_day import NEW, NEWER, OLD, ImportDay, seen
from tests.faults.killed_server import killed_at
from tests.faults.proxy import AFTER, ANSWERED, BEFORE, INSIDE, Moment, Proxy, Stop
from tests.faults.task_process import TaskProcess
from tests.integration.clickhouse.days import load, publish, staging_tables
from tests.servers.clickhouse import ClickHouseServer, running_clickhouse

ROWS, LOADS = b"INSERT INTO `phrases_views` (", b"INSERT INTO `loads`"
CUT = {
    "statements of others": (b"system.processes", 1),
    "newest of loads": (b"max(published_at)", 1),
    "proof before loads": (b"FINAL WHERE", 1),
    "loads": (LOADS, 1),
    "last of loads": (b"ORDER BY published_at", 1),
    "proof after loads": (b"FINAL WHERE", 2),
    "drop staging": (b"DROP TABLE IF EXISTS", 1),
}
KILLED = {
    "before the first rows": (ROWS, BEFORE, 1),
    "between the parts": (ROWS, ANSWERED, 1),
    "after the rows, before loads": (ROWS, ANSWERED, 2),
    "after loads": (LOADS, ANSWERED, 1),
    "while staging is dropped": (b"DROP TABLE IF EXISTS", ANSWERED, 1),
}
LATE = {
    "the first rows": (ROWS, 1, "LeaseLost"),
    "the last rows": (ROWS, 2, "LeaseLost"),
    "loads": (LOADS, 1, "run newer run has published newer rows meanwhile"),
}


@pytest.fixture(scope="module")
def clickhouse_server() -> Iterator[ClickHouseServer]:
    """A server of these tests' own, to be killed."""
    with running_clickhouse() as server:
        yield server


@pytest.fixture
def day(clickhouse_server: ClickHouseServer, clickhouse_database: str, tmp_path: Path) -> ImportDay:
    """Counters, an import of before, and a file that is staged."""
    return ImportDay(clickhouse_server, clickhouse_database, tmp_path)


@pytest.mark.parametrize(("part", "moment"), [(1, BEFORE), (1, ANSWERED), (2, INSIDE), (2, AFTER)])
def test_a_lost_answer_to_imported_rows_is_settled(day: ImportDay, proxy: Proxy, part: int, moment: Moment):
    """The same try sends them again until the server says that they are in; no second try is needed."""
    staged = day.load()
    cut = proxy.reset_at(ROWS, moment, part)
    with day.watched(), day.connect(proxy.port) as clickhouse:
        publish(clickhouse, day.manifest, staged)
        assert cut.is_reached
        check_day(clickhouse, day.directory, day.manifest, "1")
    day.require(NEW, by="new run")


@pytest.mark.parametrize(("point", "moment"), [*product(CUT, [ANSWERED]), ("loads", BEFORE)])
def test_the_publication_of_an_import_is_cut(day: ImportDay, proxy: Proxy, point: str, moment: Moment):
    """The try is red; the next one of publish alone is exact."""
    staged, (text, nth) = day.load(), CUT[point]
    cut = proxy.reset_at(text, moment, nth)
    with day.watched(), day.connect(proxy.port) as clickhouse:
        with nullcontext() if point == "drop staging" else pytest.raises(OutcomeUnknown):
            publish(clickhouse, day.manifest, staged)
        assert cut.is_reached
        day.publish(staged)
    day.require(NEW, by="new run")


@pytest.mark.parametrize("point", KILLED)
def test_an_importer_is_killed(day: ImportDay, proxy: Proxy, point: str):
    """Some of its samples may be in sight; the next try of publish alone is exact."""
    staged, (text, moment, nth) = day.load(), KILLED[point]
    stop = proxy.stop_at(text, moment, nth)
    with day.watched(), TaskProcess(day, "publish", "1", port=proxy.port, staged=staged) as task:
        stop.wait()
        task.kill()
        stop.reset()
        day.publish(staged)
    day.require(NEW, by="new run")


@pytest.mark.parametrize("moment", [AFTER, ANSWERED])
@pytest.mark.parametrize("text", [ROWS, LOADS])
def test_the_server_is_killed_during_an_import(day: ImportDay, proxy: Proxy, text: bytes, moment: Moment):
    """With rows on their way the same try waits for it; else the next try of publish alone is exact."""
    staged = day.load()
    stop = proxy.stop_at(text, moment)
    with day.watched(), day.connect(proxy.port) as clickhouse:
        doing = killed_at(stop, day.server, lambda: publish(clickhouse, day.manifest, staged))
        if text == LOADS:
            assert isinstance(doing.exception(), OutcomeUnknown)
            publish(clickhouse, day.manifest, staged, "2")
        else:
            doing.result()
        check_day(clickhouse, day.directory, day.manifest, "1")
    day.require(NEW, by="new run")


def test_lost_rows_are_not_sent_again_without_the_lease(day: ImportDay, proxy: Proxy):
    """Connection and lease go together: another may have imported since."""
    staged = day.load()
    cut = proxy.reset_at(ROWS)

    def check_lease() -> None:
        if cut.is_reached:
            raise LeaseLost(day.lease)

    with day.connect(proxy.port) as clickhouse:
        with pytest.raises(LeaseLost):
            publish(clickhouse, day.manifest, staged, check_lease=check_lease)
        assert dict(seen(clickhouse)).items() >= OLD.items()


def test_two_imports_take_turns(day: ImportDay, proxy: Proxy, postgres: Proxy, dsn: Callable):
    """The second is told who publishes; when the first is done it counts."""
    newer = Newer(day, dsn(postgres))
    stop = proxy.stop_at(ROWS, nth=2)
    with day.watched(), newer.older(day.load(), proxy) as first:
        stop.wait()
        with newer.publisher() as refused:
            assert f"lease '{day.lease}' is held by 'publish of new run'. Next: try again" in refused.error()
        stop.release()
        first.result()
        newer.publish()
        with day.connect() as clickhouse:
            check_day(clickhouse, day.directory, day.manifest, "1")
        newer.check()
    day.require(NEWER, by="newer run")


@pytest.mark.parametrize("point", LATE)
def test_what_comes_late_changes_nothing(
    day: ImportDay, proxy: Proxy, postgres: Proxy, dsn: Callable, point: str
):
    """The network held the statement of a publisher back; its lease ended and a newer file was imported.

    The server takes the statement and inserts nothing: the newer values stay, `loads` says whose they are.
    """
    text, nth, said = LATE[point]
    newer = Newer(day, dsn(postgres))
    stop = proxy.stop_at(text, nth=nth)
    with day.watched(), newer.older(day.load(), proxy) as late:
        stop.wait()
        postgres.reset_all()
        newer.publish()
        stop.release()
        assert said in late.error()
        newer.check()
    forget(day)
    day.require(NEWER, by="newer run")


def test_a_statement_that_outlives_its_publisher_is_waited_for(
    day: ImportDay, proxy: Proxy, postgres: Proxy, dsn: Callable
):
    """The publisher is killed, the server goes on: a newer file is imported after it, not under it."""
    newer, staged = Newer(day, dsn(postgres)), day.load()
    stop = proxy.stop_at(ROWS)
    with Proxy(day.server.port) as other, day.watched(), newer.older(staged, proxy) as older:
        asks_again, inserts = other.stop_at(b"system.processes", nth=2), other.stop_at(ROWS)
        with going_on(day, stop, staged[0]) as statement:
            older.kill()
            with newer.publisher(port=other.port) as task:
                asks_again.wait()
                assert is_running(day)
                statement.release()
                asks_again.release()
                inserts.wait()
                assert not is_running(day)
                inserts.release()
                task.result()
        newer.check()
    forget(day)
    day.require(NEWER, by="newer run")


def test_a_statement_that_outlives_its_lease_is_found(
    day: ImportDay, proxy: Proxy, postgres: Proxy, dsn: Callable
):
    """It began before the newer file was in `loads`, and ended after: red, and the next try is exact."""
    newer, staged = Newer(day, dsn(postgres)), day.load()
    stop = proxy.stop_at(ROWS)
    with Proxy(day.server.port) as other, day.watched(), newer.older(staged, proxy) as late:
        stop.wait()
        postgres.reset_all()
        before_loads = other.stop_at(LOADS)
        with newer.publisher(port=other.port) as task:
            before_loads.wait()
            with going_on(day, stop, staged[0]) as statement:
                asks = other.stop_at(b"system.processes")
                before_loads.release()
                asks.wait()
                assert is_running(day)
                statement.release()
                asks.release()
                assert "readers see rows=" in task.error()
        assert "LeaseLost" in late.error()
        newer.publish("2")
        newer.check()
    forget(day)
    day.require(NEWER, by="newer run")


class Newer:
    """A run that has loaded a newer file, and publishes under the lease of `postgres`."""

    def __init__(self, day: ImportDay, postgres: str) -> None:
        self.day, self.postgres = day, postgres
        self.directory, self.manifest = day.stage("newer run", NEWER)
        with day.connect() as clickhouse:
            self.staged = load(clickhouse, self.directory, self.manifest)

    def older(self, staged: list, proxy: Proxy) -> TaskProcess:
        """The publisher of the older file, under the same lease."""
        given = {"staged": staged, "port": proxy.port, "postgres": self.postgres}
        return TaskProcess(self.day, "publish", "1", **given)

    def publisher(self, port: int | None = None) -> TaskProcess:
        """A try of `publish`, in a process of its own."""
        given = {"staged": self.staged, "directory": self.directory, "postgres": self.postgres}
        return TaskProcess(self.day, "publish", "1", port=port, **given)

    @stamina.retry(on=LeaseTaken, attempts=None, timeout=30)  # Postgres sees a moment later who is gone
    def publish(self, attempt: str = "1") -> None:
        """Publish, here and now."""
        connect = partial(psycopg2.connect, self.postgres)
        with lease(connect, self.day.lease, "newer") as held, self.day.connect() as clickhouse:
            publish(clickhouse, self.manifest, self.staged, attempt, check_lease=held.check)

    def check(self) -> None:
        """Require every value of it."""
        with self.day.connect() as clickhouse:
            check_day(clickhouse, self.directory, self.manifest, "1")


@contextmanager
def going_on(day: ImportDay, stop: Stop, part: StagedPart) -> Iterator[Stop]:
    """Let the statement about `part` that stands still go on: the server is at it until it is released."""
    stop.wait()
    columns, login = ", ".join(PHRASES_VIEWS.columns), f"'{day.server.user}', '{day.server.password}'"
    with Proxy(day.server.port) as slow, day.connect() as clickhouse:
        clickhouse.execute(f"RENAME TABLE {part.staging_table} TO slow__stg_rows")
        there = f"remote('127.0.0.1:{slow.port}', {day.database}, slow__stg_rows, {login})"
        clickhouse.execute(f"CREATE VIEW {part.staging_table} AS SELECT {columns} FROM {there}")
        statement = slow.stop_at(b"SELECT campaign_id")
        stop.release()
        statement.wait()
        yield statement


def is_running(day: ImportDay) -> bool:
    """Whether the server is at an INSERT of staged rows."""
    running = f"SELECT count() FROM system.processes WHERE query LIKE '{ROWS.decode()}%%'"
    with day.connect() as clickhouse:
        return clickhouse.execute(running) != [(0,)]


def forget(day: ImportDay) -> None:
    """Drop what the older run has staged, as age does."""
    with day.connect() as clickhouse:
        for table in staging_tables(clickhouse):
            clickhouse.execute(f"DROP TABLE {table}")
