"""A topic comes in exactly once on a cluster, and its page shows there what it shows on one server."""

import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from include.clickhouse.client import ClickHouse, NativeClient
from include.kafka.reports import TopicReports, read_reports
from include.kafka.sessions import USER_SESSIONS
from include.pages.events import render_events
from tests.cluster.conftest import ClusterDatabase
from tests.integration.kafka.place import NOW, Place, event, visit
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.kafka import KafkaBroker, needs_kafka

pytestmark = needs_kafka


@pytest.fixture
def one_server(clickhouse_server: ClickHouseServer, clickhouse_database: str) -> partial[NativeClient]:
    """What connects to the same tables without a cluster: the oracle."""
    server, database = clickhouse_server, clickhouse_database
    server.execute(f"CREATE DATABASE {database}")
    login = {"user": server.user, "password": server.password}
    return partial(NativeClient, "n", server.host, server.port, database, **login)


def fill(kafka: KafkaBroker, topic: str) -> None:
    """Write events of some hours, actions and months, and messages that are none, to both partitions."""
    for partition in range(2):
        values = [event(997 * n, action=f"action-{n % 7 * n % 5}") for n in range(150)]
        values += [event(event_time=datetime(2010 + n, 1, 1, tzinfo=UTC).isoformat()) for n in range(9)]
        kafka.produce(topic, [*values, b"<b>no event</b>", b"\xff", (b"k", None)], partition)


def reports(place: Place, clickhouse: ClickHouse, run_id: str) -> TopicReports:
    """Read what the page shows."""
    return read_reports(clickhouse, place.dag_id, place.row_type, place.plan(run_id))


@pytest.mark.parametrize("name", ["user_events", "user_sessions"])
def test_the_page_on_a_cluster(
    kafka: KafkaBroker, topic: str, database: ClusterDatabase, one_server, tmp_path: Path, name: str
):
    """Asked of each server, after two runs, with what a third one has left to read."""
    own: tuple[Any, ...] = (USER_SESSIONS,) if name == "user_sessions" else ()
    places = [
        Place(kafka.options(), topic, connect, tmp_path / folder, *own)
        for folder, connect in (("cluster", database.connect), ("one", one_server))
    ]
    kafka.create(topic, 2)
    for run_id in ("run 1", "run 2"):
        if own:
            kafka.produce(topic, map(visit, range(200)))
        else:
            fill(kafka, topic)
        for place in places:
            place.run(run_id)
            assert place.run(f"{run_id} again") is None
    kafka.produce(topic, [event()] * 5, 1)
    with one_server() as clickhouse:
        expected = reports(places[1], clickhouse, "run 3")
        assert expected.rows
        assert sum(each.behind or 0 for each in expected.partitions) == 5
    for shard, replica in database.cluster.nodes:
        with database.connect(shard=shard, replica=replica) as clickhouse:
            found = reports(places[0], clickhouse, "run 3")
        assert found == expected
    assert min(database.counts(name).values()) > 0  # rows are on both shards
    day, args = NOW.date(), {"dag_id": name, "run_id": "run 2", "published_at": NOW}
    pages = [
        render_events(tmp_path / "pages" / folder, each, day, **args)
        for folder, each in (("cluster", found), ("one", expected))
    ]
    files = [{path.name: path.read_bytes() for path in page.iterdir()} for page in pages]
    assert files[0] == files[1]
    assert database.staging_tables() == set()


class Killed(Exception):
    """A try ends without another word."""


def killed_after_the_rows(place: Place, run_id: str) -> None:
    """Publish a batch up to the first statement, which is done; nobody waits for replicas."""
    manifest = place.stage(place.plan(run_id))
    with place.connect() as clickhouse:
        loaded, execute = place.load(manifest, clickhouse), clickhouse.execute

        def watched(query: str, *arguments: Any, **named: Any) -> Any:
            found = execute(query, *arguments, **named)
            if query.startswith("INSERT INTO `user_events` ("):
                raise Killed
            return found

        clickhouse.execute = watched  # type: ignore[method-assign]
        with pytest.raises(Killed):
            place.publish(manifest, clickhouse, loaded)


def test_replicas_that_are_behind_are_waited_for(
    kafka: KafkaBroker, topic: str, database: ClusterDatabase, tmp_path: Path
):
    """Which rows are there is asked of any of them: without that, a row would be inserted once more."""
    place = Place(kafka.options(), topic, database.connect, tmp_path / "staging")
    kafka.create(topic)
    nodes = database.cluster.nodes.values()
    for number in range(6):  # the server that takes rows, and that which is asked, are found by chance
        kafka.produce(topic, [event(n) for n in range(20)])
        for node in nodes:
            node.execute("SYSTEM STOP FETCHES")
        killed_after_the_rows(place, f"run {number}")
        going_on = threading.Timer(2, lambda: [node.execute("SYSTEM START FETCHES") for node in nodes])
        going_on.start()
        place.run(f"another run {number}")
        going_on.join()
        assert place.offsets() == [(0, 0, offset) for offset in range(20 * (number + 1))]
    assert place.plan("next").ranges == ()
