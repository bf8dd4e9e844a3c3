"""What Airflow's database knows of DAGs, runs, tasks, pools and components. Times are aware, UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

RECENT_H = 24
OPEN_RUNS = ("queued", "running")
FINISHED = ("success", "failed")
WAITING_TASKS = ("scheduled", "queued", "running", "up_for_retry", "up_for_reschedule", "deferred")


class LastRun(NamedTuple):
    """The run of a DAG that ended last. Attributes: seconds that it took."""

    dag_id: str
    run_id: str
    state: str
    ended_at: datetime
    seconds: float


class TaskCost(NamedTuple):
    """A task of a last run. Attributes: seconds, of its longest instance; tries, of all instances."""

    dag_id: str
    task_id: str
    seconds: float
    tries: int


class AirflowFacts(NamedTuple):
    """What is known now.

    Attributes: paused, by DAG; open_runs and recent_runs: by DAG and state, how many; last_runs and
    last_tasks, of the runs that ended last; tasks: by state, how many; recent_failures: by DAG and task, how
    many failed; recent_repeats: by DAG, how many tries were not the last of their task; oldest_queued; pools:
    by pool and state, how many slots; heartbeats, by component; import_errors, of DAG files.
    """

    paused: Mapping[str, bool]
    open_runs: Mapping[tuple[str, str], int]
    recent_runs: Mapping[tuple[str, str], int]
    last_runs: Mapping[str, LastRun]
    last_tasks: tuple[TaskCost, ...]
    tasks: Mapping[str, int]
    recent_failures: Mapping[tuple[str, str], int]
    recent_repeats: Mapping[str, int]
    oldest_queued: datetime | None
    pools: Mapping[tuple[str, str], int]
    heartbeats: Mapping[str, datetime]
    import_errors: int
