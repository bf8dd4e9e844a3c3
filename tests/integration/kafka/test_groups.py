"""Partitions that are staged by tasks of their own are one batch: all of it, or nothing."""

from unittest.mock import patch

import pytest

from include.kafka import groups
from include.kafka.errors import TooManyDeadLetters
from include.kafka.plan import Plan
from include.kafka.session import KafkaSession
from include.staging.manifest import MANIFEST, Manifest, read_manifest, save_manifest
from tests.integration.kafka.place import Place, event, staged_by
from tests.servers.kafka import KafkaBroker, needs_kafka

pytestmark = needs_kafka

GROUPS = ((1,), (0, 2))


@pytest.fixture
def place(embedded: Place) -> Place:
    """With the embedded engine: nothing here depends on it."""
    return embedded


def a_plan(
    place: Place, kafka: KafkaBroker, counts: tuple[int, int, int] = (30, 40, 10), bad: int = 1
) -> Plan:
    """Fill three partitions, with some messages that are no rows in each; return the plan of two groups."""
    kafka.create(place.topic, 3)
    for partition, count in enumerate(counts):
        values = [*map(event, range(count - bad)), *[b"no event"] * bad]
        kafka.produce(place.topic, values, partition)
    return place.plan().model_copy(update={"groups": GROUPS})


def manifest_of_the_run(place: Place, plan: Plan) -> Manifest | None:
    """Return it, None where it is not there."""
    directory = place.directory / plan.run_id
    return read_manifest(directory, staged_by(plan)) if (directory / MANIFEST).exists() else None


def require_exact(place: Place, counts: tuple[int, int, int] = (30, 40, 10)) -> None:
    """Each message is there once, and the ledger has a line of each partition."""
    assert place.offsets() == [(0, p, o) for p, count in enumerate(counts) for o in range(count - 1)]
    assert [(p, o) for p, o, *_ in place.letters()] == [(p, count - 1) for p, count in enumerate(counts)]
    assert place.ledger() == [(0, p, 0, end, end - 1, 1, 0, 0, 0) for p, end in enumerate(counts)]


@pytest.mark.parametrize("order", [GROUPS, GROUPS[::-1]])
def test_the_last_group_makes_the_batch(kafka: KafkaBroker, place: Place, order):
    """Whichever it is; before, there is nothing to load."""
    plan = a_plan(place, kafka)
    first = place.stage_group(plan, order[0])
    assert manifest_of_the_run(place, plan) is None
    last = place.stage_group(plan, order[1])
    manifest = manifest_of_the_run(place, plan)
    assert manifest
    parts = {part.file for each in (first, last) for table in each.tables.values() for part in table.parts}
    assert {part.file for table in manifest.tables.values() for part in table.parts} == parts
    assert manifest.facts == {
        "days": ["2026-08-20"], "was_cut": False, "rows": 77, "rejected": 3, "hidden": 0, "lost": 0,
    }  # fmt: skip
    place.finish(manifest)
    require_exact(place)


def test_dead_letters_of_all_groups_are_counted(kafka: KafkaBroker, place: Place):
    """Where each has less than allowed, and all together have more; nothing can be loaded then."""
    plan = a_plan(place, kafka, bad=3).model_copy(update={"max_rejected": 8})
    place.stage_group(plan, GROUPS[0])
    said = r"9 messages or more are no rows, allowed are 8; the first is 1:37: the value is no JSON"
    for _ in range(2):
        with pytest.raises(TooManyDeadLetters, match=said):
            place.stage_group(plan, GROUPS[1])
    assert manifest_of_the_run(place, plan) is None
    place.finish(place.stage(plan.model_copy(update={"max_rejected": 9})))
    assert len(place.letters()) == 9


def test_a_task_is_killed_before_it_has_put_the_groups_together(kafka: KafkaBroker, place: Place):
    """Its next try does, and reads nothing again."""
    plan = a_plan(place, kafka)
    place.stage_group(plan, GROUPS[0])
    with (
        patch.object(groups, "_put_together", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        place.stage_group(plan, GROUPS[1])
    assert manifest_of_the_run(place, plan) is None
    with patch.object(KafkaSession, "read", side_effect=AssertionError):
        place.finish(place.stage(plan))
    require_exact(place)


def test_a_group_whose_parts_are_gone_is_read_again(kafka: KafkaBroker, place: Place):
    """The other one is not."""
    plan = a_plan(place, kafka)
    before = place.stage(plan)
    for file in (place.directory / plan.run_id).glob("user_events-*"):
        if b"\t1\t" in file.read_bytes().split(b"\n", 1)[0]:
            file.unlink()
    read, reading = KafkaSession.read, list[int]()

    def counted(self, topic: str, partition: int, start: int, end: int):
        reading.append(partition)
        return read(self, topic, partition, start, end)

    with patch.object(KafkaSession, "read", counted):
        again = place.stage(plan)
    assert reading == [1]
    assert again.tables == before.tables
    place.finish(again)
    require_exact(place)


def test_a_group_is_staged_anew_while_others_are_put_together(kafka: KafkaBroker, place: Place):
    """The manifest is of the newest parts."""
    plan = a_plan(place, kafka)
    first = place.stage_group(plan, GROUPS[0])
    another = first.model_copy(update={"facts": first.facts | {"was_cut": True}})
    directory, left = place.directory / plan.run_id, [another]

    def meanwhile(where, manifest: Manifest) -> None:
        if where == directory and left:
            save_manifest(directory / "group-1", left.pop())
        save_manifest(where, manifest)

    with patch.object(groups, "save_manifest", meanwhile):
        place.stage_group(plan, GROUPS[1])
    manifest = manifest_of_the_run(place, plan)
    assert manifest
    assert manifest.facts["was_cut"]


@pytest.mark.parametrize("limit", [{"max_bytes": 3_000}, {"max_seconds": 0.0}])
def test_the_limits_are_those_of_the_run(kafka: KafkaBroker, place: Place, limit):
    """Each group has its share of bytes and seconds, and takes some; the next run goes on behind it."""
    plan = a_plan(place, kafka, (3000, 3000, 3000))
    manifest = place.stage(plan, **limit)
    assert manifest.facts["was_cut"]
    assert manifest.facts["rows"] <= 2 * 1_000
    assert {each.prefix[2] for each in manifest.tables["user_events"].ranges} == {0, 1}
    place.finish(manifest)
    place.run("run 2")
    assert len(place.offsets()) == 3 * 2999
    assert place.plan("run 3").ranges == ()
