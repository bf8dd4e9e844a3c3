"""Faults while a topic is read: tasks, the broker and ClickHouse are killed; each message is there once."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from include.kafka.errors import BrokerUnusable
from include.kafka.session import KafkaSession
from tests.faults.kafka_process import client, killed_try
from tests.faults.killed_server import killed_at
from tests.faults.proxy import AFTER, ANSWERED, Proxy
from tests.integration.clickhouse.days import staging_tables
from tests.integration.kafka.place import Place, event
from tests.servers.clickhouse import ClickHouseServer, running_clickhouse
from tests.servers.kafka import KafkaBroker, needs_kafka

pytestmark = needs_kafka

ROWS, LETTERS, LEDGER = (
    f"INSERT INTO `{table}` (" for table in ("user_events", "kafka_dead_letters", "kafka_offsets")
)
EACH = [(0, 0, offset) for offset in range(2500)]
KILLED = {
    "before the first rows": (f"{ROWS}`user_id`", 1, False),
    "after the rows": (LETTERS, 1, False),
    "between rows and ledger": (LEDGER, 1, False),
    "after the ledger": (LEDGER, 1, True),
    "before the record of the batch": ("INSERT INTO `loads_by_unit`", 1, False),
    "while staging is dropped": ("DROP TABLE IF EXISTS `user_events__stg_", 2, True),
}


@pytest.fixture(params=["18.16 native", "26.9 embedded"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """What client() makes a client of."""
    if request.param == "26.9 embedded":
        return {"path": str(tmp_path / "chdb")}
    server = request.getfixturevalue("clickhouse_server")
    database = request.getfixturevalue("clickhouse_database")
    server.execute(f"CREATE DATABASE IF NOT EXISTS {database}")
    login = {"user": server.user, "password": server.password}
    return {"host": server.host, "port": server.port, "database": database, **login}


@pytest.fixture
def place(kafka: KafkaBroker, topic: str, engine: dict[str, Any], tmp_path: Path) -> Place:
    """A topic with rows and a dead letter, and a half of the run's rows as another try left them."""
    place = Place(kafka.options(), topic, lambda: client(engine), tmp_path / "staging")
    kafka.create(topic)
    # Small batches: a client takes whole ones, and is not to have all of them at once.
    kafka.produce(topic, [*map(event, range(2500)), b"no event"], batch_num_messages=500)
    return place


def require_exact(place: Place) -> None:
    """Each message is there once, the ledger has one line, and nothing is left behind."""
    assert place.offsets() == EACH
    assert [letter[1] for letter in place.letters()] == [2500]
    assert place.ledger() == [(0, 0, 0, 2501, 2500, 1, 0, 0, 0)]
    assert place.plan("next").ranges == ()


@pytest.mark.parametrize("where", KILLED)
def test_a_publisher_is_killed(place: Place, engine: dict[str, Any], where: str):
    """At any statement; the next try of the run is exact, and so is a run after it."""
    plan = place.plan()
    killed_try(place, engine, plan, *KILLED[where])
    place.finish(place.stage(plan))
    require_exact(place)


@pytest.mark.parametrize("where", ["after the rows", "between rows and ledger", "after the ledger"])
def test_a_run_that_was_killed_is_never_tried_again(place: Place, engine: dict[str, Any], where: str):
    """The next run takes the same offsets, or goes on behind them."""
    killed_try(place, engine, place.plan(), *KILLED[where])
    place.run("another run")
    require_exact(place)


@contextmanager
def at_the_first_messages(do):
    """Do something when the first messages of a batch have been read."""
    read = KafkaSession.read

    def reading(self, *arguments):
        for number, some in enumerate(read(self, *arguments)):
            yield some
            if not number:
                do()

    with patch.object(KafkaSession, "read", reading):
        yield


# ClickHouse is not asked before the messages are read: half a minute for one engine is enough.
WHILE_STAGING = pytest.mark.parametrize("engine", ["18.16 native"], indirect=True)


@WHILE_STAGING
def test_the_broker_is_killed_while_it_is_read(kafka: KafkaBroker, place: Place):
    """The try is red within its deadline and says what was heard; the next one has the same offsets."""
    plan = place.plan()
    place.options |= {"queued.min.messages": 1, "fetch.message.max.bytes": 1000}
    with (
        at_the_first_messages(kafka.kill),
        patch("include.kafka.session.CONSUMED_AT_ONCE", 1),
        pytest.raises(BrokerUnusable, match=r"no message within 10 s; .*onnect.* Next: see whether the"),
    ):
        place.stage(plan)
    kafka.start()
    kafka.produce(place.topic, [event()])
    place.finish(place.stage(plan))
    assert place.offsets() == EACH
    assert [each.start for each in place.plan("next").ranges] == [2501]


@WHILE_STAGING
def test_the_broker_is_away_for_a_moment(kafka: KafkaBroker, place: Place):
    """The same try goes on."""
    plan = place.plan()

    def restart() -> None:
        kafka.kill()
        kafka.start()

    place.options |= {"queued.min.messages": 1, "fetch.message.max.bytes": 1000}
    with at_the_first_messages(restart), patch("include.kafka.session.CONSUMED_AT_ONCE", 1):
        manifest = place.stage(plan)
    place.finish(manifest)
    require_exact(place)


@WHILE_STAGING
def test_the_broker_says_nothing(kafka: KafkaBroker, place: Place):
    """It is named within a deadline."""
    with (
        kafka.paused(),
        place.session(answer_wait_s=2) as session,
        pytest.raises(BrokerUnusable, match=f"describe topic {place.topic}: "),
    ):
        session.topic(place.topic)


@pytest.fixture(scope="module")
def killed_server():
    """A server of these tests' own, to be killed."""
    with running_clickhouse() as server:
        yield server


@pytest.mark.parametrize("moment", [AFTER, ANSWERED])
@pytest.mark.parametrize("text", [ROWS.encode(), LEDGER.encode()], ids=["rows", "ledger"])
def test_clickhouse_is_killed_during_a_batch(
    kafka: KafkaBroker,
    topic: str,
    killed_server: ClickHouseServer,
    tmp_path: Path,
    text: bytes,
    moment,
):
    """The same try waits for it, or the next one is exact."""
    server, database = killed_server, f"d_{topic}"
    server.start()
    server.execute(f"CREATE DATABASE {database}")
    login = {"user": server.user, "password": server.password, "database": database, "host": server.host}
    place = Place(
        kafka.options(), topic, lambda: client({**login, "port": server.port}), tmp_path / "staging"
    )
    kafka.create(topic)
    kafka.produce(topic, [*map(event, range(2500)), b"no event"])
    manifest = place.stage(place.plan())
    with place.connect() as clickhouse:
        loaded = place.load(manifest, clickhouse)
    with Proxy(server.port) as proxy:
        stop = proxy.stop_at(text, moment)
        with client({**login, "port": proxy.port}) as clickhouse:
            doing = killed_at(stop, server, lambda: place.publish(manifest, clickhouse, loaded))
        if doing.exception():
            with place.connect() as clickhouse:
                place.publish(manifest, clickhouse, loaded)
    with place.connect() as clickhouse:
        place.check(manifest, clickhouse)
        assert staging_tables(clickhouse) == []
    require_exact(place)
