"""Which offsets a batch has: from the ledger, the topic's marks and the params, without a broker."""

from datetime import UTC, datetime

import pytest

from include.kafka.errors import TopicMadeAnew
from include.kafka.ledger import Ledger
from include.kafka.plan import Plan, Range, groups_of, make_plan, read_plan, save_plan
from include.kafka.request import BatchRequest
from include.kafka.session import Marks, Topic
from include.staging.errors import StagingFileDamaged

NOW = datetime(2026, 8, 21, tzinfo=UTC)
NEW = Ledger(-1, "", "", {})


def plan(ledger: Ledger, *marks: Marks, topic_id: str = "id", cluster_id: str = "c", **params) -> Plan:
    """Make a plan."""
    topic = Topic("t", cluster_id, topic_id, tuple(range(len(marks))))
    request = BatchRequest(topic="t", **params)
    return make_plan("here", request, ledger, topic, dict(enumerate(marks)), dag_id="d", run_id="r", now=NOW)


def ranges(made: Plan) -> list[tuple[int, int, int, int]]:
    """Return partition, start, end and lost of each range."""
    return [(each.partition, each.start, each.end, each.lost) for each in made.ranges]


@pytest.mark.parametrize(
    ("most", "ends"),
    [(100, [60, 30, 10]), (50, [30, 15, 5]), (10, [6, 3, 1]), (3, [1, 1, 1]), (2, [1, 1, 0]), (1, [1, 0, 0])],
)
def test_no_batch_has_more_than_it_may(most: int, ends: list[int]):
    """Each partition gets its share, and some partition goes on."""
    made = plan(NEW, Marks(0, 60, 60), Marks(0, 30, 30), Marks(0, 10, 10), max_messages=most)
    assert [end for _, _, end, _ in ranges(made)] == [end for end in ends if end]
    assert made.behind == 100 - sum(ends)


def test_a_ledger_that_is_ahead_of_what_is_stable_waits():
    """As where an older transaction was opened; nothing is read, nothing is lost."""
    made = plan(Ledger(0, "c", "id", {0: 8}), Marks(0, 5, 9))
    assert (ranges(made), made.behind, made.lags[0].open) == ([], 0, 4)


@pytest.mark.parametrize(
    ("ledger", "differs"),
    [
        (Ledger(2, "c", "other", {0: 1}), "its id was other, and is id"),
        (Ledger(2, "other", "", {0: 1}), "the cluster's id was other, and is c"),
        (Ledger(2, "c", "id", {0: 6}), "partition 0 ends at offset 5, the ledger is at 6"),
        (Ledger(2, "c", "id", {1: 6}), "partition 1 is gone"),
    ],
)
def test_another_topic(ledger: Ledger, differs: str):
    """Is found by ids, where brokers know them, else by where it ends; accepted, it is the next epoch."""
    with pytest.raises(TopicMadeAnew, match=differs):
        plan(ledger, Marks(2, 5, 5))
    made = plan(ledger, Marks(2, 5, 5), accept_recreated=True)
    assert (made.epoch, ranges(made)) == (3, [(0, 2, 5, 0)])


def test_another_topic_that_is_empty_is_not_accepted_yet():
    """No run could record it, and the next one would be red again: the error says when to accept it."""
    for accepted in (False, True):
        with pytest.raises(
            TopicMadeAnew, match="run, when its first message is there, with param accept_rec"
        ):
            plan(Ledger(0, "c", "other", {0: 5}), Marks(0, 0, 3), accept_recreated=accepted)


def test_what_brokers_do_not_know_is_no_difference():
    """Ids came with Kafka 2.8."""
    made = plan(Ledger(0, "c", "id", {0: 1}), Marks(0, 5, 5), topic_id="")
    assert (made.epoch, ranges(made)) == (0, [(0, 1, 5, 0)])


@pytest.mark.parametrize(
    ("offsets", "groups"),
    [
        ((), ()),
        ((5,), ((0,),)),
        ((19, 20), ((0, 1),)),
        ((20, 20), ((0,), (1,))),
        ((0, 60, 0), ((1,), (0,), (2,))),
        ((50, 10, 10, 10, 20), ((0,), (3, 4), (1, 2))),
        ((100, 100, 100, 100), ((0, 3), (1,), (2,))),
    ],
)
def test_partitions_in_groups(offsets: tuple[int, ...], groups: tuple[tuple[int, ...], ...]):
    """With about as many offsets in each, at most three here, of 20 offsets or more on the average."""
    of_all = [Range(partition=n, start=7, end=7 + count) for n, count in enumerate(offsets)]
    assert groups_of(of_all, 3, 20) == groups


def test_a_plan_of_an_older_version_has_groups_too(tmp_path):
    """It named none."""
    made = plan(NEW, Marks(0, 300_000, 300_000), Marks(0, 300_000, 300_000))
    assert made.groups == ((0,), (1,))
    (tmp_path / "plan.json").write_text(made.model_dump_json(exclude={"groups"}))
    assert read_plan(tmp_path) == made


def test_a_plan_is_kept(tmp_path):
    """And a damaged one is named."""
    made = plan(NEW, Marks(0, 5, 5))
    assert read_plan(tmp_path) is None
    save_plan(tmp_path, made)
    assert read_plan(tmp_path) == made
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(StagingFileDamaged, match=r"plan\.json"):
        read_plan(tmp_path)
