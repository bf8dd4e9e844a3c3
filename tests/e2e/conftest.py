"""The whole stack as a user starts it, in front of the recorded answers of GitHub."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from include.clickhouse.embedded import EmbeddedClient
from include.github_stand_in.app import FAULTS, REQUEST_LOG, create_app
from include.github_stand_in.quota import Quota
from include.github_stand_in.recorded import read_recording
from include.github_stand_in.request_log import LoggedRequest
from include.local_stack.airflow_api import AirflowApi, TaskInstance
from include.local_stack.phrase_views import IMPORT, REPORT
from include.local_stack.postgres import METADATA, SUPERUSER
from include.local_stack.sessions import Command, members
from include.local_stack.settings import read_settings
from include.local_stack.stack import Stack
from tests.e2e.invented_recording import write_recording
from tests.e2e.reported_days import Reported, report_days
from tests.faults import left_behind
from tests.faults.canaries import Canary, leaks
from tests.servers.github_schema import SCHEMA_IF_THERE

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT.parent / "shared" / "data" / "github"
HEALTH, MAIN = "postgres_health", "github_top_repositories"
RATE = 40
TOKEN = Canary("Jackal", "_.-")  # of GitHub
BY_REST = {"api": "rest"}  # where a test knows each request; with a token a run asks GraphQL


class RecordedGitHub:
    """The stand-in with recorded answers, in a thread. Attributes: data; url; port; last_day; faults."""

    def __init__(self, data: Path, last_day: date) -> None:
        quota = Quota(core_per_hour=1_000_000, search_per_minute=10_000)
        dataset = read_recording(data).shift_to(last_day)
        clock = partial(datetime.now, UTC)
        schema = {"graphql_schema": SCHEMA_IF_THERE}
        app = create_app(dataset, now=clock, anonymous=quota, with_token=quota, latency_s=0.02, **schema)
        self.data, self.last_day = data, last_day
        self.faults, self._log = app[FAULTS], app[REQUEST_LOG]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._runner = web.AppRunner(app, access_log=None)
        self.port = self._wait(self._serve())
        self.url = f"http://127.0.0.1:{self.port}"

    async def _serve(self) -> int:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self._runner.addresses[0][1]

    def _wait(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    def requests(self, since: int = 0) -> list[LoggedRequest]:
        """Requests answered, after the first `since` of them; what is left of a quota is told for nothing."""
        return [request for request in self._log.requests if request.path_qs != "/rate_limit"][since:]

    def stop(self) -> None:
        """End the server and its thread."""
        self._wait(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="package")
def recorded_github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedGitHub]:
    """GitHub as recorded, or where there is no recording, as invented; its last day is yesterday."""
    data = RECORDED if RECORDED.is_dir() else write_recording(tmp_path_factory.mktemp("recording"))
    server = RecordedGitHub(data, datetime.now(UTC).date() - timedelta(days=1))
    yield server
    server.stop()


class RunningStack:
    """The started stack. Attributes: airflow, its REST API; stack; clickhouse_path; processes: arguments."""

    def __init__(self, stack: Stack, airflow: AirflowApi, processes: dict[str, bytes]) -> None:
        self.stack, self.airflow, self.processes = stack, airflow, processes
        self.clickhouse_path = stack.state.clickhouse

    def wait_until(self, condition: Callable[[], object], timeout_s: float = 180) -> None:
        """Wait for something to come true while the stack lives."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout_s} s"
            self.stack.watch(0.1)

    def wait(self, run_id: str, dag_id: str = MAIN) -> str:
        """Wait for the end of a run; return its state."""
        self.wait_until(lambda: self.airflow.run_state(dag_id, run_id) in {"success", "failed"})
        return self.airflow.run_state(dag_id, run_id)

    def tasks(self, run_id: str, dag_id: str = MAIN) -> Sequence[TaskInstance]:
        """The tasks of a run."""
        return self.airflow.task_instances(dag_id, run_id)

    def states(self, run_id: str, dag_id: str = MAIN) -> dict[str, str | None]:
        """The state of each task of a run."""
        return {task.label: task.state for task in self.tasks(run_id, dag_id)}

    def runs(self, run_type: str, dag_id: str = MAIN) -> list[dict]:
        """The runs of a type: scheduled, manual or backfill."""
        runs = self.airflow._call("GET", f"/api/v2/dags/{dag_id}/dagRuns")["dag_runs"]
        return [run for run in runs if run["run_type"] == run_type]

    def scheduled_run(self, dag_id: str = MAIN) -> dict:
        """The run that the timetable made when the DAG was unpaused."""
        self.wait_until(lambda: self.runs("scheduled", dag_id))
        return self.runs("scheduled", dag_id)[0]

    def run(self, dag_id: str = MAIN, /, **params: object) -> str:
        """Run a DAG to its green end; return the run's id."""
        run_id = self.airflow.trigger(dag_id, params)
        assert self.wait(run_id, dag_id) == "success", self.states(run_id, dag_id)
        return run_id

    def clear(self, run_id: str, task_id: str, dag_id: str = MAIN, *, with_all_after: bool = False) -> None:
        """Clear one task of a run, in whatever state; those after it only if asked."""
        wanted = {"dag_run_id": run_id, "task_ids": [task_id], "only_failed": False, "dry_run": False}
        wanted |= {"include_downstream": with_all_after, "reset_dag_runs": True}
        self.airflow._call("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", json=wanted)

    def restart(self, component: str, down_s: float) -> None:
        """Kill a component with all that it started; start it again after a while."""
        sessions = self.stack._sessions
        running = next(each for each in sessions._running if each.command.name == component)
        for process in members({running.process.pid}, self.stack.state.path):
            process.kill()
        running.process.wait()
        sessions._running.remove(running)
        time.sleep(down_s)
        sessions.start(running.command)
        self.wait_until(lambda: not self.airflow.unhealthy())

    def backfill(self, dag_id: str, first: date, last: date, **options: object) -> list[dict]:
        """Have a range of days run anew, also where a run was; return the backfill's runs at their end."""
        # A partition is its day at the time of the schedule: to midnight would leave the last day out.
        days = {"from_date": f"{first}T00:00:00Z", "to_date": f"{last}T23:59:59Z"}
        asked = {"dag_id": dag_id, **days, "reprocess_behavior": "completed", **options}
        made = self.airflow._call("POST", "/api/v2/backfills", json=asked)
        path = f"/api/v2/backfills/{made['id']}"
        self.wait_until(lambda: self.airflow._call("GET", path)["completed_at"], timeout_s=900)
        return self.runs("backfill", dag_id)

    def require_no_secret(self) -> None:
        """In what it has said, kept and shown so far: logs, files, arguments, database, API, pages."""
        state = self.stack.state
        keepers = (state.path / "secrets.json", state.passwords)
        files = left_behind.files(state.path, *keepers, but=state.postgres)  # that is read as rows
        database = {"host": str(state.socket_directory()), "user": SUPERUSER, "dbname": METADATA}
        texts = {**self.processes, **files, **left_behind.rows(**database)}
        texts |= left_behind.pages(self.airflow._http)
        kept = json.loads(keepers[0].read_bytes())
        assert [*leaks([TOKEN], texts), *left_behind.shown(kept, texts)] == []

    def rows(self, sql: str) -> list[tuple]:
        """What a reader of ClickHouse sees."""
        with EmbeddedClient("reader", self.clickhouse_path, "stagehouse") as clickhouse:
            return clickhouse.execute(sql)


