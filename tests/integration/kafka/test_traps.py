"""What Kafka does to messages before they are read: each loss has a name, and is accepted only by it."""

import json
import struct
import time
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import pytest
from confluent_kafka import Consumer

from include.kafka.errors import MessagesDamaged, MessagesLost, NoSuchTopic, NothingLost, TopicMadeAnew
from include.kafka.session import KafkaSession
from include.monitoring.facts import Ledger
from stagehouse.ui.monitored import read_lags
from tests.integration.kafka.place import Place, event
from tests.servers.kafka import KafkaBroker, needs_kafka

pytestmark = needs_kafka


@pytest.fixture
def place(embedded: Place) -> Place:
    """With the embedded engine: nothing here depends on it."""
    return embedded


@contextmanager
def after_the_first_messages(do):
    """Do something when the first messages of a batch have been read."""
    read = KafkaSession.read

    def reading(self, *arguments):
        for number, some in enumerate(read(self, *arguments)):
            yield some
            if not number:
                do()

    with patch.object(KafkaSession, "read", reading):
        yield


def test_lost_messages_are_accepted_by_their_range_only(kafka: KafkaBroker, place: Place):
    """DeleteRecords, or retention: red with topic, partition and range; another range is not accepted."""
    kafka.create(place.topic, 2)
    for partition in range(2):
        kafka.produce(place.topic, map(event, range(10)), partition)
    place.run()
    for partition in range(2):
        kafka.produce(place.topic, map(event, range(10)), partition)
    kafka.delete_records(place.topic, 1, 15)
    lost = f"{place.topic}/1:10-15"
    with pytest.raises(MessagesLost, match=rf"not read yet: {lost}\. Next: .*accept_loss={lost}$"):
        place.plan("run 2")
    for other in (f"{place.topic}/1:10-14", f"{place.topic}/1:10-16", f"{place.topic}/0:10-15"):
        with pytest.raises(MessagesLost, match=f"{lost}; accept_loss named {other}"):
            place.plan("run 2", accept_loss=other)
    with pytest.raises(NothingLost, match=f"names {place.topic}/0:10-15 "):
        place.plan("run 2", accept_loss=f"{lost},{place.topic}/0:10-15")
    place.run("run 2", accept_loss=lost)
    assert [line for line in place.ledger() if line[8]] == [(0, 1, 10, 20, 5, 0, 0, 0, 5)]
    assert len(place.offsets()) == 35
    with pytest.raises(NothingLost):
        place.plan("run 3", accept_loss=lost)


def test_a_loss_that_was_accepted_is_told_where_the_batch_ends_early(kafka: KafkaBroker, place: Place):
    """Before its partition was read; no later run has to accept it again."""
    kafka.create(place.topic, 2)
    for partition in range(2):
        kafka.produce(place.topic, map(event, range(3000)), partition)
    place.run(max_messages=20)
    kafka.delete_records(place.topic, 1, 1000)
    plan = place.plan("run 2", accept_loss=f"{place.topic}/1:10-1000")
    manifest = place.stage(plan, max_bytes=1)
    assert manifest.facts["was_cut"]
    place.finish(manifest)
    assert [line for line in place.ledger() if line[8]] == [(0, 1, 10, 1000, 0, 0, 0, 0, 990)]
    place.run("run 3")
    assert len(place.offsets()) == 5010


def test_retention_is_a_loss(kafka: KafkaBroker, place: Place):
    """Of whole segments, as the broker deletes them."""
    kafka.create(place.topic, retention_bytes=1_000_000, segment_bytes=1_048_576)
    kafka.produce(place.topic, [event()])
    place.run()
    kafka.produce(place.topic, [event(description="x" * 1000)] * 4000)
    with place.session() as session:
        topic = session.topic(place.topic)
        while session.marks(topic)[0].low == 0:
            pass
    with pytest.raises(MessagesLost, match=rf"{place.topic}/0:1-\d+\. "):
        place.plan("run 2")


