"""
### Is yesterday there?

Looks every hour whether the day before is published by the DAGs that are due by now, in `loads` and in the
tables. Red, with what is missing and whose it is, where it is not: also when its DAG is paused, was never
started, or its rows have changed since.

| task              | reads                                | writes                   | safe to rerun |
| ----------------- | ------------------------------------ | ------------------------ | ------------- |
| `require_day`     | `clickhouse_default`: `loads`, a day | XCom: rows of each table | yes           |

**When a DAG is due**: the variable `published_by_hour`, a JSON object of DAGs and hours (UTC). A DAG that is
not in it is not watched. Not set: all by 6. The notice is repeated every hour until the day is there.
"""

from __future__ import annotations

import stagehouse.preconditions  # noqa: F401 - says what is missing

from datetime import timedelta

from airflow.sdk import dag, task

from stagehouse.jobs import day_published_watch as job
from stagehouse.pipeline.defaults import DAG_DEFAULTS, LOOK_DEFAULTS, RETRY_POLICY


@dag(
    **DAG_DEFAULTS,
    schedule="5 * * * *",
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=50),
    default_args=LOOK_DEFAULTS
    | {
        "retry_delay": timedelta(minutes=2),  # the day may be replaced just now
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
        return job.require_day()

    require_day()


day_published_watch()
