"""A session on librdkafka's own mock cluster, with the sample of the local stack: quick, no semantics."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Producer

from include.kafka.errors import BrokerUnusable, MessagesLost, NoSuchTopic
from include.kafka.events import USER_EVENTS
from include.kafka.ledger import Ledger
from include.kafka.plan import make_plan
from include.kafka.request import BatchRequest
from include.kafka.session import KafkaSession
from include.kafka.sessions import USER_SESSIONS
from include.kafka.staging import stage_batch
from include.kafka_stand_in.__main__ import produce
from include.kafka_stand_in.sample import EVENTS, SESSIONS, messages

NOW = datetime(2026, 8, 20, 6, 30, tzinfo=UTC)
NEW = Ledger(-1, "", "", {})


@pytest.fixture
def producer() -> Producer:
    """A cluster, which lives in the client that fills it."""
    return Producer({"test.mock.num.brokers": 1, "log_level": 0})


@pytest.fixture
def options(producer: Producer) -> dict[str, str]:
    """Those of a client of the cluster, which has the sample."""
    produce(producer, messages(0, 2000, NOW))
    (broker,) = producer.list_topics(timeout=10).brokers.values()
    return {"bootstrap.servers": f"{broker.host}:{broker.port}"}


@pytest.fixture
def session(options: dict[str, str]) -> Iterator[KafkaSession]:
    """A session on it."""
    with KafkaSession("here", options, no_progress_s=3) as session:
        yield session


@pytest.mark.parametrize(
    ("name", "row_type", "rows", "bad"), [(EVENTS, USER_EVENTS, 1792, 8), (SESSIONS, USER_SESSIONS, 200, 0)]
)
def test_the_sample_is_staged(session: KafkaSession, tmp_path: Path, name, row_type, rows: int, bad: int):
    """Of both topics, from all partitions."""
    topic = session.topic(name)
    assert topic.cluster_id.startswith("mockCluster")
    marks, request = session.marks(topic), BatchRequest(topic=name)
    plan = make_plan("here", request, NEW, topic, marks, dag_id="d", run_id="r", now=NOW)
    batch = stage_batch(session, plan, row_type, tmp_path)
    assert batch.counts == Counter(rows=rows, hidden=0, lost=0) + Counter(rejected=bad) | {
        "hidden": 0,
        "lost": 0,
    }
    assert [parts.rows for parts in batch.tables] == [rows, bad, len(plan.ranges)]
    assert len(plan.ranges) > 1


def test_offsets_are_asked_for_once_there_is_a_connection(
    options: dict[str, str], caplog: pytest.LogCaptureFixture
):
    """Else one client in ten waits a second or three before it asks again, longer than a page does."""
    caplog.set_level(logging.DEBUG)
    for _ in range(60):
        with KafkaSession("here", options | {"debug": "metadata"}) as each:
            each.marks(each.topic(EVENTS))
    assert "Received metadata" in caplog.text
    assert "query partition leaders: no usable brokers" not in caplog.text


def test_a_topic_that_is_not_there_is_not_made(session: KafkaSession):
    """By asking for it."""
    for _ in range(2):
        with pytest.raises(NoSuchTopic):
            session.topic("nothing")


def test_what_the_cluster_has_dropped_is_a_loss(producer: Producer, session: KafkaSession, tmp_path: Path):
    """It keeps 5 MB of a partition."""
    topic, request = session.topic(EVENTS), BatchRequest(topic=EVENTS)
    plan = make_plan("here", request, NEW, topic, session.marks(topic), dag_id="d", run_id="r", now=NOW)
    for _ in range(60):
        for partition in topic.partitions:
            producer.produce(EVENTS, b"x" * 200_000, partition=partition)
        producer.flush(30)
    with pytest.raises(MessagesLost, match=rf"{EVENTS}/0:0-\d+"):
        stage_batch(session, plan, USER_EVENTS, tmp_path)


def test_a_broker_that_is_down_is_named_within_its_deadline():
    """With what the client heard last."""
    begun = time.monotonic()
    with (
        KafkaSession("here", {"bootstrap.servers": "127.0.0.1:1"}, answer_wait_s=1) as session,
        pytest.raises(BrokerUnusable, match=r"here: describe topic t: .*Connection refused"),
    ):
        session.topic("t")
    assert time.monotonic() - begun < 10