def test_what_is_deleted_after_the_plan_is_a_loss(kafka: KafkaBroker, place: Place):
    """Before the first message is read, or between; nothing of the batch is kept."""
    kafka.create(place.topic)
    kafka.produce(place.topic, map(event, range(3000)), batch_num_messages=20)  # fetched whole, however large
    plan = place.plan()
    kafka.delete_records(place.topic, 0, 5)
    with pytest.raises(MessagesLost, match=f"{place.topic}/0:0-5"):
        place.stage(plan)
    plan = place.plan("run 2")  # nobody has read the topic before: it begins where it begins
    place.options |= {"queued.min.messages": 1, "fetch.message.max.bytes": 1000}  # little is there ahead
    with (
        after_the_first_messages(lambda: kafka.delete_records(place.topic, 0, 2990)),
        patch("include.kafka.session.CONSUMED_AT_ONCE", 1),
        pytest.raises(MessagesLost, match=f"{place.topic}/0:5-2990"),
    ):
        place.stage(plan)
    assert not list(place.directory.rglob("manifest.json"))


@pytest.mark.parametrize("count", [3, 30], ids=["shorter", "longer"])
def test_a_topic_that_was_made_anew_is_red(kafka: KafkaBroker, place: Place, count: int):
    """By its id, whatever offsets it has; accepted, it is the next epoch, beside the rows of the first."""
    kafka.create(place.topic)
    kafka.produce(place.topic, map(event, range(10)))
    place.run()
    kafka.delete(place.topic)
    kafka.create(place.topic)
    kafka.produce(place.topic, map(event, range(count)))
    with pytest.raises(TopicMadeAnew, match=r"its id was \S+, and is \S+\. What was .*accept_recreated=true"):
        place.plan("run 2")
    place.run("run 2", accept_recreated=True)
    assert place.offsets() == [(0, 0, o) for o in range(10)] + [(1, 0, o) for o in range(count)]
    kafka.produce(place.topic, [event()])
    place.run("run 3")
    assert place.ledger()[-1] == (1, 0, count, count + 1, 1, 0, 0, 0, 0)


def test_a_topic_made_anew_while_it_is_read_is_red(kafka: KafkaBroker, place: Place):
    """The client would read on in the new one without a word; nothing of the batch is kept."""
    kafka.create(place.topic)
    kafka.produce(place.topic, map(event, range(3000)))
    plan = place.plan()

    def make_anew() -> None:
        kafka.delete(place.topic)
        kafka.create(place.topic)
        kafka.produce(place.topic, map(event, range(3000)))

    with (
        after_the_first_messages(make_anew),
        pytest.raises(TopicMadeAnew, match="when the batch was planned"),
    ):
        place.stage(plan)
    assert not list(place.directory.rglob("manifest.json"))


def test_a_topic_that_lost_its_end_is_red(kafka: KafkaBroker, place: Place):
    """The ledger is ahead of it, as after an unclean election."""
    kafka.create(place.topic)
    kafka.produce(place.topic, map(event, range(10)))
    place.run()
    with place.connect() as clickhouse:
        clickhouse.execute(
            "INSERT INTO kafka_offsets (dag_id, topic, from_offset, to_offset, rows) VALUES",
            [("user_events", place.topic, 10, 12, 2)],
        )
    with pytest.raises(TopicMadeAnew, match="partition 0 ends at offset 10, the ledger is at 12"):
        place.plan("run 2")


def test_partitions_that_are_added_are_read_from_their_beginning(kafka: KafkaBroker, place: Place):
    """Also where the first run began with the messages to come."""
    kafka.create(place.topic)
    kafka.produce(place.topic, [event()])
    place.run(start_from="latest")
    kafka.add_partitions(place.topic, 3)
    kafka.produce(place.topic, [event()], 2)
    place.run("run 2", start_from="latest")
    assert place.offsets() == [(0, 2, 0)]


