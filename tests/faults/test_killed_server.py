"""clickhouse-server is killed (SIGKILL) or stopped (SIGTERM) at named points and started again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from include.clickhouse.errors import ClickHouseError, DayMismatch, OutcomeUnknown
from include.clickhouse.fingerprint import Fingerprint
from include.clickhouse.publish import check_day
from tests.faults.day import LAST_AUTHOR, NEW, OLD, POSITIONS, FaultyDay
from tests.faults.killed_server import killed_at
from tests.faults.proxy import AFTER, ANSWERED, BEFORE, INSIDE, Proxy
from tests.integration.clickhouse.days import COMMITS, load, publish
from tests.servers.clickhouse import ClickHouseServer, running_clickhouse

LOAD = {
    "before the insert": (b"INSERT INTO", BEFORE),
    "in the middle of the rows": (LAST_AUTHOR, INSIDE),
    "after the rows": (LAST_AUTHOR, ANSWERED),
}
SETTLED = {
    "during the upsert": (b"INSERT INTO `repositories`", AFTER, 1),
    "after the upsert": (b"INSERT INTO `repositories`", ANSWERED, 1),
    "before the first day": (b"REPLACE PARTITION", BEFORE, 1),
    "between two days": (b"REPLACE PARTITION", ANSWERED, 1),
}
PUBLISH = {
    "while it merges": (b"OPTIMIZE TABLE", AFTER, 2),
    "after the days, before loads": (b"REPLACE PARTITION", ANSWERED, 2),
    "after loads": (b"INSERT INTO `loads`", ANSWERED, 2),
    "while old parts are awaited": (b"system.parts", BEFORE, 1),
}


@pytest.fixture(scope="module")
def clickhouse_server() -> Iterator[ClickHouseServer]:
    """A server of these tests' own."""
    with running_clickhouse() as server:
        yield server


def both(day: FaultyDay) -> Fingerprint:
    """What readers see after a restart that brought replaced parts back: the old day and the new one."""
    parts = [manifest.tables[COMMITS.name] for manifest in (day.old, day.manifest)]
    checksum = sum(each.checksum for each in parts) % 2**64
    return Fingerprint(rows=OLD + NEW, keys=OLD + NEW, checksum=checksum)


@pytest.mark.parametrize("point", LOAD)
def test_the_server_is_killed_while_it_takes_rows(day: FaultyDay, proxy: Proxy, point: str):
    """Nothing is in sight; the error says what to look for; the next try is exact."""
    text, moment = LOAD[point]
    stop = proxy.stop_at(text, moment)
    with day.watched() as reader, day.connect(proxy.port) as clickhouse:
        doing = killed_at(stop, day.server, lambda: day.load_last_part(clickhouse, "1"))
        with pytest.raises(OutcomeUnknown, match=r"Next: look in the server's log why .* \(restart\?"):
            doing.result()
        assert len(reader.seen) == 1
        day.require_old()
        day.next_run()


@pytest.mark.parametrize("point", SETTLED)
def test_the_server_is_killed_while_it_brings_rows_into_sight(day: FaultyDay, proxy: Proxy, point: str):
    """The same try asks the server that came back and ends well, whatever the restart brought back."""
    text, moment, nth = SETTLED[point]
    with day.connect() as straight:
        staged = load(straight, day.directory, day.manifest)
    stop = proxy.stop_at(text, moment, nth)
    with day.watched(both(day)), day.connect(proxy.port) as clickhouse:
        killed_at(stop, day.server, lambda: publish(clickhouse, day.manifest, staged)).result()
        check_day(clickhouse, day.directory, day.manifest, "1")
    day.require_published(day.manifest, day.rows)


