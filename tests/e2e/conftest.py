"""The whole stack as a user starts it, in front of the recorded answers of GitHub."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from include.clickhouse.embedded import EmbeddedClient
from include.local_stack.airflow_api import AirflowApi
from include.local_stack.settings import read_settings
from include.local_stack.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT.parent / "shared" / "data" / "github"
DAGS = ("postgres_health", "github_top_repositories")
RATE = 40


class RecordedGitHub:
    """The stand-in as a process of its own, with its log of requests. Attributes: url; port; last_day."""

    def __init__(self, directory: Path, last_day: date) -> None:
        self.last_day, self._log = last_day, directory / "requests.ndjson"
        port_file = directory / "port"
        command = [sys.executable, "-m", "include.github_stand_in", "--data", RECORDED, "--latency-ms", "20"]
        options = ["--port-file", port_file, "--request-log", self._log, "--last-day", last_day.isoformat()]
        self._process = subprocess.Popen([*map(str, command + options)], cwd=ROOT, stdout=subprocess.DEVNULL)
        while not port_file.exists():
            assert self._process.poll() is None, "the stand-in did not start"
            time.sleep(0.05)
        self.port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}"

    def requests(self, since: int = 0) -> list[dict]:
        """Requests answered, after the first `since` of them."""
        return [json.loads(line) for line in self._log.read_text().splitlines()[since:]]

    def stop(self) -> None:
        """End the process."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=30)


@pytest.fixture(scope="session")
def recorded_github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedGitHub]:
    """GitHub as recorded, its last day moved onto yesterday."""
    if not RECORDED.is_dir():
        pytest.skip(f"no recorded answers at {RECORDED}")
    server = RecordedGitHub(tmp_path_factory.mktemp("github"), datetime.now(UTC).date() - timedelta(days=1))
    yield server
    server.stop()


class RunningStack:
    """The started stack. Attributes: airflow, its REST API; stack; clickhouse_path."""

    def __init__(self, stack: Stack, airflow: AirflowApi) -> None:
        self.stack, self.airflow = stack, airflow
        self.clickhouse_path = stack.state.clickhouse

    def wait(self, run_id: str, timeout_s: float = 180) -> str:
        """Wait for the end of a run of the main DAG; return its state."""
        deadline = time.monotonic() + timeout_s
        while (state := self.airflow.run_state(DAGS[1], run_id)) not in {"success", "failed"}:
            assert time.monotonic() < deadline, self.states(run_id)
            self.stack.watch(0.2)
        return state

    def states(self, run_id: str) -> dict[str, str | None]:
        """The state of each task of a run."""
        return {task.label: task.state for task in self.airflow.task_instances(DAGS[1], run_id)}

    def scheduled_run(self) -> dict:
        """The run that the timetable made when the DAG was unpaused."""
        while True:
            runs = self.airflow._call("GET", f"/api/v2/dags/{DAGS[1]}/dagRuns")["dag_runs"]
            if scheduled := [run for run in runs if run["run_type"] == "scheduled"]:
                return scheduled[0]
            self.stack.watch(0.2)

    def run(self, **params: object) -> str:
        """Run the main DAG to its green end; return the run's id."""
        run_id = self.airflow.trigger(DAGS[1], params)
        assert self.wait(run_id) == "success", self.states(run_id)
        return run_id

    def rows(self, sql: str) -> list[tuple]:
        """What a reader of ClickHouse sees."""
        with EmbeddedClient("reader", self.clickhouse_path, "stagehouse") as clickhouse:
            return clickhouse.execute(sql)


@pytest.fixture(scope="session")
def running_stack(recorded_github: RecordedGitHub, tmp_path_factory: pytest.TempPathFactory):
    """Postgres, Airflow with a scheduler, chDB: started as `make run` does, and stopped."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("home")), "LANG": "C.UTF-8"}
    environ |= {"GITHUB_API": recorded_github.url, "RPS": str(RATE)}
    settings = read_settings(environ, ROOT, state=tmp_path_factory.mktemp("state"), dags=ROOT / "dags")
    clock = lambda: datetime.now(UTC)  # noqa: E731
    with (
        Stack(settings, sleep=time.sleep, now=clock, say=print, scheduled=True) as stack,
        stack.start(DAGS) as airflow,
    ):
        for dag_id in DAGS:
            airflow.unpause(dag_id)
        yield RunningStack(stack, airflow)
