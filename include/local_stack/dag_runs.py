"""Trigger a DAG, show what happens in it, and judge how it ended."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from include.local_stack.airflow_api import AirflowApi, TaskInstance
from include.local_stack.errors import RunFailed
from include.local_stack.stack import Stack
from include.local_stack.task_logs import LogLine, RunLogs

POLL_S = 0.5
FINISHED = frozenset({"success", "failed"})
BAD = frozenset({"failed", "upstream_failed"})
# States a task only passes through on its way into a worker.
UNSPOKEN = frozenset({None, "none", "scheduled", "queued"})


class Progress:
    """Turns successive looks at a run's tasks into lines, one for each change that a reader cares for."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str | None, int]] = {}

    def changes(self, tasks: Sequence[TaskInstance]) -> Iterator[str]:
        """Yield a line for each task whose state or try is new."""
        for task in tasks:
            now = (task.state, task.try_number)
            if self._last.get(task.label) == now:
                continue
            self._last[task.label] = now
            if task.state not in UNSPOKEN:
                yield _describe(task)


def run_dag(
    stack: Stack, airflow: AirflowApi, dag_id: str, conf: Mapping[str, object], say: Callable[[str], None]
) -> str:
    """Run a DAG to its end and return the run's id. Raises: RunFailed; ComponentDied."""
    airflow.fail_unfinished_runs(dag_id)
    airflow.unpause(dag_id)
    run_id = airflow.trigger(dag_id, conf)
    say(f"{dag_id}: started{''.join(f' {name}={value}' for name, value in conf.items())}")
    progress, logs = Progress(), RunLogs(stack.state.task_logs, dag_id, run_id)
    while True:
        state = airflow.run_state(dag_id, run_id)
        tasks = airflow.task_instances(dag_id, run_id)
        for line in (*_spoken(logs.news()), *progress.changes(tasks)):
            say(f"  {line}")
        if state in FINISHED:
            break
        stack.watch(POLL_S)
    say(f"{dag_id}: {state}")
    if state != "success":
        raise RunFailed(dag_id, run_id, failure_report(tasks, logs))
    return run_id


def failure_report(tasks: Sequence[TaskInstance], logs: RunLogs) -> str:
    """Return for each failed task its name, the reason, and where its log is."""
    lines = []
    for task in tasks:
        if task.state == "failed":
            reason, log = logs.last_reason(task.label)
            lines += [f"  task {task.label}: {reason}", f"    log: {log or logs.directory}"]
    return "\n".join(lines) or f"  no task failed by itself; logs: {logs.directory}"


def _describe(task: TaskInstance) -> str:
    tries = f", try {task.try_number}" if task.try_number > 1 else ""
    took = f" in {task.duration:.1f} s" if task.duration is not None and task.state in FINISHED else ""
    mark = "!" if task.state in BAD else "-"
    return f"{mark} {task.label}: {task.state}{took}{tries}"


def _spoken(records: Iterator[LogLine]) -> Iterator[str]:
    for record in records:
        if record.is_ours and record.level != "debug":
            yield f"  {record.task}: {record.text}"
