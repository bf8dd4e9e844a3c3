"""The topics of the local stack: what the runs took, and how far they are behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Group

from include.clickhouse.embedded import EmbeddedClient
from include.kafka_stand_in.sample import EVENTS, SESSIONS
from include.local_stack.errors import StackError
from include.local_stack.results import table
from include.local_stack.state import StateDirectory

if TYPE_CHECKING:
    from include.clickhouse.client import ClickHouse
    from include.kafka.plan import Plan

TOPICS = (EVENTS, SESSIONS)
TAKEN = """
    SELECT topic, `partition`, from_offset, to_offset, rows, rejected FROM kafka_offsets
    WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s ORDER BY topic, `partition`
"""
ACTIONS = """
    SELECT action, count() AS rows, uniqExact(user_id) FROM user_events
    GROUP BY action ORDER BY rows DESC, action
"""


def taken(state: StateDirectory, database: str, run_ids: Mapping[str, str]) -> Group:
    """Return the tables to print for runs, by their DAG. Raises: StackError: the ledger has none of one."""
    with EmbeddedClient("clickhouse_default", state.clickhouse, database) as clickhouse:
        ranges = [
            row for dag_id, run_id in run_ids.items() for row in _ranges(state, clickhouse, dag_id, run_id)
        ]
        columns = ("topic", "partition", "from", "to", "rows", "dead letters", "lag")
        shown = [table("Messages", "by partition", columns, ranges)]
        if EVENTS in run_ids:
            actions = clickhouse.execute(ACTIONS)
            shown.append(table("Events", "all that are stored", ("action", "rows", "users"), actions))
    return Group(*shown)


def _ranges(
    state: StateDirectory, clickhouse: ClickHouse, dag_id: str, run_id: str
) -> list[tuple[object, ...]]:
    found = clickhouse.execute(TAKEN, {"dag_id": dag_id, "run_id": run_id})
    if not found:
        raise StackError(
            f"run {run_id} of {dag_id} was green, but the table kafka_offsets has no row of it. "
            "Next: look in the log of its task publish"
        )
    lags = {lag.partition: lag.behind for lag in _plan(state, dag_id, run_id).lags}
    return [(topic, str(partition), *rest, lags[partition]) for topic, partition, *rest in found]


def _plan(state: StateDirectory, dag_id: str, run_id: str) -> Plan:
    """Return the plan of a run, which has its lag."""
    from include.kafka.plan import PLAN, Plan

    for path in (state.staging / dag_id).rglob(PLAN):
        plan = Plan.model_validate_json(path.read_bytes())
        if plan.run_id == run_id:
            return plan
    raise StackError(f"run {run_id} of {dag_id} was green and has no {PLAN}. Next: look in the log of plan")
