"""The DAG shop_migration through Airflow's own runner, and the run of shop_sync that follows it."""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.dags.dag_runs import parsed, states
from tests.dags.test_shop_sync import Place, place

__all__ = ["place"]
DAG_ID = "shop_migration"
TASKS = ["postgres_health", "tables", "plan", "copy", "publish", "catch_up", "validate"]


@pytest.fixture
def run(root: Path, metadb: None):
    """A function that runs a DAG with params."""
    return lambda dag_id=DAG_ID, **params: parsed(root, dag_id).test(run_conf=params)


def test_tasks_follow_each_other_as_documented(dagbag):
    """One line, in the order of the table in the documentation; the tables are those of shop_sync."""
    dag = dagbag.dags[DAG_ID]
    documented = [line.split("`")[1] for line in dag.doc_md.splitlines() if line.startswith("| `")]
    assert documented == TASKS
    assert [task.task_id for task in dag.topological_sort()] == TASKS
    for before, after in pairwise(TASKS):
        assert after in dag.task_dict[before].downstream_task_ids
    assert {task.task_id for task in dag.tasks if task.is_mapped} == {"copy"}
    assert list(dag.params) == ["rows_per_range", "rows_per_second"]


def test_both_dags_have_the_same_tables(root: Path):
    """A table of one only would be read whole by the other, or not at all."""
    texts = [(root / "dags" / f"{name}.py").read_text() for name in (DAG_ID, "shop_sync")]
    lists = {text.split("TABLES = (", 1)[1].split(")", 1)[0] for text in texts}
    assert len(lists) == 1


def test_a_migration_and_the_run_after_it(run, place: Place):
    """All rows, by ranges; the hourly run goes on from there."""
    assert states(run(rows_per_range=30)) == dict.fromkeys(TASKS, "success")
    assert place.read("SELECT (SELECT count() FROM shop_users), count() FROM shop_sales") == [(20, 99)]
    place.sql("DELETE FROM sales WHERE id = 1; UPDATE users SET username = 'x' WHERE id = 2")
    synced = run("shop_sync")
    assert synced.state == "success"
    found = synced.get_task_instance("stage").xcom_pull(task_ids="stage", key="found")
    assert found["sales"] == {"rows": 98, "changed": 0, "gone": 1}
    assert found["users"] == {"rows": 20, "changed": 1, "gone": 0}
    assert [table for (table,) in place.read("SHOW TABLES") if "__stg_" in table] == []


@pytest.mark.parametrize("params", [{"rows_per_range": 0}, {"rows_per_second": -1}, {"typo": 1}], ids=str)
def test_a_bad_param_is_refused(root: Path, metadb: None, params):
    """By Airflow's own form, or by the first task."""
    from airflow.sdk.exceptions import ParamValidationError

    try:
        ended = parsed(root, DAG_ID).test(run_conf=params)
    except ParamValidationError:
        return
    assert states(ended)["postgres_health"] == "failed"
