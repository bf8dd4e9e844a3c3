"""A topic comes into ClickHouse exactly once: micro-batches on a real Apache Kafka, on both engines."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from include.clickhouse.errors import DayMismatch
from include.kafka.errors import BrokenLedger, OffsetsTaken, TooManyDeadLetters
from include.kafka.request import Loss
from include.kafka.sessions import USER_SESSIONS
from include.postgres.errors import LeaseLost
from tests.integration.kafka.place import NOW, Place, event
from tests.servers.kafka import KafkaBroker, needs_kafka

pytestmark = needs_kafka


def test_each_message_is_one_row(kafka: KafkaBroker, place: Place):
    """Over several partitions and runs, by what the ledger says; where nothing is new, nothing changes."""
    kafka.create(place.topic, 3)
    for partition in range(3):
        kafka.produce(place.topic, [event(number) for number in range(10 * partition)], partition)
    first = place.run()
    assert first.facts == {"days": ["2026-08-20"], "was_cut": False, "rows": 30, "hidden": 0, "lost": 0}
    kafka.produce(place.topic, [event(5)], 0)
    kafka.produce(place.topic, [event(5)], 2)
    place.run("run 2")
    assert place.run("run 3") is None
    assert place.offsets() == [(0, p, o) for p, end in enumerate((1, 10, 21)) for o in range(end)]
    assert place.ledger() == [
        (0, 0, 0, 1, 1, 0, 0, 0, 0),
        (0, 1, 0, 10, 10, 0, 0, 0, 0),
        (0, 2, 0, 20, 20, 0, 0, 0, 0),
        (0, 2, 20, 21, 1, 0, 0, 0, 0),
    ]
    facts = (
        "SELECT DISTINCT dag_id, cluster_id != '', length(topic_id), length(fingerprint) FROM kafka_offsets"
    )
    assert place.read(facts) == [("user_events", 1, 22, 16)]


def test_columns_of_a_row(kafka: KafkaBroker, place: Place):
    """Typed, with where the message came from; text of any kind comes back as it was."""
    kafka.create(place.topic)
    odd = 'a\tb\nc\\d"\u0000e\r\b\f\v \\N ёж 🦔'
    values = [event(3, description=odd, user_id=12, more=[1]), event(4, end_time="04:59:59")]
    kafka.produce(place.topic, values, key="ключ".encode(), timestamp=1787202000123)
    place.run()
    columns = (
        "user_id, action, description, toUnixTimestamp(event_time), start_time, end_time, seconds, topic, "
        "epoch, `partition`, `offset`, key, kafka_timestamp_ms, kafka_timestamp_type, "
        "toUnixTimestamp(published_at)"
    )
    origin = (place.topic, 0, 0)
    stamp = (1787202000123, "create", int(NOW.timestamp()))
    assert place.offsets(columns) == [
        ("12", "click", odd, 1787202003, "05:00:00", "05:00:10", 10, *origin, 0, "ключ", *stamp),
        ("u4", "click", "event-4", 1787202004, "05:00:00", "04:59:59", 86399, *origin, 1, "ключ", *stamp),
    ]


def test_the_topic_of_another_table(kafka: KafkaBroker, topic: str, connect, tmp_path):
    """A row type and a table are all it takes."""
    place = Place(kafka.options(), topic, connect, tmp_path / "staging", USER_SESSIONS)
    visit = {
        "session_id": 7,
        "user_id": "u1",
        "session_start": "2026-08-20T23:59:59+02:00",
        "session_end": "2026-08-20T22:10:00.999Z",
        "path": "/a-b",
        "click_count": 3,
    }
    kafka.create(topic)
    kafka.produce(topic, [json.dumps(visit).encode(), json.dumps(visit | {"click_count": -1}).encode()])
    place.run()
    columns = (
        "session_id, user_id, toUnixTimestamp(session_start), toUnixTimestamp(session_end), path, click_count"
    )
    assert place.offsets(columns) == [("7", "u1", 1787263199, 1787263800, "/a-b", 3)]
    assert [letter[1] for letter in place.letters()] == [1]
    with pytest.raises(ValueError, match="param 'format' is 'dashed'"):
        place.plan("run 2", format="dashed")


def test_a_dashed_message(kafka: KafkaBroker, embedded: Place):
    """Its key is the user; its description may hold dashes; its day is its own or of Kafka's timestamp."""
    place = embedded
    kafka.create(place.topic)
    values = [
        b"CLICK-a-b - c-20/08/2026 05:00:00-05:00:00-05:00:10",
        b"VIEW--06:00:00-23:59:50-00:00:10",
        (None, b"VIEW-x-06:00:00-23:59:50-00:00:10"),
        b"VIEW-x-31/02/2026 05:00:00-05:00:00-05:00:10",
        b"VIEW-05:00:00-05:00:00",
        b"-x-05:00:00-05:00:00-05:00:10",
        b"VIEW-x-5:00:00-05:00:00-05:00:10",
        b"VIEW-x-05:00:00-05:00:00-24:00:00",
    ]
    kafka.produce(place.topic, values, timestamp=1787202000123)
    place.run(format="dashed")
    columns = "user_id, action, description, toUnixTimestamp(event_time), seconds"
    assert place.offsets(columns) == [
        ("u1", "CLICK", "a-b - c", 1787202000, 10),
        ("u1", "VIEW", "", 1787205600, 20),
        ("", "VIEW", "x", 1787205600, 20),
    ]
    assert [reason for _, _, reason, *_ in place.letters()] == [
        "created is no day",
        "the value is not ACTION-description-created-start-end",
        "the value is not ACTION-description-created-start-end",
        "created is no HH:MM:SS",
        "end_time is no HH:MM:SS",
    ]


