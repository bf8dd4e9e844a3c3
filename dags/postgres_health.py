"""
### PostgreSQL's health

Looks every ten minutes whether PostgreSQL is well: version, latency, connections used of the maximum, oldest
transaction, replication lag, size of the database. Red with the reason when it is not.

| task              | reads              | writes                | safe to rerun |
| ----------------- | ------------------ | --------------------- | ------------- |
| `postgres_health` | `postgres_default` | XCom: the facts found | yes           |

`github_top_repositories` asks the same first: nothing is fetched while PostgreSQL is unwell.
"""

from __future__ import annotations

import stagehouse.preconditions  # noqa: F401 - says what is missing

from datetime import timedelta

from airflow.sdk import dag, task

from stagehouse.pipeline.defaults import DAG_DEFAULTS, LOOK_DEFAULTS
from stagehouse.pipeline.preflight import postgres_facts


@dag(
    **DAG_DEFAULTS,
    schedule="*/10 * * * *",
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=9),
    default_args=LOOK_DEFAULTS | {"execution_timeout": timedelta(minutes=2)},
    tags=["postgres", "health"],
    doc_md=__doc__,
)
def postgres_health() -> None:
    """Wire the one task."""

    @task(task_id="postgres_health")
    async def check() -> dict[str, object]:
        return await postgres_facts()

    check()


postgres_health()
