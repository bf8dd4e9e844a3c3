"""Jobs that run side by side."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from include.local_stack.dag_runs import run_dags
from include.local_stack.errors import RunFailed


class Airflow:
    """Runs that end after so many looks. Attributes: log, of what was asked for and what ended."""

    def __init__(self, looks: dict[str, int], red: str = "") -> None:
        self.log: list[str] = []
        self._looks, self._red = looks, red

    def fail_unfinished_runs(self, dag_id):
        """There are none."""

    def unpause(self, dag_id):
        """Nothing is paused."""

    def trigger(self, dag_id, conf):
        """Begin a run."""
        self.log.append(f"{dag_id} begins with {conf['of']}")
        return f"run of {dag_id}"

    def run_state(self, dag_id, _run_id):
        """Look once."""
        self._looks[dag_id] -= 1
        if self._looks[dag_id]:
            return "running"
        self.log.append(f"{dag_id} ends")
        return "failed" if dag_id == self._red else "success"

    def task_instances(self, _dag_id, _run_id):
        """Tasks are not what is tested."""
        return []


def run(tmp_path: Path, airflow: Airflow, *jobs: tuple[str, ...]) -> dict[str, str]:
    """Run them, without waiting."""
    stack = SimpleNamespace(watch=lambda _: None, state=SimpleNamespace(task_logs=tmp_path))
    return run_dags(stack, airflow, jobs, lambda dag_id: {"of": dag_id}, lambda _: None)  # type: ignore[arg-type]


def test_a_job_does_not_wait_for_another(tmp_path: Path):
    """But its own DAGs wait for each other; the ids of all are returned."""
    airflow = Airflow({"a": 5, "b": 1, "c": 2})
    assert run(tmp_path, airflow, ("a",), ("b", "c"), ()) == {name: f"run of {name}" for name in "abc"}
    assert airflow.log == [
        *("a begins with a", "b begins with b"),
        *("b ends", "c begins with c", "c ends", "a ends"),
    ]


def test_a_red_run_ends_all(tmp_path: Path):
    """What comes after it in its job is not begun."""
    airflow = Airflow({"a": 5, "b": 1, "c": 2}, red="b")
    with pytest.raises(RunFailed, match="b failed"):
        run(tmp_path, airflow, ("a",), ("b", "c"))
    assert airflow.log == ["a begins with a", "b begins with b", "b ends"]
