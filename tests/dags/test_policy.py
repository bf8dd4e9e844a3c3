"""Rules that every DAG of this project keeps. A new DAG is held to them by lying in dags/."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stagehouse.pipeline.notifications import notify_run_failure, notify_task_failure

DAGS = Path(__file__).resolve().parents[2] / "dags"
DAG_IDS = sorted(path.stem for path in DAGS.glob("*.py"))
HEAVY = [
    "aiohttp",
    "chdb",
    "clickhouse_driver",
    "confluent_kafka",
    "githubkit",
    "psycopg",
    "psycopg2",
    "psycopg_pool",
]
# Airflow itself imports psycopg2 when its metadata database is PostgreSQL; here it is SQLite.
PARSE = """
import json, socket, sys, time
import airflow.sdk
before = set(sys.modules)
def refuse(*arguments, **named):
    raise AssertionError("a DAG file opens a socket")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
sys.path.append(sys.argv[1])
for name in sys.argv[2].split(","):
    __import__(name)
print(json.dumps(sorted({module.partition(".")[0] for module in set(sys.modules) - before})))
"""


@pytest.fixture(params=DAG_IDS)
def dag(request: pytest.FixtureRequest, dagbag):
    """Each DAG in turn; the file's name is the DAG's."""
    assert dagbag.import_errors == {}
    return dagbag.dags[request.param]


def test_one_dag_a_file(dagbag):
    """Has files, each of which imports and holds exactly the DAG of its own name."""
    assert "postgres_health" in DAG_IDS
    assert dagbag.import_errors == {}
    assert sorted(dagbag.dags) == DAG_IDS
    assert {Path(dag.fileloc).stem: dag_id for dag_id, dag in dagbag.dags.items()} == dict(
        zip(DAG_IDS, DAG_IDS, strict=True)
    )


def test_documentation_names_every_task(dag):
    """Has the module's docstring as doc_md: a table with a line for every task and what a rerun does."""
    module = ast.parse(Path(dag.fileloc).read_text())
    # Airflow strips indentation and blank lines at the ends.
    assert dag.doc_md.split() == ast.get_docstring(module).split()
    assert "safe to rerun" in dag.doc_md
    lines = dag.doc_md.splitlines()
    for task in dag.tasks:
        assert any(line.startswith(f"| `{task.task_id}`") for line in lines), task.task_id


def test_every_task_ends_and_is_tried_again(dag):
    """Gives every task a time limit below the run's, and at least one retry after a pause."""
    assert dag.tasks
    assert dag.dagrun_timeout
    for task in dag.tasks:
        assert task.execution_timeout, task.task_id
        assert task.execution_timeout <= dag.dagrun_timeout, task.task_id
        assert task.retries >= 1, task.task_id
        assert task.retry_delay.total_seconds() > 0, task.task_id


def test_every_failure_is_told(dag):
    """Tells of each failed task and of each failed run, where a notifier is set up."""
    assert dag.on_failure_callback is notify_run_failure
    for task in dag.tasks:
        # Airflow keeps that of a mapped task as it was given.
        assert task.on_failure_callback in (notify_task_failure, [notify_task_failure]), task.task_id


def test_no_task_waits_for_a_pool_that_may_be_missing(dag):
    """Uses the pool that always exists: a task of a missing pool hangs without a word."""
    assert {task.pool for task in dag.tasks} == {"default_pool"}


def test_what_a_mapped_task_returns_is_one_xcom(dag):
    """Each key of a dict would be one more: a request for each to write it, another before a retry."""
    assert not any(task.multiple_outputs for task in dag.tasks if task.is_mapped)


def test_runs_are_planned_in_utc_without_surprises(dag):
    """Starts in UTC, never catches up by itself, states how many runs may be active, and is tagged."""
    assert dag.start_date.utcoffset().total_seconds() == 0
    assert str(dag.timezone) == "UTC"
    assert dag.catchup is False
    assert "max_active_runs" in keywords_of_dag(Path(dag.fileloc))
    assert dag.max_active_runs >= 1
    assert dag.tags


def test_the_scheduler_can_store_it(dag):
    """Survives the way to the scheduler and back with all its tasks."""
    from airflow.serialization.serialized_objects import DagSerialization

    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert sorted(DagSerialization.from_dict(stored).task_dict) == sorted(dag.task_dict)


def test_parsing_is_cheap_and_silent():
    """Opens no socket and imports no driver: a DAG file is parsed again and again."""
    command = [sys.executable, "-c", PARSE, str(DAGS), ",".join(DAG_IDS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    imported = json.loads(done.stdout.splitlines()[-1])
    assert set(DAG_IDS) <= set(imported)
    assert set(HEAVY).isdisjoint(imported)


def keywords_of_dag(path: Path) -> set[str]:
    """Return the keywords of the file's `@dag(...)`."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    (decorator,) = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "dag"]
    return {keyword.arg for keyword in decorator.keywords}
