"""Runs of DAGs in a process of its own: all it says can be read (`python -m tests.faults.dag_process FD`)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.clock import run_by_clock
from tests.dag_runner import shorten_pauses

ROOT = Path(__file__).resolve().parents[2]


class DagProcess:
    """A process that runs one DAG after the other, by dag.test() and the clock of the tests.

    Args: log: a file for its output. root: of the project. environment: of the process, from its start on.
    """

    def __init__(self, log: Path, root: Path = ROOT, **environment: str) -> None:
        reading, writing = os.pipe()
        self._log = log
        command = [sys.executable, "-m", "tests.faults.dag_process", str(writing)]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, cwd=root, env=os.environ | environment, text=True, pass_fds=(writing,),
                stdin=subprocess.PIPE, stdout=output, stderr=output,
            )  # fmt: skip
        os.close(writing)
        self._answers = os.fdopen(reading)

    def run(self, dag_id: str, environment: dict[str, str], **how: Any) -> tuple[dict[str, str], str]:
        """Run a DAG with environment variables; return the state of each task, and what was said.

        Args: how: conf; last, the task after which nothing is run.
        """
        before = self._log.stat().st_size
        assert self._process.stdin
        print(json.dumps([dag_id, environment, how]), file=self._process.stdin, flush=True)
        answer = self._answers.readline()
        said = self._log.read_bytes()[before:].decode()
        assert answer, said
        return json.loads(answer), said

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._answers.close()


def run(dag_id: str, environment: dict[str, str], conf: dict | None = None, last: str = "") -> dict[str, str]:
    """Run a DAG without second tries, as in a process that has run none before."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk._shared.secrets_masker import reset_secrets_masker
    from airflow.sdk.io import store

    store._STORE_CACHE.clear()  # a client of S3 is kept as long as the process lives
    reset_secrets_masker()  # what an earlier run has masked would hide what this one does not
    os.environ |= environment
    dag = DagBag(dag_folder=ROOT / "dags" / f"{dag_id}.py").dags[dag_id]
    dag.has_on_failure_callback = False  # dag.test() alone calls it on the stored DAG, without params
    for task in dag.tasks:
        task.retries = 0
    if last:
        dag = dag.partial_subset([last], include_upstream=True)
    return {task.task_id: str(task.state) for task in run_by_clock(dag, **conf or {}).get_task_instances()}


if __name__ == "__main__":
    shorten_pauses()
    with os.fdopen(int(sys.argv[1]), "w") as answers:
        for line in sys.stdin:
            dag_id, environment, how = json.loads(line)
            states = run(dag_id, environment, **how)
            sys.stdout.flush()
            print(json.dumps(states), file=answers, flush=True)
