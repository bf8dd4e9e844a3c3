"""Trigger DAGs, show what happens in them, and judge how they ended."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

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


class DagRun:
    """A run of a DAG, triggered as it is made. Attributes: dag_id; run_id.

    conf: params of the run. say: takes lines for the user.
    """

    def __init__(
        self,
        stack: Stack,
        airflow: AirflowApi,
        dag_id: str,
        conf: Mapping[str, object],
        say: Callable[[str], None],
    ) -> None:
        self.dag_id, self._airflow, self._say = dag_id, airflow, say
        airflow.fail_unfinished_runs(dag_id)
        airflow.unpause(dag_id)
        self.run_id = airflow.trigger(dag_id, conf)
        say(f"{dag_id}: started{''.join(f' {name}={value}' for name, value in conf.items())}")
        self._progress, self._logs = Progress(), RunLogs(stack.state.task_logs, dag_id, self.run_id)

    def is_over(self) -> bool:
        """Say what is new; tell whether the run has ended, green. Raises: RunFailed."""
        state = self._airflow.run_state(self.dag_id, self.run_id)
        tasks = self._airflow.task_instances(self.dag_id, self.run_id)
        for line in (*_spoken(self._logs.news()), *self._progress.changes(tasks)):
            self._say(f"  {self.dag_id} {line}")
        if state not in FINISHED:
            return False
        self._say(f"{self.dag_id}: {state}")
        if state != "success":
            raise RunFailed(self.dag_id, self.run_id, failure_report(tasks, self._logs))
        return True


def run_dags(
    stack: Stack,
    airflow: AirflowApi,
    jobs: Iterable[Sequence[str]],
    conf: Callable[[str], Mapping[str, object]],
    say: Callable[[str], None],
) -> dict[str, str]:
    """Run jobs side by side, the DAGs of each in their order, to their end; return the runs' ids by DAG.

    conf: returns the params of a DAG, when it is its turn. Raises: RunFailed; ComponentDied.
    """
    run_ids = dict[str, str]()

    def start(waiting: Iterator[str]) -> DagRun | None:
        dag_id = next(waiting, None)
        if dag_id is None:
            return None
        run = DagRun(stack, airflow, dag_id, conf(dag_id), say)
        run_ids[dag_id] = run.run_id
        return run

    queues = [iter(job) for job in jobs]
    at_work = [(queue, run) for queue in queues if (run := start(queue))]
    while at_work:
        stack.watch(POLL_S)
        looked_at = [(queue, start(queue) if run.is_over() else run) for queue, run in at_work]
        at_work = [(queue, run) for queue, run in looked_at if run]
    return run_ids


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
