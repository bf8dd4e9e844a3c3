"""The whole stack as a user starts it, in front of the recorded answers of GitHub."""

import asyncio
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from aiohttp import web

from include.clickhouse.embedded import EmbeddedClient
from include.github_stand_in.app import FAULTS, REQUEST_LOG, create_app
from include.github_stand_in.quota import Quota
from include.github_stand_in.recorded import read_recording
from include.github_stand_in.request_log import LoggedRequest
from include.local_stack.airflow_api import AirflowApi, TaskInstance
from include.local_stack.errors import StackError
from include.local_stack.phrase_views import IMPORT, REPORT
from include.local_stack.postgres import METADATA, SUPERUSER
from include.local_stack.sessions import Command, Running
from include.local_stack.settings import Settings, read_settings
from include.local_stack.stack import Stack
from tests.bench.fetch import most_within
from tests.e2e.invented_recording import ahead_of, last_day, recorded_or_invented
from tests.e2e.reported_days import Reported, report_days
from tests.faults import left_behind
from tests.faults.canaries import Canary, leaks
from tests.servers.github_schema import SCHEMA_IF_THERE

ROOT = Path(__file__).resolve().parents[2]
HEALTH, MAIN = "postgres_health", "github_top_repositories"
RATE = 40
# An allowance: a server that shares two cores with all of Airflow notes requests late, in the next while.
# tests/integration/github and the bench hold the rate to the number.
LATE_S = 0.25
logger = logging.getLogger(__name__)
TOKEN = Canary("Jackal", "_.-")  # of GitHub
BY_REST = {"api": "rest"}  # where a test knows each request; with a token a run asks GraphQL


def assert_paced(requests: list[LoggedRequest]) -> None:
    """No more than the rate allows were sent in any while, by the notes of the server.

    Whiles that a run can fill: the main job's first run asks 158 times, others 56 to 90.
    """
    arrivals = sorted(request.at_s for request in requests)
    assert len(arrivals) > RATE * (1 + LATE_S), "too few to say"
    for while_s in (1, 3):
        most = most_within(while_s, arrivals)
        assert most <= RATE * (while_s + LATE_S), f"within {while_s} s"


