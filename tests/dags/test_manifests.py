"""What a run's later tasks say of a manifest that is missing, damaged or another run's: the task to clear."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from airflow.sdk.execution_time.context import set_current_context

from include.staging.errors import StagingError
from include.staging.files import run_directory
from include.staging.manifest import MANIFEST, Manifest, StagedBy, save_manifest

NOW = datetime(2026, 8, 21, 12, tzinfo=UTC)
DAMAGE = {
    "another run's": (lambda path, other: shutil.copy(other, path), "is of DAG .*, run 'other run', day .*"),
    "torn": (lambda path, _: path.write_text("{"), "is damaged"),
    "missing": (lambda path, _: path.unlink(), "is missing"),
}
GIVEN = {
    "load": {"part": {"table": "t", "file": "f"}},
    "publish": {"staged": []},
    "check": {"outlet_events": {}},
}


class Staged(NamedTuple):
    """A DAG that stages. Attributes: by: its run; params."""

    by: StagedBy
    params: dict


DAY = NOW.date()
DAGS = [
    Staged(
        StagedBy("github_top_repositories", "this run", DAY, "fetch"),
        {"top": 1, "query": "stars:>1", "day": DAY.isoformat()},
    ),
    Staged(StagedBy("phrases_views_import", "this run", DAY, "stage"), {"path": "a.csv"}),
]


@pytest.fixture(params=DAGS, ids=lambda staged: staged.by.dag_id)
def staged(request: pytest.FixtureRequest) -> Staged:
    """Each of them."""
    return request.param


@pytest.fixture
def call(staged: Staged, dagbag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Run a task as one of that run; no server is there."""
    monkeypatch.setenv("AIRFLOW_VAR_STAGING_ROOT", str(tmp_path))
    nobody = '{"conn_type": "clickhouse", "host": "nobody.invalid"}'
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", nobody)
    run = {"dag_id": staged.by.dag_id, "run_id": staged.by.run_id}
    context = {
        "params": staged.params,
        "dag_run": SimpleNamespace(**run, partition_key=None, run_after=NOW),
        "ti": SimpleNamespace(id="1", xcom_pull=lambda **_: "host"),
    }

    def run_task(task_id: str) -> object:
        task = dagbag.dags[staged.by.dag_id].task_dict[task_id]
        with set_current_context(context):
            return task.python_callable(**GIVEN[task_id])

    return run_task


@pytest.mark.parametrize("task_id", GIVEN)
@pytest.mark.parametrize("damage", DAMAGE)
def test_the_task_that_stages_is_named(
    staged: Staged, call: Callable, tmp_path: Path, damage: str, task_id: str
):
    """Before any server is asked, and by the name that it has in this DAG."""
    paths = []
    for by in (staged.by, staged.by._replace(run_id="other run")):
        directory = run_directory(tmp_path, by.dag_id, by.day, by.run_id)
        save_manifest(directory, Manifest(**by._asdict(), host="host", written_at=NOW, tables={}))
        paths.append(directory / MANIFEST)
    do, said = DAMAGE[damage]
    do(*paths)
    next_step = f"clear task {staged.by.task} with all after it"
    with pytest.raises(StagingError, match=f"staging file {paths[0]} {said}.*{next_step}"):
        call(task_id)
