"""A day of the main job on a cluster, with servers that are down and publishers that are killed."""

import os
import signal

import pytest

from include.clickhouse.contents import contents
from include.clickhouse.errors import ConnectionMistake, DayMismatch, Refused
from tests.cluster.conftest import HOME, ClusterDay
from tests.faults.day import NEW, OLD, Reader
from tests.integration.clickhouse.days import COMMITS, DAY, load, publish, run, stored

OTHER = 3 - HOME
NOT_BEHIND = {(HOME, 1): NEW, (HOME, 2): NEW}


def on_home(day: ClusterDay) -> dict:
    """Rows of the day by replica of its shard; of the day before, they are on the other one."""
    return {place: rows for place, rows in day.place.counts(COMMITS.name).items() if place[0] == HOME}


def test_a_day_equals_the_truth_on_every_server(day):
    """All of it lies on one shard, on both replicas, and each server shows readers all of it."""
    day.next_run()
    assert on_home(day) == NOT_BEHIND
    for shard, replica in day.place.cluster.nodes:
        with day.connect(shard=shard, replica=replica) as clickhouse:
            assert sorted(stored(clickhouse)) == sorted(day.rows)
            assert clickhouse.execute("SELECT count() FROM repositories FINAL") == [(9,)]


def test_readers_of_another_server_see_the_old_day_or_the_new_one(day):
    """Whatever replica the server asks, while the day is published over and over."""
    readers = [Reader(lambda r=r: day.connect(shard=OTHER, replica=r)) for r in (1, 2)]
    with day.connect() as clickhouse:
        old = contents(clickhouse, COMMITS, DAY.isoformat())
        for again in range(3):
            run(clickhouse, day.root, f"old run, {again}", (COMMITS, day.old_rows))
            staged = load(clickhouse, day.directory, day.manifest, attempt=str(again))
            publish(clickhouse, day.manifest, staged, attempt=str(again))
        new = contents(clickhouse, COMMITS, DAY.isoformat())
    for reader in readers:
        reader.stop()
        assert reader.seen == {old, new}


@pytest.mark.parametrize("changes", [1, 3, 5])
def test_a_publisher_killed_between_two_tables(day, changes):
    """The next try publishes all; until then each table is the old one or the new one."""
    with day.connect() as clickhouse:
        staged = load(clickhouse, day.directory, day.manifest)
    if not (publisher := os.fork()):
        asked = iter(range(changes))

        def kill_before_the_next() -> None:
            if next(asked, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            with day.connect() as clickhouse:
                publish(clickhouse, day.manifest, staged, still_allowed=kill_before_the_next)
        finally:
            os._exit(1)
    assert os.waitpid(publisher, 0)[1] == signal.SIGKILL
    with day.connect(shard=2) as clickhouse:
        assert sorted(stored(clickhouse)) in (sorted(day.old_rows), sorted(day.rows))
    day.next_run()


@pytest.mark.parametrize("replica", [1, 2])
def test_a_replica_is_down_while_the_day_is_published(day, replica, caplog):
    """The other takes the day, the log names the one that is down, and that one catches up later."""
    day.place.cluster.nodes[HOME, replica].kill()
    asked = {"shard": OTHER}
    with day.connect(**asked) as clickhouse:
        publish(clickhouse, day.manifest, load(clickhouse, day.directory, day.manifest))
    assert f"replica {replica} of shard {HOME}" in caplog.text
    assert on_home(day) == {(HOME, 3 - replica): NEW}
    day.place.cluster.restart()
    node = day.place.cluster.nodes[HOME, replica]
    node.execute(f"SYSTEM SYNC REPLICA {day.place.name}_shard.{COMMITS.name}")
    assert on_home(day) == NOT_BEHIND


def test_a_shard_is_down(day):
    """Nothing is published and nothing half read; the errors name the servers and the next step."""
    for replica in (1, 2):
        day.place.cluster.nodes[OTHER, replica].kill()
    ports = [day.place.cluster.nodes[OTHER, replica].port for replica in (1, 2)]
    with day.connect(shard=HOME) as clickhouse:
        with pytest.raises(ConnectionMistake, match="Next: start one of them") as nobody:
            load(clickhouse, day.directory, day.manifest)
        with pytest.raises(Refused, match="Next: start one of these servers") as half:
            stored(clickhouse)
    for port in ports:
        assert f":{port}" in str(nobody.value)
        assert f":{port}" in str(half.value)
    day.place.cluster.restart()
    day.require_old()
    day.next_run()


def test_a_day_stays_on_the_shard_that_has_it(day):
    """As after the number of shards has changed; a day on two shards is refused, by name of both."""
    rows, moved = f"{day.place.name}_shard.{COMMITS.name}", "2026-08-20"
    copy = f"INSERT INTO {rows} SELECT * FROM {day.place.name}.{COMMITS.name} WHERE date = '{moved}'"
    day.place.cluster.nodes[OTHER, 1].execute(copy)
    with day.connect() as clickhouse:
        with pytest.raises(DayMismatch, match=r"its rows are on shards 1, 2.*DROP PARTITION"):
            load(clickhouse, day.directory, day.manifest)
        for table in ("repositories_positions", COMMITS.name):
            drop = f"ALTER TABLE {day.place.name}_shard.{table} DROP PARTITION '{moved}'"
            day.place.cluster.nodes[HOME, 1].execute(drop)
    day.next_run()
    assert set(on_home(day).values()) == {0}


def test_a_replica_that_is_behind_is_waited_for(day, monkeypatch, caplog):
    """And named when it takes too long; readers of it see the old day, whole, until it has the new one."""
    monkeypatch.setattr("include.clickhouse.cluster.REPLICA_WAIT_S", 1)
    behind = day.place.cluster.nodes[HOME, 2]
    behind.execute("SYSTEM STOP FETCHES")
    with day.connect(shard=OTHER) as clickhouse:
        publish(clickhouse, day.manifest, load(clickhouse, day.directory, day.manifest))
    assert on_home(day) == {(HOME, 1): NEW, (HOME, 2): OLD}
    assert f"replica 2 of shard {HOME}" in caplog.text
    behind.execute("SYSTEM START FETCHES")
    behind.execute(f"SYSTEM SYNC REPLICA {day.place.name}_shard.{COMMITS.name}")
    assert on_home(day) == NOT_BEHIND
