"""Connections and variables of the DAGs, with every root on a server of S3."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.execution_time.context import set_current_context

from tests.servers.object_store import ObjectStore

RUN_ID = "manual__of/two workers"


def environment(store: ObjectStore, bucket: str, **connections: str) -> dict[str, str]:
    """Return the environment of every worker: `looking_only` reads the inbox, aws_default does the rest."""
    return {
        "AIRFLOW_VAR_STAGING_ROOT": f"s3://{bucket}/staging",
        "AIRFLOW_VAR_REPORTS_ROOT": f"s3://{bucket}/reports",
        "AIRFLOW_VAR_INBOX_ROOT": f"s3://looking_only@{bucket}/inbox",
        "AIRFLOW_CONN_AWS_DEFAULT": store.airflow_connection(),
        "AIRFLOW_CONN_LOOKING_ONLY": store.airflow_connection(store.reader),
    } | {f"AIRFLOW_CONN_{name.upper()}_DEFAULT": value for name, value in connections.items()}


def embedded(directory: Path) -> str:
    """Return a connection to chDB there."""
    fields = {"conn_type": "clickhouse", "schema": "stagehouse", "extra": {"path": str(directory)}}
    return json.dumps(fields)


def github(url: str) -> str:
    """Return a connection to a stand-in that is in no hurry to refuse."""
    fast = {"requests_per_second": 500, "max_concurrent_requests": 10}
    return json.dumps({"conn_type": "github", "host": url, "extra": fast})


def parsed(root: Path, dag_id: str) -> Any:
    """Return the DAG without further tries, parsed anew: Airflow writes a run's params into what it runs."""
    dag = DagBag(dag_folder=root / "dags" / f"{dag_id}.py").dags[dag_id]
    # dag.test() alone calls it on the stored DAG, whose params without a default it cannot read.
    dag.has_on_failure_callback = False
    for task in dag.tasks:
        task.retries = 0
    return dag


class OneRun:
    """What Airflow tells the tasks of one run, in any process. Attributes: pushed, XComs by key."""

    def __init__(self, params: dict[str, object], pushed: dict[str, object] | None = None) -> None:
        self.params, self.pushed = params, pushed or {}

    @contextmanager
    def try_of_a_task(self, dag_id: str) -> Iterator[None]:
        """A try of any task of the DAG."""
        ti = SimpleNamespace(
            id=uuid4(),
            dag_id=dag_id,
            task_id="any",
            try_number=1,
            run_id=RUN_ID,
            xcom_push=self.pushed.__setitem__,
            xcom_pull=self._pull,
        )
        dag_run = SimpleNamespace(
            dag_id=dag_id, run_id=RUN_ID, partition_key=None, run_after=datetime.now(UTC)
        )
        with set_current_context({"params": self.params, "dag_run": dag_run, "ti": ti}):
            yield

    def _pull(self, *, task_ids: str, key: str) -> object:
        assert task_ids == "fetch"
        return self.pushed[key]