@pytest.mark.parametrize("point", PUBLISH)
def test_the_server_is_killed_beside_that(day: FaultyDay, proxy: Proxy, point: str):
    """The next try of publish alone is exact."""
    text, moment, nth = PUBLISH[point]
    with day.connect() as straight:
        staged = load(straight, day.directory, day.manifest)
    stop = proxy.stop_at(text, moment, nth)
    with day.watched(both(day)), day.connect(proxy.port) as clickhouse:
        doing = killed_at(stop, day.server, lambda: publish(clickhouse, day.manifest, staged))
        assert isinstance(doing.exception(), OutcomeUnknown | DayMismatch)
        publish(clickhouse, day.manifest, staged, "2")
        check_day(clickhouse, day.directory, day.manifest, "2")
    day.require_published(day.manifest, day.rows)


def ended_in_time(day: FaultyDay, end: Callable[[ClickHouseServer], object]) -> bool:
    """Publish and end the server; tell whether that was before it had deleted what was replaced."""
    with day.connect() as clickhouse:
        publish(clickhouse, day.manifest, load(clickhouse, day.directory, day.manifest))
        of_table = {"database": day.database, "table": POSITIONS.name}
        parts = "system.parts WHERE database = %(database)s AND table = %(table)s AND NOT active"
        replaced = clickhouse.execute(f"SELECT name FROM {parts}", of_table)
    end(day.server)
    return any([*day.server.directory.rglob(f"{POSITIONS.name}/{name}")] for (name,) in replaced)


@pytest.mark.parametrize("end", [ClickHouseServer.kill, ClickHouseServer.stop], ids=["SIGKILL", "SIGTERM"])
def test_a_restart_that_brings_the_old_day_back_is_found_and_mended(
    day: FaultyDay, end: Callable, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    """Publishing gave up waiting and said so; the server ended before it had deleted what was replaced.

    The check is red, names the table, the day and the next step, and the next step mends it. The server
    deletes at moments of its own, ten seconds apart: where one of them came first, another day is published.
    """
    for number in range(10):
        if number:
            day = FaultyDay(day.server, f"{day.database}_{number}", tmp_path / str(number))
        caplog.clear()
        with day.watched(both(day)):
            in_time = ended_in_time(day, end)
            assert "replaced parts are still on disk" in caplog.text
            day.server.start()
            if not in_time:
                continue
            with (
                day.connect() as clickhouse,
                pytest.raises(DayMismatch, match=r"rows=17 keys=9.*Next: clear task load with all after it"),
            ):
                check_day(clickhouse, day.directory, day.manifest, "1")
            day.next_run()
            return
    pytest.fail("the server always deleted what was replaced before it ended")


def test_old_rows_that_come_back_while_staging_is_dropped_are_found(day: FaultyDay, proxy: Proxy):
    """Publishing can neither finish nor mend it, changes nothing, and names the next step, which does."""
    with day.connect() as straight:
        staged = load(straight, day.directory, day.manifest)
    stop = proxy.stop_at(b"DROP TABLE IF EXISTS", ANSWERED, nth=3)
    with day.watched(both(day)), day.connect(proxy.port) as clickhouse:
        killed_at(stop, day.server, lambda: publish(clickhouse, day.manifest, staged)).result()
        with pytest.raises(DayMismatch, match=r"restart\?\)\. Next: clear task load with all after it"):
            publish(clickhouse, day.manifest, staged, "2")
        day.next_run()


def test_a_server_that_restarts_between_two_statements_is_found_again(day: FaultyDay):
    """An idle connection that died is opened anew: no session state is lost, as none is used."""
    with day.connect() as clickhouse:
        staged = load(clickhouse, day.directory, day.manifest)
        day.server.kill()
        day.server.start()
        publish(clickhouse, day.manifest, staged)
    day.require_published(day.manifest, day.rows)


def test_a_server_that_stays_down_is_named(day: FaultyDay):
    """At once and with the fields of the connection, before anything is sent; the next run is exact."""
    with day.connect() as clickhouse:
        staged = load(clickhouse, day.directory, day.manifest)
    day.server.stop()
    with day.connect() as clickhouse, pytest.raises(ClickHouseError) as caught:
        publish(clickhouse, day.manifest, staged)
    assert str(caught.value).startswith("connection 'clickhouse_default', field host or port: no connection")
    day.server.start()
    day.next_run()