def test_what_is_no_row_is_a_dead_letter(kafka: KafkaBroker, place: Place):
    """With the reason, key and value: in base64 where one is no UTF-8. Tombstones are counted alone."""
    kafka.create(place.topic)
    ahead = (NOW + timedelta(days=1, seconds=1)).isoformat()
    bad = [
        (b"k", b"{"),
        (b"k", b"\xff\xfe"),
        (b"\xff", event()),
        (b"k", event(event_time="2026-08-20T05:00:00")),
        (b"k", event(event_time="1999-12-31T23:59:59Z")),
        (b"k", event(event_time=ahead)),
        (b"k", event(action=None)),
        (b"k", event(user_id=True)),
        (None, event().replace(b"click", b"\\ud83d")),
    ]
    tombstones = [(b"k", None), (None, None)]
    kafka.produce(place.topic, [*bad, *tombstones, (None, event(user_id=None)), (b"k", event(user_id=None))])
    place.run()
    letters = place.letters()
    assert [letter[1] for letter in letters] == list(range(9))
    reasons = [letter[2] for letter in letters]
    assert reasons[0].startswith("the value is no JSON: ")
    assert reasons[1:6] == [
        "the value is no UTF-8",
        "the key is no UTF-8",
        "event_time has no zone",
        "event_time is before 2000",
        "event_time is more than a day ahead",
    ]
    assert "`$.action`" in reasons[6]
    assert letters[0][3:] == ("k", "{", "utf8")
    assert letters[1][3:] == ("aw==", "//4=", "base64")
    assert letters[2][3] == "/w=="
    assert letters[8][3] == ""
    assert place.offsets("`offset`, user_id, key") == [(11, "", ""), (12, "k", "k")]
    assert place.ledger() == [(0, 0, 0, 13, 2, 9, 2, 0, 0)]
    assert place.read("SELECT DISTINCT run_id, dag_id FROM kafka_dead_letters") == [("run 1", "user_events")]


def test_too_many_dead_letters_are_red(kafka: KafkaBroker, place: Place):
    """The ledger stays, and no dead letter is kept; with a higher limit the same messages are taken."""
    kafka.create(place.topic)
    kafka.produce(place.topic, [event(), b"x", b"y", event()])
    with pytest.raises(TooManyDeadLetters, match=r"2 messages or more .* allowed are 1; the first is 0:1: "):
        place.run(max_rejected=1)
    assert (place.ledger(), place.letters(), place.offsets()) == ([], [], [])
    place.run("run 2", max_rejected=2)
    assert [letter[1] for letter in place.letters()] == [1, 2]
    assert place.ledger() == [(0, 0, 0, 4, 2, 2, 0, 0, 0)]


