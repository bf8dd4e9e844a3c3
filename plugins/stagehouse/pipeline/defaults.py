"""Defaults of all DAGs and tasks, and the schedule by day. A DAG file takes them or names what differs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronPartitionTimetable, ExceptionRetryPolicy, RetryAction, RetryRule

from include.errors import PermanentError
from stagehouse.pipeline.notifications import notify_run_failure, notify_task_failure

RETRY_POLICY = ExceptionRetryPolicy([RetryRule(exception=PermanentError, action=RetryAction.FAIL)])
TASK_TIMEOUT = timedelta(minutes=15)

DAG_DEFAULTS: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=UTC),
    "catchup": False,
    "disable_bundle_versioning": True,  # plugins/ are those of now, and so must the DAGs be
    "on_failure_callback": notify_run_failure,
}
TASK_DEFAULTS: dict[str, Any] = {
    "on_failure_callback": notify_task_failure,
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": RETRY_POLICY,
    "execution_timeout": TASK_TIMEOUT,
}
# Of tasks that only look, and are soon run anew: one more try for what passes by itself.
LOOK_DEFAULTS: dict[str, Any] = {
    "on_failure_callback": notify_task_failure,
    "retries": 1,
    "retry_delay": timedelta(seconds=30),
}


def day_before(cron: str) -> CronPartitionTimetable:
    """Return a schedule in UTC, each run of which is the partition of the day before: see include.run_day."""
    return CronPartitionTimetable(cron, timezone="UTC", run_offset=-1, key_format="%Y-%m-%d")
