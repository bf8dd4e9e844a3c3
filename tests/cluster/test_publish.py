"""A day of the main job on a cluster, with servers that are down and publishers that are killed."""

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from include.clickhouse.cluster import await_replicas
from include.clickhouse.errors import DayMismatch, Refused, UnusableConnection
from include.clickhouse.fingerprint import fingerprint
from include.clickhouse.publish import check_day
from include.staging.manifest import Manifest
from tests.cluster.conftest import HOME, ClusterDay
from tests.faults.day import NEW, OLD, Reader
from tests.integration.clickhouse.days import COMMITS, DAY, commits, load, publish, run, stage, stored
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.clickhouse_cluster import SHARDS

OTHER = 3 - HOME
LATER = DAY + timedelta(days=SHARDS)  # of the same shard
CLEAR_LOAD = "Next: clear task load with all after it"
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
        old = fingerprint(clickhouse, COMMITS, DAY.isoformat())
        for again in range(2):
            run(clickhouse, day.root, f"old run, {again}", (COMMITS, day.old_rows))
            staged = load(clickhouse, day.directory, day.manifest, attempt=str(again))
            publish(clickhouse, day.manifest, staged, attempt=str(again))
        new = fingerprint(clickhouse, COMMITS, DAY.isoformat())
    for reader in readers:
        reader.stop()
        assert reader.seen == {old, new}


def test_a_publisher_killed_between_two_tables(day):
    """The next try publishes all; until then each table is the old one or the new one."""
    before = day.old_rows
    for changes in (1, 3, 5):
        day.rows = commits(NEW, who=f"author {changes}")
        day.directory, day.manifest = day.stage(f"run {changes}", day.rows)
        publish_and_be_killed(day, changes)
        with day.connect(shard=2) as clickhouse:
            assert sorted(stored(clickhouse)) in (sorted(before), sorted(day.rows))
        day.next_run()
        before = day.rows


