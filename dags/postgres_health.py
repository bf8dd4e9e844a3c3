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

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task

from stagehouse.hooks.failure_notice import notify_run_failure, notify_task_failure


@dag(
    schedule="*/10 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    disable_bundle_versioning=True,  # plugins/ are those of now
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=9),
    on_failure_callback=notify_run_failure,
    default_args={
        "on_failure_callback": notify_task_failure,
        "retries": 1,
        "retry_delay": timedelta(seconds=30),
        "execution_timeout": timedelta(minutes=2),
    },
    tags=["postgres", "health"],
    doc_md=__doc__,
)
def postgres_health() -> None:
    """Wire the one task."""

    @task(task_id="postgres_health")
    async def check() -> dict[str, object]:
        from stagehouse.hooks.postgres_hook import StagehousePostgresHook

        return (await StagehousePostgresHook().check_health()).model_dump(mode="json")

    check()


postgres_health()