def test_a_backlog_is_shared_out(kafka: KafkaBroker, place: Place):
    """By what each partition has; what is left is told, and no later run leaves a gap."""
    kafka.create(place.topic, 3)
    for partition, count in enumerate((60, 30, 0)):
        kafka.produce(place.topic, map(event, range(count)), partition)
    plan = place.plan(max_messages=30)
    assert [(each.partition, each.start, each.end) for each in plan.ranges] == [(0, 0, 20), (1, 0, 10)]
    assert (plan.behind, [each.behind for each in plan.lags]) == (60, [40, 20, 0])
    for number in range(10):
        place.run(f"run {number}", max_messages=7)
    place.run("last")
    assert len(place.offsets()) == 90
    assert place.plan("next").ranges == ()


@pytest.mark.parametrize("limit", [{"max_bytes": 2_000}, {"max_seconds": 0.0}])
def test_a_batch_ends_at_its_limits(kafka: KafkaBroker, embedded: Place, limit):
    """Of bytes and seconds: the ledger says how far it came, and the next run goes on there."""
    place = embedded
    kafka.create(place.topic, 2)
    for partition in range(2):
        kafka.produce(place.topic, map(event, range(3000)), partition)
    manifest = place.stage(place.plan(), **limit)
    assert manifest.facts["was_cut"]
    place.finish(manifest)
    ((_, partition, start, end, rows, *rest),) = place.ledger() or [(0, 0, 0, 0, 0, 0, 0, 0, 0)]
    assert (partition, start, rest) == (0, 0, [0, 0, 0, 0])
    assert 0 < end == rows < 3000
    place.run("run 2")
    assert len(place.offsets()) == 6000


