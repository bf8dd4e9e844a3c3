"""DAGs as tests run them through Airflow's own runner, and what became of their tasks."""

from collections.abc import Sequence
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag


def parsed(root: Path, dag_id: str):
    """Return the DAG without further tries, parsed anew: Airflow writes a run's params into what it runs."""
    dag = DagBag(dag_folder=root / "dags" / f"{dag_id}.py").dags[dag_id]
    # dag.test() alone calls it on the stored DAG, whose params without a default it cannot read.
    dag.has_on_failure_callback = False
    for task in dag.tasks:
        task.retries = 0
    return dag


def states(run) -> dict[str, str]:
    """The state of each task; of a mapped one, of all its instances."""
    found: dict[str, set[str]] = {}
    for task in run.get_task_instances():
        found.setdefault(task.task_id, set()).add(str(task.state))
    return {task_id: ",".join(sorted(seen)) for task_id, seen in found.items()}


def red_at(task_id: str, tasks: Sequence[str]) -> dict[str, str]:
    """The states of a run whose tasks follow each other, and that ends at one of them."""
    at = tasks.index(task_id)
    return (
        dict.fromkeys(tasks[:at], "success")
        | {task_id: "failed"}
        | dict.fromkeys(tasks[at + 1 :], "upstream_failed")
    )
