"""How much faster do two Celery workers load than one, and what does a run cost beyond its tasks?

On stacks of docker-compose.yaml as native processes, one task at a time in each worker; the servers and the
rest of the stack have the same cores.
"""

import tempfile
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from include.phrase_views.sample import sample_csv
from tests.bench import phrase_views_import
from tests.bench.findings import Finding, at_most, require_equal
from tests.bench.rounds import in_turn, ratios, typical
from tests.compose.running import Running, running

DAG_ID, LOAD = "phrases_views_import", "load"
PARTS, ROWS_PER_PART = 8, 500_000
ROUNDS, RUNS = 4, 3
CELERY = ("celery", "--app", "airflow.providers.celery.executors.celery_executor.app", "control")


def run() -> list[Finding]:
    """Load the same parts again and again, by one worker and by two; run small imports by each executor."""
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder:
        for profile in ("distributed", "small"):
            (Path(folder) / profile).mkdir()
        with running("distributed", Path(folder) / "distributed") as stack:
            findings = [_overhead(stack, "CeleryExecutor"), _load(stack)]
        with running("small", Path(folder) / "small") as stack:
            return [*findings, _overhead(stack, "LocalExecutor")]


def _load(stack: Running) -> Finding:
    phrase_views_import.write_file(stack.inbox, PARTS * ROWS_PER_PART)
    run_id = stack.trigger(DAG_ID, path=phrase_views_import.FILE)
    require_equal("the import is green", stack.is_green(DAG_ID, run_id), expected=True)
    work = {f"{count}": partial(_timed_load, stack, run_id, count) for count in (1, 2)}
    one, two = in_turn(work, ROUNDS).values()
    remark = f"{typical(two)} s against {typical(one)} s"
    return at_most(
        "load 8 x 500,000 rows: time of two Celery workers, of one's", ratios(two, one), 0.65, remark=remark
    )


def _timed_load(stack: Running, run_id: str, workers: int) -> float:
    """Load all parts anew; return the seconds from the first task's start to the last one's end."""
    second = next(container for container in stack.stack.containers if container.name == "worker-2")
    consume = "add_consumer" if workers == 2 else "cancel_consumer"
    done = second.run(*CELERY, "--destination", "celery@worker-2", consume, "default")
    require_equal("worker 2 obeys", done, 0)
    stack.clear(DAG_ID, run_id, LOAD)
    require_equal("the load is green", stack.is_green(DAG_ID, run_id), expected=True)
    tasks = [task for task in stack.tasks(DAG_ID, run_id) if task["task_id"] == LOAD]
    require_equal("parts, workers", (len(tasks), len({task["hostname"] for task in tasks})), (PARTS, workers))
    begun = min(datetime.fromisoformat(task["start_date"]) for task in tasks)
    return (max(datetime.fromisoformat(task["end_date"]) for task in tasks) - begun) / timedelta(seconds=1)


def _overhead(stack: Running, executor: str) -> Finding:
    """Import a small file; what the run took less what its tasks took, which are one after the other."""
    (stack.inbox / "small.csv").write_bytes(sample_csv(stack.last_day))
    seconds, of_tasks, count = [], [], 0
    for _ in range(RUNS):
        run_id = stack.trigger(DAG_ID, path="small.csv")
        require_equal("the import is green", stack.is_green(DAG_ID, run_id), expected=True)
        durations = [task["duration"] for task in stack.tasks(DAG_ID, run_id)]
        count = len(durations)
        of_tasks.append(sum(durations))
        seconds.append(stack.seconds(DAG_ID, run_id) - sum(durations))
    question = f"{executor}: seconds of a run beyond those of its {count} tasks"
    return Finding(question, seconds, "", None, digits=1, remark=f"the tasks took {typical(of_tasks)} s")
