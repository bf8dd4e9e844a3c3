"""
### Actions of users, from Kafka

Every five minutes and by hand: the messages that have come since the run before, from the topic `user_events`
(or another one, by param) into the table `user_events`, each exactly once. Which offsets a run has is decided
before it reads, and recorded in ClickHouse when its rows are in sight. The group's offsets decide nothing.

| task | reads | writes | safe to rerun |
| ---- | ----- | ------ | ------------- |
| `postgres_health` | params, connections | XCom: the facts found | yes |
| `tables` | `clickhouse_default` | missing tables and columns | yes, does nothing |
| `plan` | `kafka_offsets`, the topic's offsets | `plan.json`; XCom: ranges and lag | yes, the plan is used |
| `stage`, mapped | some partitions | their parts; the last one the manifest | yes, what is staged is used |
| `load`, mapped | parts of one `stage` | staging tables of this try | yes |
| `publish` | the staging tables | `user_events`, dead letters, the ledger | yes, adds what is missing |
| `check` | ClickHouse, the manifest, the lease of `publish` | the asset `user_events` | yes |
| `commit_group` | `kafka_offsets` | the group's offsets, for monitors of lag | yes |
| `again` | the plan, the manifest, ClickHouse | the page; a run, while messages are left | yes, one follows |

**Nothing new**: the tasks after `plan` are skipped.

**Dead letters**: messages that are no rows, with the reason, in `kafka_dead_letters`. More of them than
`max_rejected`, and `stage` fails: nothing is loaded.

**When it is red**: the error of the first red task names what is wrong and the next step. Lost messages are
accepted by naming exactly their range, a topic that was made anew by `accept_recreated`.
"""

from __future__ import annotations

import stagehouse.preconditions  # noqa: F401 - says what is missing

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import chain, dag, task

from stagehouse.hooks.storage_roots import require_storage
from stagehouse.jobs.kafka_params import topic_params
from stagehouse.jobs.kafka_topics import PARTITIONS, TopicSource
from stagehouse.pipeline.defaults import DAG_DEFAULTS, TASK_DEFAULTS
from stagehouse.pipeline.preflight import postgres_facts, tables
from stagehouse.pipeline.staged import load_publish_check

if TYPE_CHECKING:
    from include.kafka.messages import RowType


def row_type() -> RowType:
    """Return what makes rows of messages."""
    from include.kafka.events import USER_EVENTS

    return USER_EVENTS


SOURCE = TopicSource("user_events", row_type, formats=("json", "dashed"))


@dag(
    **DAG_DEFAULTS,
    schedule="*/5 * * * *",
    max_active_runs=1,  # where one ends the next begins
    dagrun_timeout=timedelta(hours=2),
    params=topic_params(SOURCE.name, *SOURCE.formats),
    default_args=TASK_DEFAULTS,
    tags=["kafka", "clickhouse"],
    doc_md=__doc__,
)
def user_events() -> None:
    """Wire the nine tasks."""

    @task
    async def postgres_health() -> dict[str, object]:
        require_storage("staging_root")
        SOURCE.require_usable()
        return await postgres_facts()

    @task.short_circuit
    def plan() -> list[list[int]]:
        return SOURCE.plan_run()

    @task(execution_timeout=timedelta(minutes=30), map_index_template=PARTITIONS)
    def stage(partitions: list[int]) -> list[dict[str, str]]:
        return SOURCE.stage_run(partitions)

    @task
    def commit_group() -> dict[str, int]:
        return SOURCE.commit_run()

    @task
    def again() -> int:
        return SOURCE.continue_run()

    groups = plan()
    parts = stage.expand(partitions=groups)
    chain(postgres_health(), tables(), groups)
    chain(load_publish_check(parts, SOURCE.staged()), commit_group(), again())


user_events()
