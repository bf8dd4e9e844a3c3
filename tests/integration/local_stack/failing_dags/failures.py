"""DAGs that fail, each in its own way, with the callbacks of the project's own."""

import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task

from stagehouse.pipeline.notifications import notify_run_failure, notify_task_failure


def failing(dag_id: str, work: Callable[[], None], run_s: int = 600, task_s: int = 300) -> None:
    """Make a DAG of one mapped task, which ends by itself or after so many seconds, or with its run."""

    @dag(
        dag_id=dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        dagrun_timeout=timedelta(seconds=run_s),
        on_failure_callback=notify_run_failure,
        default_args={
            "on_failure_callback": notify_task_failure,
            "execution_timeout": timedelta(seconds=task_s),
        },
    )
    def wire() -> None:
        @task(task_id="work")
        def task_of_the_dag(number: int) -> None:
            if number == 1:
                work()

        task_of_the_dag.expand(number=[0, 1])

    wire()


def _raise() -> None:
    raise ValueError("<the reason> \n on two lines")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_with_supervisor() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    _die()


def _sleep() -> None:
    time.sleep(120)


failing("raises", _raise)
failing("is_killed", _die)
failing("loses_its_worker", _die_with_supervisor)
failing("takes_long", _sleep, task_s=2)
failing("never_ends", _sleep, run_s=3)