def test_events_of_many_months(kafka: KafkaBroker, place: Place):
    """Late ones too: more months in a batch than a server of today takes by itself in one statement."""
    kafka.create(place.topic)
    months = [datetime(2000 + n // 12, n % 12 + 1, 15, tzinfo=UTC).isoformat() for n in range(300)]
    kafka.produce(place.topic, [event(event_time=month) for month in months])
    place.run()
    assert place.read("SELECT count(), uniqExact(toYYYYMM(event_time)) FROM user_events") == [(300, 300)]


def test_the_first_run_may_begin_with_the_messages_that_come(kafka: KafkaBroker, embedded: Place):
    """By start_from=latest: what lies before is in the ledger as lost, so that sums add up."""
    place = embedded
    kafka.create(place.topic, 2)
    kafka.produce(place.topic, map(event, range(50)))
    place.run(start_from="latest")
    kafka.produce(place.topic, [event(1)])
    kafka.produce(place.topic, [event(2)], 1)
    place.run("run 2")
    assert place.offsets() == [(0, 0, 50), (0, 1, 0)]
    assert place.ledger()[0] == (0, 0, 0, 50, 0, 0, 0, 0, 50)


def test_two_runs_of_the_same_offsets(kafka: KafkaBroker, place: Place):
    """The second to publish is red, and has changed nothing; the one that was first may be repeated."""
    kafka.create(place.topic)
    kafka.produce(place.topic, map(event, range(9)))
    plans = [place.plan("run 1"), place.plan("run 2")]
    first, second = map(place.stage, plans)
    place.finish(first)
    with pytest.raises(
        OffsetsTaken, match=r"partition 0 is done up to offset 9, this batch begins at 0\. Not"
    ):
        place.finish(second)
    place.finish(first)
    assert len(place.offsets()) == 9
    assert place.read("SELECT DISTINCT run_id FROM kafka_offsets") == [("run 1",)]


def test_a_range_that_is_half_there_is_completed(kafka: KafkaBroker, place: Place):
    """Whoever put the half there: a try that was killed, or a run whose ledger was never written."""
    kafka.create(place.topic)
    kafka.produce(place.topic, map(event, range(100)))
    manifest = place.stage(place.plan())
    with place.connect() as clickhouse:
        loaded = place.load(manifest, clickhouse)
        (source,) = [part.staging_table for part in loaded if part.table == "user_events"]
        clickhouse.execute(f"INSERT INTO user_events SELECT * FROM {source} WHERE `offset` % 3 = 0")
        place.publish(manifest, clickhouse, loaded)
        place.check(manifest, clickhouse)
    assert place.offsets() == [(0, 0, offset) for offset in range(100)]


def test_what_a_run_without_an_end_has_left_is_named(kafka: KafkaBroker, place: Place):
    """Where the next run judges a message otherwise: its time is no more than a day ahead any more."""
    kafka.create(place.topic)
    kafka.produce(place.topic, [event(), event(event_time=(NOW + timedelta(days=2)).isoformat())])
    manifest = place.stage(place.plan())
    leases = iter([None, None, LeaseLost("of the test")])  # rows, dead letters, ledger

    def check_lease() -> None:
        if lost := next(leases):
            raise lost

    with place.connect() as clickhouse, pytest.raises(LeaseLost):
        place.publish(manifest, clickhouse, place.load(manifest, clickhouse), check_lease)
    assert (len(place.letters()), place.ledger()) == (1, [])
    later = place.stage(place.plan("run 2", NOW + timedelta(days=2)))
    with pytest.raises(DayMismatch, match=r"table kafka_dead_letters, .* Next: run ALTER TABLE") as red:
        place.finish(later)
    with place.connect() as clickhouse:
        clickhouse.execute(re.search(r"ALTER TABLE .*(?=; a run without)", str(red.value))[0])
        while clickhouse.execute("SELECT count() FROM kafka_dead_letters") != [(0,)]:
            pass
    place.finish(later)
    assert place.ledger() == [(0, 0, 0, 2, 2, 0, 0, 0, 0)]
    assert len(place.offsets()) == 2


@pytest.mark.parametrize("damage", ["doubled", "lost", "foreign"])
def test_the_check_finds_what_is_not_as_published(kafka: KafkaBroker, place: Place, damage: str):
    """In the ranges of the batch."""
    kafka.create(place.topic)
    kafka.produce(place.topic, map(event, range(9)))
    manifest = place.stage(place.plan())
    place.finish(manifest)
    with place.connect() as clickhouse:
        if damage == "doubled":
            clickhouse.execute("INSERT INTO user_events SELECT * FROM user_events WHERE `offset` = 4")
        elif damage == "lost":
            clickhouse.execute("ALTER TABLE user_events DROP PARTITION 202608")
        else:
            clickhouse.execute("ALTER TABLE user_events DROP PARTITION 202608")
            names = "topic, epoch, `partition`, `offset`"
            clickhouse.execute(
                f"INSERT INTO user_events ({names}) SELECT topic, epoch, `partition`, number "
                "FROM (SELECT * FROM kafka_offsets CROSS JOIN (SELECT number FROM numbers(9)) AS other)"
            )
        with pytest.raises(DayMismatch, match=r"table user_events, unit .* expected rows=9 keys=9"):
            place.check(manifest, clickhouse)


@pytest.mark.parametrize("change", ["gap", "overlap", "gap and overlap", "sum"])
def test_a_broken_ledger_is_red(kafka: KafkaBroker, embedded: Place, change: str):
    """A gap, an overlap, both of one size, or offsets of which nobody knows what became of them."""
    place = embedded
    kafka.create(place.topic)
    kafka.produce(place.topic, map(event, range(9)))
    manifest = place.stage(place.plan())
    place.finish(manifest)
    lines = {
        "gap": [(10, 12, 2)],
        "overlap": [(8, 10, 2)],
        "gap and overlap": [(8, 12, 4), (13, 15, 2)],
        "sum": [(9, 12, 2)],
    }
    with place.connect() as clickhouse:
        clickhouse.execute(
            "INSERT INTO kafka_offsets (dag_id, topic, from_offset, to_offset, rows) VALUES",
            [("user_events", place.topic, *line) for line in lines[change]],
        )
        with pytest.raises(BrokenLedger, match=r"epoch 0, partition 0: [23] ranges"):
            place.check(manifest, clickhouse)


def test_losses_by_name():
    """A range is named one way."""
    from include.kafka.request import loss_text, read_request

    request = read_request({"accept_loss": "a.b/3:5-7, a.b/4:0-9"}, "a.b", ("json",))
    assert request.accepted == {Loss(3, 5, 7), Loss(4, 0, 9)}
    assert loss_text("a.b", sorted(request.accepted)) == "a.b/3:5-7,a.b/4:0-9"