def test_aborted_and_open_transactions(kafka: KafkaBroker, place: Place):
    """Aborted messages and markers are hidden; an open one is waited for, and tells so; then all is read."""
    kafka.create(place.topic)
    kafka.transaction(place.topic, [event(1)] * 3, "commit")
    kafka.transaction(place.topic, [event(2)] * 4, "abort")
    place.run()
    assert place.ledger() == [(0, 0, 0, 9, 3, 0, 0, 6, 0)]
    kafka.transaction(place.topic, [event(3)] * 2, "abort")
    assert place.run("run 2").facts["hidden"] == 3
    is_open = kafka.transaction(place.topic, [event(4)] * 5, "")
    kafka.produce(place.topic, [event(5)])
    plan = place.plan("run 3")
    assert (plan.ranges, plan.lags[0].open) == ((), 6)
    is_open.commit_transaction(30)
    place.run("run 4")
    assert place.ledger()[1:] == [(0, 0, 9, 12, 0, 0, 0, 3, 0), (0, 0, 12, 19, 6, 0, 0, 1, 0)]
    assert len(place.offsets()) == 9


def test_a_compacted_topic(kafka: KafkaBroker, place: Place):
    """Offsets that are gone between others are hidden, no loss; tombstones are counted."""
    kafka.create(
        place.topic,
        cleanup_policy="compact",
        segment_ms=100,
        min_cleanable_dirty_ratio=0.01,
        max_compaction_lag_ms=200,
        delete_retention_ms=86400000,
    )
    kafka.produce(place.topic, [(b"a", event(n)) for n in range(50)] + [(b"b", event(1)), (b"b", None)])
    for number in range(60):
        kafka.produce(place.topic, [(f"c{number}".encode(), event(2))])
        with place.session() as session:
            left = sum(len(some) for some in session.read(place.topic, 0, 0, 53 + number))
        if left < 20 + number:
            break
        time.sleep(0.3)
    place.run()
    ((*_, end, rows, _, tombstones, hidden, lost),) = place.ledger()
    assert (tombstones, lost) == (1, 0)
    assert rows + 1 + hidden == end
    assert hidden > 20


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd", "none"])
def test_codecs_and_large_messages(kafka: KafkaBroker, place: Place, codec: str):
    """A message of 3 MB comes whole, as a row and as a dead letter; a batch of many is bounded in memory."""
    kafka.create(place.topic, max_message_bytes=10485760)
    large = "x-" * 1_500_000
    values = [event(1, description=large), large.encode(), b"\xff" * 3_000_000, event(2)]
    kafka.produce(place.topic, values, compression_type=codec)
    place.run()
    assert place.offsets("`offset`, length(description)") == [(0, 3_000_000), (3, 7)]
    sizes = "SELECT `offset`, length(value), encoding FROM kafka_dead_letters ORDER BY 1"
    assert place.read(sizes) == [(1, 3_000_000, "utf8"), (2, 4_000_000, "base64")]


def end_of_batch(segment: bytes, offset: int) -> int:
    """Return the place in a segment where the batch ends whose first message has the offset.

    Batches are found by their lengths: a producer may send its first message alone. A batch begins with its
    first offset (8 bytes) and the length of the rest (4): https://kafka.apache.org/documentation/#recordbatch
    """
    first, end = -1, 0
    while first != offset:
        first, length = struct.unpack_from(">qi", segment, end)
        end += 12 + length
    return end


@pytest.mark.parametrize("codec", ["none", "gzip"])
def test_messages_that_are_damaged_on_disk(kafka: KafkaBroker, place: Place, codec: str):
    """Are red, by name, and are no other values. Once they are deleted, the rest comes in."""
    kafka.create(place.topic)
    for number in range(3):
        kafka.produce(place.topic, [event(number)] * 10, compression_type=codec)
    (segment,) = (kafka.directory / "data" / f"{place.topic}-0").glob("*.log")
    stored = bytearray(segment.read_bytes())
    stored[end_of_batch(stored, 10) - 1] ^= 1
    segment.write_bytes(stored)
    plan = place.plan()
    with pytest.raises(
        MessagesDamaged, match=rf"{place.topic}, partition 0, from offset 10 on: .* Next: run"
    ):
        place.stage(plan)
    assert not list(place.directory.rglob("manifest.json"))
    kafka.delete_records(place.topic, 0, 20)
    with pytest.raises(MessagesLost, match=f"{place.topic}/0:0-20"):
        place.stage(plan)
    place.run("run 2")  # no run has read the topic: it begins where it begins
    assert place.offsets() == [(0, 0, offset) for offset in range(20, 30)]


