"""The plan of a batch: [start, end) of each partition, fixed before the first message is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from include.kafka.errors import MessagesLost, NothingLost, TopicMadeAnew
from include.kafka.ledger import Ledger
from include.kafka.request import BatchRequest, Loss, loss_text
from include.kafka.session import Marks, Topic
from include.staging.errors import StagingFileDamaged
from include.staging.files import StagingPath, write_atomically
from include.text import first_problem

PLAN = "plan.json"
TASK = "plan"
MOST_GROUPS = 4  # a worker of two cores takes four tasks without harm
LEAST_OFFSETS = 200_000  # of a group on the average: for fewer a task takes longer than it saves


class Range(BaseModel):
    """Offsets of a partition.

    Attributes: start, end: half-open; lost: so many from `start` on are not there to be read.
    """

    model_config = ConfigDict(frozen=True)
    partition: int
    start: int
    end: int
    lost: int = 0

    @property
    def first(self) -> int:
        """The first offset to read."""
        return self.start + self.lost


class Lag(BaseModel):
    """What is left of a partition when the batch is done.

    Attributes: behind: offsets that can be read; open: those behind the last stable one, in transactions.
    """

    model_config = ConfigDict(frozen=True)
    partition: int
    behind: int
    open: int


def _grouped(data: dict[str, Any]) -> tuple[tuple[int, ...], ...]:
    return groups_of(data.get("ranges", ()), MOST_GROUPS, LEAST_OFFSETS)


class Plan(BaseModel):
    """A batch.

    Attributes: as of the params and the topic; epoch; ranges, none where nothing is new; lags; groups of
    partitions, each of which is staged by a task of its own.
    """

    model_config = ConfigDict(frozen=True)
    dag_id: str
    run_id: str
    topic: str
    format: str
    max_rejected: int
    epoch: int
    cluster_id: str
    topic_id: str
    planned_at: AwareDatetime
    ranges: tuple[Range, ...]
    lags: tuple[Lag, ...] = ()
    groups: tuple[tuple[int, ...], ...] = Field(default_factory=_grouped)

    @property
    def behind(self) -> int:
        """Offsets that are left for later batches."""
        return sum(each.behind for each in self.lags)

    @property
    def unit_name(self) -> str:
        """The name by which the batch is recorded."""
        first, others = self.ranges[0], len(self.ranges) - 1
        more = f" and {others} more" if others else ""
        return f"{self.topic[:120]}/{self.epoch} {first.partition}:{first.start}-{first.end}{more}"

    def of(self, partitions: Collection[int]) -> Plan:
        """Return the plan of some of its partitions."""
        ranges = tuple(each for each in self.ranges if each.partition in partitions)
        return self.model_copy(update={"ranges": ranges})


def groups_of(ranges: Sequence[Range], most: int, least: int) -> tuple[tuple[int, ...], ...]:
    """Return the partitions of each group, with about as many offsets in each.

    Args: most, so many groups at the most; least, offsets of a group on the average, if there are several.
    """
    offsets = {each.partition: each.end - each.first for each in ranges}
    count = min(most, len(offsets), max(1, sum(offsets.values()) // least))
    groups, filled = [list[int]() for _ in range(count)], [0] * count
    for partition in sorted(offsets, key=lambda each: (-offsets[each], each)):
        place = min(range(count), key=lambda each: (filled[each], len(groups[each])))
        groups[place].append(partition)
        filled[place] += offsets[partition]
    return tuple(tuple(sorted(group)) for group in groups)


def make_plan(
    where: str,
    request: BatchRequest,
    ledger: Ledger,
    topic: Topic,
    marks: Mapping[int, Marks],
    *,
    dag_id: str,
    run_id: str,
    now: datetime,
) -> Plan:
    """Return the plan of a batch. Args: where, the connection, for errors; ledger, what is done.

    Raises: MessagesLost, NothingLost, TopicMadeAnew.
    """
    anew = _made_anew(ledger, topic, marks)
    # The ledger knows a topic by what was read of it.
    when = "" if any(each.low < each.stable for each in marks.values()) else "when its first message is there"
    if anew and (when or not request.accept_recreated):
        raise TopicMadeAnew(where, topic.name, anew, when)
    known = {} if anew else ledger.next_offsets
    lost = {
        each: Loss(each, known[each], marks[each].low)
        for each in topic.partitions
        if each in known and marks[each].low > known[each]
    }
    _require_accepted(where, request, list(lost.values()))
    is_first = ledger.epoch < 0 or bool(anew)
    starts, skipped = dict[int, int](), dict[int, int]()
    for each in topic.partitions:
        starts[each] = known.get(each, marks[each].low)
        skipped[each] = lost[each].end - lost[each].start if each in lost else 0
        if is_first and request.start_from == "latest":
            skipped[each] = marks[each].stable - marks[each].low
    backlog = {each: max(0, marks[each].stable - starts[each] - skipped[each]) for each in topic.partitions}
    shares = _shares(backlog, request.max_messages)
    ranges = [
        Range(partition=each, start=start, end=start + skipped[each] + shares[each], lost=skipped[each])
        for each, start in starts.items()
        if skipped[each] + shares[each]
    ]
    return Plan(
        dag_id=dag_id,
        run_id=run_id,
        topic=topic.name,
        format=request.format,
        max_rejected=request.max_rejected,
        epoch=max(ledger.epoch, 0) + (1 if anew else 0),
        cluster_id=topic.cluster_id,
        topic_id=topic.topic_id,
        planned_at=now,
        ranges=tuple(ranges),
        lags=tuple(
            Lag(
                partition=each,
                behind=backlog[each] - shares[each],
                open=marks[each].high - marks[each].stable,
            )
            for each in topic.partitions
        ),
    )


def save_plan(directory: StagingPath, plan: Plan) -> None:
    """Keep the plan for the other tasks, and for later tries of this one."""
    write_atomically(directory / PLAN, plan.model_dump_json(indent=1).encode())


def read_plan(directory: StagingPath) -> Plan | None:
    """Return the plan of the run, None where it has none. Raises: StagingFileDamaged."""
    path = directory / PLAN
    try:
        return Plan.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise StagingFileDamaged(str(path), first_problem(error), TASK) from error


def _made_anew(ledger: Ledger, topic: Topic, marks: Mapping[int, Marks]) -> str:
    """Return in what the topic is not the one of the ledger, "" where it is."""
    if ledger.epoch < 0:
        return ""
    for what, was, found in (
        ("its id", ledger.topic_id, topic.topic_id),
        ("the cluster's id", ledger.cluster_id, topic.cluster_id),
    ):
        if was and found and was != found:
            return f"{what} was {was}, and is {found}"
    for partition, done in ledger.next_offsets.items():
        if partition not in marks:
            return f"partition {partition} is gone"
        if marks[partition].high < done:
            return f"partition {partition} ends at offset {marks[partition].high}, the ledger is at {done}"
    return ""


def _require_accepted(where: str, request: BatchRequest, lost: list[Loss]) -> None:
    accepted = request.accepted
    if set(lost) - accepted:
        raise MessagesLost(where, request.topic, loss_text(request.topic, lost), request.accept_loss)
    if surplus := accepted - set(lost):
        raise NothingLost(where, request.topic, loss_text(request.topic, sorted(surplus)))


def _shares(backlog: Mapping[int, int], most: int) -> dict[int, int]:
    """Return how many offsets of each partition are read: all, or the same part of each, `most` in all."""
    total, left = sum(backlog.values()), most
    if total <= most:
        return dict(backlog)
    shares = dict.fromkeys(backlog, 0)
    for partition in sorted(backlog, key=lambda each: (-backlog[each], each)):
        shares[partition] = min(backlog[partition], left, max(1, backlog[partition] * most // total))
        left -= shares[partition]
    return shares
