"""The ledger `kafka_offsets`: which offsets of a topic are done, and whether that is without a gap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from include.clickhouse.client import ClickHouse
from include.clickhouse.cluster import await_replicas
from include.kafka.errors import BrokenLedger, OffsetsTaken
from include.staging.tables import KeyRange, StagedTable

OFFSETS = StagedTable(
    name="kafka_offsets",
    columns={
        **dict.fromkeys(("dag_id", "topic"), "String"),
        **dict.fromkeys(("epoch", "partition"), "UInt32"),
        **dict.fromkeys(
            ("from_offset", "to_offset", "rows", "rejected", "tombstones", "hidden", "lost"), "UInt64"
        ),
        **dict.fromkeys(("cluster_id", "topic_id", "fingerprint"), "String"),
    },
    key=("dag_id", "topic", "epoch", "partition", "from_offset"),
    day_column=None,
    appended=True,
    stamps=("run_id", "published_at"),
    form="text",
)
_OF = "dag_id = %(dag_id)s AND topic = %(topic)s"


class Ledger(NamedTuple):
    """What is done of a topic, in its last epoch.

    Attributes: epoch, -1 before the first one; cluster_id and topic_id, "" where unknown; next_offsets, by
    partition.
    """

    epoch: int
    cluster_id: str
    topic_id: str
    next_offsets: dict[int, int]


class Done(NamedTuple):
    """A range that a run has published."""

    epoch: int
    partition: int
    start: int
    end: int


def read_ledger(clickhouse: ClickHouse, dag_id: str, topic: str) -> Ledger:
    """Return what is done, on a cluster as all replicas know it. Raises: ClickHouseError."""
    await_replicas(clickhouse, OFFSETS.name)
    rows = clickhouse.execute(
        "SELECT epoch, `partition`, max(to_offset), argMax(cluster_id, to_offset), "
        f"argMax(topic_id, to_offset) FROM kafka_offsets WHERE {_OF} "
        "GROUP BY epoch, `partition` ORDER BY epoch, `partition`",
        {"dag_id": dag_id, "topic": topic},
    )
    if not rows:
        return Ledger(-1, "", "", {})
    epoch, _, _, cluster_id, topic_id = rows[-1]
    return Ledger(epoch, cluster_id, topic_id, {each[1]: each[2] for each in rows if each[0] == epoch})


def done_by_run(clickhouse: ClickHouse, dag_id: str, topic: str, run_id: str) -> list[Done]:
    """Return the ranges that a run has published, likewise. Raises: ClickHouseError."""
    await_replicas(clickhouse, OFFSETS.name)
    rows = clickhouse.execute(
        f"SELECT epoch, `partition`, from_offset, to_offset FROM kafka_offsets "
        f"WHERE {_OF} AND run_id = %(run_id)s ORDER BY epoch, `partition`, from_offset",
        {"dag_id": dag_id, "topic": topic, "run_id": run_id},
    )
    return [Done(*row) for row in rows]


def require_chain(clickhouse: ClickHouse, dag_id: str, topic: str) -> None:
    """Prove that each range begins where another ends, and that what is counted adds up.

    Raises: BrokenLedger; ClickHouseError.
    """
    counted = "sum(rows + rejected + tombstones + hidden + lost)"
    # Each end but the last is a beginning: a gap does not make up for an overlap of the same size.
    ends, begins = "intHash64(max(to_offset))", "intHash64(min(from_offset))"
    linked = f"sum(intHash64(from_offset)) + {ends} = sum(intHash64(to_offset)) + {begins}"
    rows = clickhouse.execute(
        "SELECT epoch, `partition`, max(to_offset) - min(from_offset) AS whole, "
        "sum(to_offset - from_offset) AS parts, count() AS ranges, uniqExact(from_offset) AS begins, "
        f"{counted} AS counted, {linked} AS linked FROM kafka_offsets WHERE {_OF} "
        "GROUP BY epoch, `partition` "
        "HAVING whole != parts OR ranges != begins OR counted != parts OR NOT linked "
        "ORDER BY epoch, `partition` LIMIT 1",
        {"dag_id": dag_id, "topic": topic},
    )
    for epoch, partition, whole, parts, ranges, begun, count, _ in rows:
        found = (
            f"epoch {epoch}, partition {partition}: {ranges} ranges with {begun} beginnings have {parts} "
            f"offsets of {whole}, count {count} of them, or do not begin where another ends"
        )
        raise BrokenLedger(clickhouse.where, topic, found)


def require_next(clickhouse: ClickHouse, dag_id: str, run_id: str, ranges: Iterable[KeyRange]) -> None:
    """Require the ledger to end where ranges begin, or to have them as this run's.

    Args: ranges of a table's offsets: their prefix is topic, epoch and partition.
    Raises: OffsetsTaken; ClickHouseError.
    """
    ranges = list(ranges)
    for topic in {str(each.prefix[0]) for each in ranges}:
        done = set(done_by_run(clickhouse, dag_id, topic, run_id))
        ledger = read_ledger(clickhouse, dag_id, topic)
        for (_, *place), start, end in ranges:
            epoch, partition = map(int, place)
            if Done(epoch, partition, start, end) in done:
                continue
            if ledger.epoch > epoch:
                found = f"another run has begun epoch {ledger.epoch}, this batch is of epoch {epoch}"
                raise OffsetsTaken(clickhouse.where, topic, found)
            at = ledger.next_offsets.get(partition, start) if ledger.epoch == epoch else start
            if at != start:
                found = f"partition {partition} is done up to offset {at}, this batch begins at {start}"
                raise OffsetsTaken(clickhouse.where, topic, found)
