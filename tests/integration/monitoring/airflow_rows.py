"""Rows of Airflow's database, as Airflow leaves them."""

from datetime import datetime, timedelta
from uuid import uuid4

from airflow.jobs.job import Job
from airflow.models.asset import AssetEvent
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import insert


class AirflowRows:
    """Writes rows through a session."""

    def __init__(self, session) -> None:
        self.session = session

    def dag(self, dag_id: str, *, paused: bool = False, stale: bool = False, bundle: str = "dags") -> None:
        """Add a DAG of a bundle, which has to be there."""
        values = {"dag_id": dag_id, "is_paused": paused, "is_stale": stale, "bundle_name": bundle}
        values |= {"max_active_tasks": 16, "max_consecutive_failed_dag_runs": 0}
        self._insert(DagModel, has_task_concurrency_limits=False, **values)

    def run(self, dag_id: str, run_id: str, state: str, end: datetime | None, minutes: int = 1) -> None:
        """Add a run that took some minutes."""
        start = end - timedelta(minutes=minutes) if end else None
        values = {"dag_id": dag_id, "run_id": run_id, "state": state, "start_date": start, "end_date": end}
        self._insert(DagRun, run_type="manual", run_after=start or datetime.now().astimezone(), **values)

    def task(self, dag_id: str, run_id: str, task_id: str, state: str, **values: object) -> None:
        """Add an instance of a task."""
        names = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "state": state}
        values = {"try_number": 1, "pool": "default_pool", "pool_slots": 1} | values
        self._insert(TaskInstance, id=uuid4(), executor_config={}, **names, **values)

    def pool(self, name: str, slots: int) -> None:
        """Add a pool."""
        self._insert(Pool, pool=name, slots=slots, include_deferred=False)

    def heartbeat(self, job_type: str, at: datetime) -> None:
        """Add a component that has been alive until then."""
        self._insert(Job, job_type=job_type, state="running", latest_heartbeat=at)

    def event(self, dag_id: str, run_id: str, at: datetime, extra: object) -> None:
        """Add an event of an asset."""
        values = {"source_dag_id": dag_id, "source_run_id": run_id, "timestamp": at, "extra": extra}
        self._insert(AssetEvent, asset_id=1, **values)

    def _insert(self, model, **values: object) -> None:
        self.session.execute(insert(model.__table__).values(**values))
