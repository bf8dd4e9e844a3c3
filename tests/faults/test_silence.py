"""Connections that stay open and carry nothing, packets that arrive too late, staging that lost its rows."""

import pytest

from include.clickhouse.errors import DayMismatch, OutcomeUnknown, Refused
from include.clickhouse.publish import check_day
from tests.faults.day import LAST_AUTHOR, NEW, FaultyDay
from tests.faults.proxy import ANSWERED, BEFORE, INSIDE, Proxy
from tests.integration.clickhouse.days import COMMITS, DAY, OTHER_DAY, load, publish, staging_tables, stored

POINTS = {
    "create": (b"CREATE TABLE", BEFORE),
    "rows": (LAST_AUTHOR, INSIDE),
    "after the rows": (LAST_AUTHOR, ANSWERED),
    "count": (b"SELECT count()", ANSWERED),
}


@pytest.mark.parametrize("point", POINTS)
def test_a_server_that_falls_silent_during_a_load(day: FaultyDay, proxy: Proxy, point: str):
    """After the connection's time limit the error names the statement and the wait; the next try is exact."""
    stop = proxy.stop_at(*POINTS[point])
    with day.watched() as reader, day.connect(proxy.port, send_receive_timeout=0.5) as clickhouse:
        with pytest.raises(OutcomeUnknown, match=r"no answer to '.* \(.*timed? ?out") as caught:
            day.load_last_part(clickhouse, "1")
        assert "may or may not have been carried out" in str(caught.value)
        assert len(reader.seen) == 1
        stop.reset()
        day.next_run()


def test_a_change_that_arrives_when_it_has_been_made_already(day: FaultyDay, proxy: Proxy):
    """The network delivers REPLACE after the publication: its source is gone by then, nothing changes."""
    stop = proxy.stop_at(b"REPLACE PARTITION", nth=2)
    with day.watched(), day.connect() as straight:
        staged = load(straight, day.directory, day.manifest)
        with day.connect(proxy.port, send_receive_timeout=0.5) as clickhouse:
            publish(clickhouse, day.manifest, staged)
        stop.release()
        check_day(straight, day.directory, day.manifest, "1")
    day.require_published(day.manifest, day.rows)


@pytest.mark.parametrize("table", ["repositories_positions", COMMITS.name])
def test_staging_that_lost_its_rows_never_empties_the_day(day: FaultyDay, table: str):
    """REPLACE from a table without the day would wipe it on 18.16: it is counted first."""
    with day.watched() as reader, day.connect() as clickhouse:
        staged = load(clickhouse, day.directory, day.manifest)
        for part in staged:
            if part.table == table:
                clickhouse.execute(f"TRUNCATE TABLE {part.staging_table}")
        with pytest.raises((DayMismatch, Refused), match=r"rows=0.*Next: clear task load with all after it"):
            publish(clickhouse, day.manifest, staged)
        assert len(reader.seen) == 1
        assert stored(clickhouse)
    day.next_run()


def test_an_interrupted_source_leaves_nothing_in_sight(day: FaultyDay):
    """A file cut short after it was staged: what went before it is in a staging table only, and goes."""
    part = day.manifest.tables[COMMITS.name].parts[-1]
    path = day.directory / part.file
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with day.watched() as reader, day.connect() as clickhouse:
        with pytest.raises(
            Exception, match=f"staging file .*{part.file} is damaged .*clear task some_task with all after it"
        ):
            load(clickhouse, day.directory, day.manifest)
        assert len(reader.seen) == 1
        assert staging_tables(clickhouse)
    path.write_bytes(whole)
    day.next_run()


DAMAGE = {
    "doubled": f"INSERT INTO {{}} SELECT * FROM {{}} WHERE author = 'author №{NEW - 1}'",
    "strange": f"INSERT INTO {{}} SELECT toDate('{DAY}'), 'octo/repo', 'stranger', 1",
    "misplaced": f"INSERT INTO {{}} SELECT toDate('{OTHER_DAY}'), 'octo/repo', 'stranger', 1",
    "lost": f"ALTER TABLE {{}} DROP PARTITION '{DAY}'",
    "lost elsewhere": f"ALTER TABLE {{}} DROP PARTITION '{OTHER_DAY}'",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_oracle_of_these_tests_can_fail(day: FaultyDay, damage: str):
    """It sees a row that is doubled, strange, misplaced or lost."""
    day.next_run()
    table = f"{day.database}.{COMMITS.name}"
    day.server.execute(DAMAGE[damage].format(table, table))
    with pytest.raises(AssertionError):
        day.require_published(day.manifest, day.rows)