def publish_and_be_killed(day: ClusterDay, changes: int) -> None:
    """In a process of its own, after so many changes in sight."""
    with day.connect() as clickhouse:
        staged = load(clickhouse, day.directory, day.manifest)
    if not (publisher := os.fork()):
        asked = iter(range(changes))

        def kill_before_the_next() -> None:
            if next(asked, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            with day.connect() as clickhouse:
                publish(clickhouse, day.manifest, staged, check_lease=kill_before_the_next)
        finally:
            os._exit(1)
    assert os.waitpid(publisher, 0)[1] == signal.SIGKILL


def test_a_replica_is_down_while_the_day_is_published(day, caplog):
    """The other takes the day, the log names the one that is down, and that one catches up later.

    Also where it is the connection's own server, with another in alt_hosts.
    """
    cluster = day.place.cluster
    for replica, rows in ((1, NEW), (2, NEW + 1)):
        directory, manifest = day.stage(f"run without {replica}", commits(rows))
        node, other = cluster.nodes[HOME, replica], cluster.nodes[HOME, 3 - replica]
        node.kill()
        alt_hosts = f"127.0.0.1:{other.port}"
        with day.connect(shard=HOME, replica=replica, alt_hosts=alt_hosts) as clickhouse:
            publish(clickhouse, manifest, load(clickhouse, directory, manifest))
        assert f"replica {replica} of shard {HOME}" in caplog.text
        assert on_home(day) == {(HOME, 3 - replica): rows}
        cluster.restart()
        for table in (*manifest.tables, "loads"):  # or the other one would go down with rows it alone has
            node.execute(f"SYSTEM SYNC REPLICA {day.place.name}_shard.{table}")
        assert on_home(day) == {(HOME, 1): rows, (HOME, 2): rows}


def test_a_replica_comes_back_between_load_and_publish(day):
    """What was loaded without it is published from the server that has it."""
    first = day.place.cluster.nodes[HOME, 1]
    first.kill()
    with day.connect(shard=OTHER) as clickhouse:
        staged = load(clickhouse, day.directory, day.manifest)
    first.start()
    with day.connect(shard=OTHER) as clickhouse:
        publish(clickhouse, day.manifest, staged)
        check_day(clickhouse, day.directory, day.manifest, "1")  # by what the other server has kept for it
    assert set(on_home(day).values()) == {NEW}
    assert day.place.staging_tables() == set()


def test_a_replica_goes_down_between_load_and_publish(day):
    """The error names it; loaded anew, without it, the day is published."""
    with day.connect(shard=OTHER) as clickhouse:
        staged = load(clickhouse, day.directory, day.manifest)
    day.place.cluster.nodes[HOME, 1].kill()
    with (
        day.connect(shard=OTHER) as clickhouse,
        pytest.raises(DayMismatch, match=f"replica 1 of shard {HOME} does not answer.*{CLEAR_LOAD}"),
    ):
        publish(clickhouse, day.manifest, staged)
    day.next_run()


def test_a_replica_goes_down_while_the_parts_are_loaded(day):
    """Some are here, some there: the error names both servers; loaded anew the day is published."""
    with day.connect(shard=OTHER) as clickhouse:
        before = load(clickhouse, day.directory, day.manifest)
    day.place.cluster.nodes[HOME, 1].kill()
    with day.connect(shard=OTHER) as clickhouse:
        last = day.load_last_part(clickhouse, "2")
    day.place.cluster.restart()
    places = rf"replica 1 of shard {HOME} has 4 of 5; .*replica 2 of shard {HOME} has 1 of 5"
    with (
        day.connect(shard=OTHER) as clickhouse,
        pytest.raises(DayMismatch, match=f"{places}.*{CLEAR_LOAD}"),
    ):
        publish(clickhouse, day.manifest, [*before[:-1], last])
    day.require_old()
    day.next_run()
    assert day.place.staging_tables() == set()


def test_a_shard_is_down(day):
    """Nothing is published and nothing half read; the errors name the servers and the next step."""
    for replica in (1, 2):
        day.place.cluster.nodes[OTHER, replica].kill()
    ports = [day.place.cluster.nodes[OTHER, replica].port for replica in (1, 2)]
    with day.connect(shard=HOME) as clickhouse:
        with pytest.raises(UnusableConnection, match="Next: start one of them, or can this worker") as nobody:
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
    """And named when it takes too long; readers of it see the old day, whole."""
    monkeypatch.setattr("include.clickhouse.replicas.REPLICA_WAIT_S", 1)
    behind = day.place.cluster.nodes[HOME, 2]
    behind.execute("SYSTEM STOP FETCHES")
    with day.connect(shard=OTHER) as clickhouse:
        publish(clickhouse, day.manifest, load(clickhouse, day.directory, day.manifest))
    assert on_home(day) == {(HOME, 1): NEW, (HOME, 2): OLD}
    assert f"replica 2 of shard {HOME}" in caplog.text


def test_where_a_day_lies_is_asked_of_a_replica_that_knows(day, monkeypatch):
    """Not of one that is behind; where there is no other, nothing is loaded: it could lie on two shards."""
    monkeypatch.setattr("include.clickhouse.replicas.REPLICA_WAIT_S", 3)
    directory, manifest = later_day(day)
    behind, ahead = (day.place.cluster.nodes[OTHER, replica] for replica in (1, 2))
    leave_behind(day, behind, ahead)
    with day.connect(shard=HOME) as clickhouse:
        load(clickhouse, directory, manifest)
        assert f"of shard {OTHER}" in clickhouse.where
    ahead.kill()
    with (
        day.connect(shard=HOME) as clickhouse,
        pytest.raises(DayMismatch, match=f"replica 1 of shard {OTHER}.*start the other servers") as unknown,
    ):
        load(clickhouse, directory, manifest)
    assert f":{behind.port}" in str(unknown.value)


def test_where_a_day_lies_is_asked_of_an_active_replica_first(day, caplog):
    """Nobody waits for one that was killed and is not active yet."""
    caplog.set_level("INFO", "include.clickhouse.replicas")
    directory, manifest = later_day(day)
    behind, ahead = (day.place.cluster.nodes[OTHER, replica] for replica in (1, 2))
    leave_behind(day, behind, ahead)
    behind.kill()
    behind.start()
    with day.connect(shard=HOME) as clickhouse:
        load(clickhouse, directory, manifest)
        assert f"of shard {OTHER}" in clickhouse.where
    assert "Waiting for it" not in caplog.text


def test_where_a_day_lies_is_not_known_to_a_replica_that_is_not_active(day, monkeypatch):
    """A server that was killed and answers again says that it has all, until it has read its queue."""
    monkeypatch.setattr("include.clickhouse.replicas.REPLICA_WAIT_S", 3)
    directory, manifest = later_day(day)
    behind, ahead = (day.place.cluster.nodes[OTHER, replica] for replica in (1, 2))
    leave_behind(day, behind, ahead)
    behind.kill()
    ahead.kill()
    behind.start()
    with (
        day.connect(shard=HOME) as clickhouse,
        pytest.raises(DayMismatch, match=f"replica 1 of shard {OTHER}.*start the other servers"),
    ):
        load(clickhouse, directory, manifest)


def test_a_replica_that_answers_and_is_not_active_is_waited_for(day):
    """It says at once that it has all; it is waited for until it has what it was to fetch before the kill."""
    behind, ahead = (day.place.cluster.nodes[HOME, replica] for replica in (2, 1))
    leave_behind(day, behind, ahead)
    behind.kill()
    behind.start()
    with day.connect(shard=OTHER) as clickhouse:
        await_replicas(clickhouse, COMMITS.name)
    count = f"SELECT count() FROM {day.place.name}_shard.{COMMITS.name}"
    assert behind.execute(count) == ahead.execute(count)


def later_day(day: ClusterDay) -> tuple[Path, Manifest]:
    """Stage a day that would go to shard HOME, where there is no row of it."""
    return stage(day.root, "later run", (COMMITS, commits(10, LATER)), day=LATER)


def leave_behind(day: ClusterDay, behind: ClickHouseServer, ahead: ClickHouseServer) -> None:
    """Insert a row of the later day on the one replica; the other knows of it and does not fetch it."""
    rows = f"{day.place.name}_shard.{COMMITS.name}"
    behind.execute("SYSTEM STOP FETCHES")
    ahead.execute(f"INSERT INTO {rows} SELECT '{LATER}', 'octo/repo', 'author', 1")
    replica = f"database = '{day.place.name}_shard' AND table = '{COMMITS.name}'"
    queue = f"SELECT queue_size FROM system.replicas WHERE {replica}"
    deadline = time.monotonic() + 30
    while behind.execute(queue) == "0":
        assert time.monotonic() < deadline, "the replica does not know of the row"
        time.sleep(0.02)
