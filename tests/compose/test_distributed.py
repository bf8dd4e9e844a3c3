"""docker-compose.yaml's stack of workers does the work: its own commands and environments, run natively."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from include.phrase_views.sample import sample_csv
from tests.compose.container import Container
from tests.compose.recorded_day import require_recorded_day
from tests.compose.running import Running
from tests.e2e import counters_truth
from tests.faults import left_behind

pytestmark = pytest.mark.e2e
MAIN, IMPORT, REPORT = "github_top_repositories", "phrases_views_import", "phrase_views_report"
WORKERS = {"worker-1", "worker-2"}


@pytest.fixture(scope="module")
def processes() -> Iterator[dict[str, bytes]]:
    """The arguments of all that runs, from before the first run on."""
    with left_behind.watched_processes() as seen:
        yield seen


@pytest.fixture(scope="module")
def runs(distributed: Running, processes: dict[str, bytes]) -> dict[str, str]:
    """The main job beside an import and the report of what it brought: all green. By DAG, the run's id."""
    day = distributed.last_day.isoformat()
    (distributed.inbox / "counters.csv").write_bytes(sample_csv(distributed.last_day))
    runs = {
        MAIN: distributed.trigger(MAIN, day=day, api="rest"),  # each of its requests is known
        IMPORT: distributed.trigger(IMPORT, path="counters.csv"),
    }
    assert distributed.is_green(IMPORT, runs[IMPORT])
    runs[REPORT] = distributed.trigger(REPORT, day=day)
    assert distributed.is_green(REPORT, runs[REPORT])
    assert distributed.is_green(MAIN, runs[MAIN])
    return runs


def test_the_day_is_the_recording_s_row_by_row(distributed: Running, runs: dict[str, str]):
    """As an independent reading of the recorded files has it."""
    require_recorded_day(distributed)


def test_the_report_is_the_counters_row_by_row(distributed: Running, runs: dict[str, str]):
    """As an independent reading of the imported file has it; the files are where the UI finds them."""
    day = distributed.last_day
    truth = counters_truth.read_truth([distributed.inbox / "counters.csv"], day)
    columns, table = "campaign_id, phrase, hour, views, flags", "phrases_views_by_hour"
    assert len(truth) > 10
    assert Counter(distributed.rows(f"SELECT {columns} FROM {table} WHERE date = '{day}'")) == Counter(truth)
    assert (distributed.volumes / "reports" / "phrase_views" / str(day) / "index.html").is_file()


def test_both_workers_read_what_one_staged(distributed: Running, runs: dict[str, str]):
    """They share the staging volume. Which of them takes a task is chance, of six hardly ever one alone."""
    hosts: dict[str, set[str]] = {}
    for task in distributed.tasks(MAIN, runs[MAIN]):
        hosts.setdefault(task["task_id"], set()).add(task["hostname"])
    assert len(hosts["fetch"]) == 1
    assert set().union(*(hosts[task_id] for task_id in ("fetch", "load", "publish", "check"))) == WORKERS


def test_a_loaded_part_is_one_xcom(distributed: Running, runs: dict[str, str]):
    """Each further one is a request to the API server: to write it, and to clear it before a retry."""
    for dag_id in (MAIN, IMPORT):
        path = f"/api/v2/dags/{dag_id}/dagRuns/{runs[dag_id]}/taskInstances/load/xcomEntries?map_index=0"
        entries = distributed.airflow._call("GET", path)["xcom_entries"]
        assert [entry["key"] for entry in entries if not entry["key"].startswith("_")] == ["return_value"]


def test_workers_and_what_they_fork_run_as_batch(distributed: Running, runs: dict[str, str]):
    """Else the supervisor of a task misses its end where processors are busy, and keeps the slot for 5 s."""
    leaders = {each.command.name: each.process.pid for each in distributed.stack.sessions._running}
    for worker in WORKERS:
        forked = [child.pid for child in psutil.Process(leaders[worker]).children(recursive=True)]
        assert forked
        assert {os.sched_getscheduler(pid) for pid in (leaders[worker], *forked)} == {os.SCHED_BATCH}


def test_the_health_checks_that_nothing_waits_for_are_true(distributed: Running, runs: dict[str, str]):
    """The others were waited for at the start. Each starts an Airflow to ask, so they ask together."""
    awaited = {"redis", "github", "api-server"}
    asked = [c for c in distributed.stack.containers if c.name not in {*awaited, "init"}]
    with ThreadPoolExecutor() as pool:
        healthy = dict(zip((c.name for c in asked), pool.map(Container.is_healthy, asked), strict=True))
    assert healthy == dict.fromkeys(WORKERS | {"scheduler-distributed", "dag-processor", "triggerer"}, True)


def test_no_secret_of_the_env_file_is_shown(
    distributed: Running, runs: dict[str, str], processes: dict[str, bytes]
):
    """Of Redis, PostgreSQL (which is Airflow's own), ClickHouse, GitHub, the UI, and the keys of Airflow.

    Not in logs, files, the broker's data, process arguments, Airflow's database, its API and our pages.
    """
    env, place = distributed.env, distributed.place
    secrets = {name: env[name] for name in env if name.endswith(("PASSWORD", "KEY", "SECRET", "TOKEN"))}
    assert len(secrets) == 10
    assert all(len(secret) > 30 for secret in secrets.values())
    assert any(b"celery" in line for line in processes.values())
    database = {"host": "127.0.0.1", "port": distributed.ports["postgres:5432"], "dbname": "airflow"}
    texts = {
        **processes,
        **left_behind.files(place, place / ".env", distributed.volumes / "auth" / "passwords.json"),
        **left_behind.rows(**database, user="airflow", password=env["POSTGRES_PASSWORD"]),
        **left_behind.pages(distributed.airflow._http),
    }
    assert left_behind.shown(secrets, texts) == []