def is_at_work(process: psutil.Process) -> bool:
    """Neither gone nor killed and waiting for somebody to take note of it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class RecordedGitHub:
    """The stand-in with recorded answers, in a thread. Attributes: data; url; port; last_day; faults."""

    def __init__(self, data: Path, last_day: date) -> None:
        quota = Quota(core_per_hour=1_000_000, search_per_minute=10_000)
        dataset = read_recording(data).shift_to(last_day)
        ahead = ahead_of(last_day, datetime.now(UTC))
        schema = {"graphql_schema": SCHEMA_IF_THERE}
        app = create_app(
            dataset,
            now=lambda: datetime.now(UTC) + ahead,
            anonymous=quota,
            with_token=quota,
            latency_s=0.02,
            **schema,
        )
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
        return [request for request in list(self._log.requests) if request.path_qs != "/rate_limit"][since:]

    def stop(self) -> None:
        """End the server and its thread."""
        self._wait(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="package")
def recorded_github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedGitHub]:
    """GitHub as invented, or as recorded where a recording is named."""
    data = recorded_or_invented(tmp_path_factory.mktemp("recording"))
    server = RecordedGitHub(data, last_day(datetime.now(UTC)))
    yield server
    server.stop()


def stored(stack, day) -> dict[str, list[tuple]]:
    """Everything of a day that readers see, and the repositories."""
    of_day = f"WHERE date = '{day}'"
    queries = {
        "positions": f"SELECT date, repo, position, stars FROM repositories_positions {of_day}",
        "commits": f"SELECT date, repo, author, commits_num FROM repositories_authors_commits {of_day}",
        "outcomes": f"SELECT date, repo, outcome, commits, requests FROM repositories_outcomes {of_day}",
        "repositories": (
            "SELECT owner, name, stars, watchers, forks, language, pushed_at FROM repositories FINAL"
        ),
    }
    return {name: sorted(stack.rows(sql)) for name, sql in queries.items()}


class Scheduled(NamedTuple):
    """What the first run by schedule did, before any other. Attributes: run; found: rows of its day."""

    run: dict
    found: dict[str, list[tuple]]
    requests: list[LoggedRequest]


class RunningStack:
    """The stack of all tests here, on one state directory.

    Attributes: stack; airflow, its REST API; clickhouse_path; last_day, of the recording; said: what the
    stack has said; scheduled: the first run of the main job; processes: arguments of all that ran.
    """

    stack: Stack
    airflow: AirflowApi
    scheduled: Scheduled | None = None

    def __init__(self, settings: Settings, last_day: date, processes: dict[str, bytes]) -> None:
        self._settings, self.last_day = settings, last_day
        self.processes = processes
        self.said: list[str] = []

    def start(self) -> None:
        """Start it, or start it anew: nothing is lost of what earlier ones did."""
        clock = lambda: datetime.now(UTC)  # noqa: E731
        self.stack = StackOfShortWaits(
            self._settings, sleep=time.sleep, now=clock, say=self._say, scheduled=True
        )
        self.stack.__enter__()
        self.clickhouse_path = self.stack.state.clickhouse
        self.airflow = self.stack.start((HEALTH, MAIN, IMPORT, REPORT))

    def stop(self) -> None:
        """Stop what runs of it."""
        if hasattr(self, "airflow"):  # else it never came up
            self.airflow.close()
        self.stack.__exit__(None, None, None)

    def _say(self, line: str) -> None:
        logger.info(line)  # pytest shows it with a test that fails
        self.said.append(line)

    def recover(self) -> None:
        """Make it healthy and idle, whatever the test before has left."""
        try:
            self.stack.watch(0)
            self.stack.await_health(self.airflow)
        except StackError as error:
            self._say(f"The stack is started anew: {error}")
            self.stop()
            self.start()
        if sum(map(self.airflow.fail_unfinished_runs, (MAIN, IMPORT, REPORT))):
            at_work = [
                each for dag_id in (MAIN, IMPORT, REPORT) for each in self.processes_of(dag_id, state="")
            ]
            self.wait_until(lambda: not any(map(is_at_work, at_work)))

    def processes_of(self, dag_id: str, task_id: str = "", state: str = "running") -> list[psutil.Process]:
        """The processes of a DAG's tasks in a state: whose is whose, only root may see, or Airflow tells."""
        wanted = {"limit": 100, "order_by": "-start_date"} | ({"state": state} if state else {})
        found = self.airflow._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/~/taskInstances", params=wanted)
        pids = [ti["pid"] for ti in found["task_instances"] if task_id in {"", ti["task_id"]} and ti["pid"]]
        leaders = {running.process.pid for running in self.stack._sessions.running()}
        processes = []
        for pid in pids:
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                if os.getsid(pid) in leaders:  # else another process has the pid by now
                    processes.append(psutil.Process(pid))
        return processes

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
        wanted = {"run_type": run_type, "limit": 100}
        return self.airflow._call("GET", f"/api/v2/dags/{dag_id}/dagRuns", params=wanted)["dag_runs"]

    def scheduled_run(self, dag_id: str = MAIN) -> dict:
        """The run that the timetable made when the DAG was unpaused."""
        self.wait_until(lambda: self.runs("scheduled", dag_id))
        return self.runs("scheduled", dag_id)[0]

    def trigger(self, dag_id: str = MAIN, /, **params: object) -> str:
        """Start a run, of the main job for the recording's last day unless told otherwise; return its id."""
        day = {"day": self.last_day.isoformat()} if dag_id == MAIN else {}
        return self.airflow.trigger(dag_id, day | params)

    def run(self, dag_id: str = MAIN, /, **params: object) -> str:
        """Run a DAG to its green end; return the run's id."""
        run_id = self.trigger(dag_id, **params)
        assert self.wait(run_id, dag_id) == "success", self.states(run_id, dag_id)
        return run_id

    def clear(self, run_id: str, task_id: str, dag_id: str = MAIN, *, with_all_after: bool = False) -> None:
        """Clear one task of a run, in whatever state; those after it only if asked.

        Not while another clear is being carried out: a second one within moments can end Airflow 3.3's
        scheduler (docs/faults.md), which is a test of its own.
        """
        self.wait_until(lambda: "restarting" not in self.states(run_id, dag_id).values())
        self.clear_at_once(run_id, task_id, dag_id, with_all_after=with_all_after)

    def clear_at_once(
        self, run_id: str, task_id: str, dag_id: str = MAIN, *, with_all_after: bool = False
    ) -> None:
        """Clear, also while another clear is being carried out."""
        wanted = {"dag_run_id": run_id, "task_ids": [task_id], "only_failed": False, "dry_run": False}
        wanted |= {"include_downstream": with_all_after, "reset_dag_runs": True}
        self.airflow._call("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", json=wanted)

    def component(self, name: str) -> Running:
        """A component of Airflow that was started."""
        return next(each for each in self.stack._sessions.running() if each.command.name == name)

    def take_away(self, component: str, down_s: float) -> None:
        """Kill a component with all that it started; start it again after a while."""
        sessions, running = self.stack._sessions, self.component(component)
        sessions.kill(running)
        time.sleep(down_s)
        sessions.start_again(running)
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
        keepers = (state.path / "secrets.json", state.passwords, state.metrics_token)
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


class StackOfShortWaits(Stack):
    """Notices within seconds, not minutes, that nobody looks after a task any more."""

    def _command(self, component: str, environment: Mapping[str, str], *arguments: str) -> Command:
        short_waits = {
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        }
        return super()._command(component, {**environment, **short_waits}, *arguments)


@pytest.fixture(scope="package")
def stack_of_all(recorded_github: RecordedGitHub, tmp_path_factory: pytest.TempPathFactory):
    """Postgres, Airflow with a scheduler, chDB: started as `make run` does, and stopped."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("home")), "LANG": "C.UTF-8"}
    environ |= {"GITHUB_API": recorded_github.url, "GITHUB_TOKEN": TOKEN, "RPS": str(RATE)}
    settings = read_settings(environ, ROOT, state=tmp_path_factory.mktemp("state"), dags=ROOT / "dags")
    with left_behind.watched_processes() as processes:
        running = RunningStack(settings, recorded_github.last_day, processes)
        try:
            running.start()
            for dag_id in (HEALTH, MAIN):  # the others, when there is something to import and to report
                running.airflow.unpause(dag_id)
            with suppress(AssertionError, StackError):  # the test of it will say so, and the others go on
                running.wait(running.scheduled_run()["dag_run_id"])
                run = running.scheduled_run()
                day = date.fromisoformat(run["partition_key"][:10])
                running.scheduled = Scheduled(run, stored(running, day), recorded_github.requests())
            yield running
            running.require_no_secret()
        finally:
            running.stop()


@pytest.fixture
def running_stack(stack_of_all: RunningStack, recorded_github: RecordedGitHub) -> RunningStack:
    """The stack, healthy and idle, before a GitHub that is well: a test that breaks it costs no other."""
    recorded_github.faults.clear()
    stack_of_all.recover()
    return stack_of_all


@pytest.fixture(scope="package")
def reported(stack_of_all: RunningStack) -> Reported:
    """Counters are in, and two days are reported."""
    stack_of_all.recover()
    return report_days(stack_of_all)