def test_messages_that_are_too_long_to_be_staged(kafka: KafkaBroker, place: Place):
    """Are dead letters, cut, and hold nothing up: as a row, as a key, with signs that are escaped."""
    kafka.create(place.topic, max_message_bytes=10485760, segment_bytes=20971520)
    values = [
        event(1, description="x" * 9_000_000),
        (b"k", b"VIEW-" + b"\t" * 4_500_000 + b"-06:00:00-05:00:00-05:00:10"),
        (b"\xff" * 4_500_000, b"\xff" * 4_500_000),
        (b"\t" * 4_500_000, b"\t" * 4_500_000),
        b"VIEW-x-06:00:00-05:00:00-05:00:10",
    ]
    kafka.produce(place.topic, values, timestamp=1787202000123, compression_type="none")
    place.run(format="dashed")
    assert place.offsets() == [(0, 0, 4)]
    letters = (
        "SELECT `offset`, length(key) > 600000, length(value) > 4000000, encoding FROM kafka_dead_letters"
    )
    assert sorted(place.read(letters))[1:] == [(1, 0, 1, "base64"), *((n, 1, 1, "base64") for n in (2, 3))]
    place.run("run 2")
    kafka.produce(place.topic, [values[0], event(2)])
    place.run("run 3")
    assert place.letters()[-1][2] == "the row has more than 8388608 bytes"
    assert place.offsets() == [(0, 0, 4), (0, 0, 6)]


def test_a_topic_that_is_not_there(place: Place):
    """It is named, and never made."""
    with pytest.raises(NoSuchTopic, match=f"there is no topic {place.topic}, or"):
        place.plan()


def test_a_topic_that_was_removed_hides_no_lag_of_another(kafka: KafkaBroker, place: Place):
    """The metrics have the others; it has none."""
    kafka.create(place.topic)
    kafka.produce(place.topic, map(event, range(5)))
    ledgers = [Ledger("user_events", topic, {0: 2}) for topic in (f"no_{place.topic}", place.topic)]
    assert read_lags(lambda **_: place.session(), ledgers) == {(place.topic, "user_events"): 3}


def test_offsets_are_committed_for_monitors_only(kafka: KafkaBroker, place: Place):
    """An active member of the group keeps them from being committed; that is said, and nothing else."""
    group = f"group of {place.topic}"
    place.options |= {"group.id": group}
    kafka.create(place.topic)
    kafka.produce(place.topic, map(event, range(5)))
    place.run()
    with place.session() as session:
        assert session.commit(place.topic, {0: 5}) == ""
    assert kafka.committed(group, place.topic) == 5
    with ExitStack() as stack:
        member = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group})
        stack.callback(member.close)
        member.subscribe([place.topic])
        while not member.assignment():
            member.poll(0.1)
        with place.session() as session:
            assert "member" in session.commit(place.topic, {0: 3})
    assert kafka.committed(group, place.topic) == 5


def test_json_values_that_are_nested_deep(kafka: KafkaBroker, place: Place):
    """Are dead letters, and end nothing."""
    kafka.create(place.topic)
    deep = b"[" * 100_000
    extra = json.loads(event())
    values = [deep, b'{"more":' + deep, json.dumps(extra | {"user_id": "9" * 10}).encode()]
    values.append(json.dumps(extra).encode().replace(b'"u0"', b"9" * 5000))
    kafka.produce(place.topic, values)
    place.run()
    assert place.ledger() == [(0, 0, 0, 4, 1, 3, 0, 0, 0)]
