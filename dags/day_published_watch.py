"""
### Is yesterday there?

Looks every hour whether the day before is published by the DAGs that are due by now, in `loads` and in the
tables. Red, with what is missing and whose it is, where it is not: also when its DAG is paused, was never
started, or its rows have changed since.

| task              | reads                                | writes                   | safe to rerun |
| ----------------- | ------------------------------------ | ------------------------ | ------------- |
| `require_day`     | `clickhouse_default`: `loads`, a day | XCom: rows of each table | yes           |

**When a DAG is due**: the variable `published_by_hour`, a JSON object of DAGs and hours (UTC). A DAG that is
not in it is not watched. Not set: all by 6. It is told again every hour until the day is there.
"""

from __future__ import annotations

import stagehouse.preconditions  # noqa: F401 - says what is missing

from datetime import UTC, datetime, timedelta

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, dag, task

from include.errors import PermanentError
from stagehouse.hooks.failure_notice import notify_run_failure, notify_task_failure

RETRY_POLICY = ExceptionRetryPolicy([RetryRule(exception=PermanentError, action=RetryAction.FAIL)])


@dag(
    schedule="5 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    disable_bundle_versioning=True,  # plugins/ are those of now
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=50),
    on_failure_callback=notify_run_failure,
    default_args={
        "on_failure_callback": notify_task_failure,
        "retries": 1,  # the day may be replaced just now
        "retry_delay": timedelta(minutes=2),
        "retry_policy": RETRY_POLICY,
        "execution_timeout": timedelta(minutes=20),
    },
    tags=["clickhouse", "health"],
    doc_md=__doc__,
)
def day_published_watch() -> None:
    """Wire the one task."""

    @task
    def require_day() -> dict[str, int]:
        from include.published_days import require_published
        from stagehouse.hooks.clickhouse_hook import ClickHouseHook
        from stagehouse.hooks.publication_hours import publication_hours

        now = datetime.now(UTC)
        due = [dag_id for dag_id, hour in publication_hours().items() if hour <= now.hour]
        with ClickHouseHook().get_client() as clickhouse:
            return require_published(clickhouse, now.date() - timedelta(days=1), due)

    require_day()


day_published_watch()