class ImpatientStack(Stack):
    """Notices within seconds, not minutes, that nobody looks after a task any more."""

    def _airflow(self, component: str, environment: Mapping[str, str], *arguments: str) -> Command:
        impatient = {
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
        }
        return super()._airflow(component, {**environment, **impatient}, *arguments)


@pytest.fixture(scope="package")
def running_stack(recorded_github: RecordedGitHub, tmp_path_factory: pytest.TempPathFactory):
    """Postgres, Airflow with a scheduler, chDB: started as `make run` does, and stopped."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("home")), "LANG": "C.UTF-8"}
    environ |= {"GITHUB_API": recorded_github.url, "GITHUB_TOKEN": TOKEN, "RPS": str(RATE)}
    settings = read_settings(environ, ROOT, state=tmp_path_factory.mktemp("state"), dags=ROOT / "dags")
    clock = lambda: datetime.now(UTC)  # noqa: E731
    with (
        left_behind.watched_processes() as processes,
        ImpatientStack(settings, sleep=time.sleep, now=clock, say=print, scheduled=True) as stack,
        stack.start((HEALTH, MAIN, IMPORT, REPORT)) as airflow,
    ):
        for dag_id in (HEALTH, MAIN):  # the others, when there is something to import and to report
            airflow.unpause(dag_id)
        running = RunningStack(stack, airflow, processes)
        yield running
        running.require_no_secret()


@pytest.fixture(scope="package")
def reported(running_stack: RunningStack, recorded_github: RecordedGitHub) -> Reported:
    """Counters are in, and two days are reported."""
    return report_days(running_stack, recorded_github.last_day)
