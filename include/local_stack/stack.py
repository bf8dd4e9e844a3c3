"""The stack as one object: start everything in order, look after it, stop everything."""

import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Self

import filelock

from include.local_stack.airflow_api import AirflowApi
from include.local_stack.airflow_environment import ADMIN, AIRFLOW, airflow_environment
from include.local_stack.errors import AlreadyRunning, NotHealthy, StackError
from include.local_stack.owner import Owner, read_owner, write_owner
from include.local_stack.postgres import EmbeddedPostgres
from include.local_stack.prometheus import PROMETHEUS, prometheus, require_prometheus
from include.local_stack.sessions import Command, Sessions
from include.local_stack.settings import LOOPBACK, Settings
from include.local_stack.stand_in import StandIns
from include.local_stack.state import StateDirectory, last_lines, write_private
from include.local_stack.supervision import Supervisor

COMPONENTS = ("api-server", "scheduler", "dag-processor")
ARGUMENTS = {"scheduler": ("--skip-serve-logs",)}  # logs are read from the disk they share
HEALTHY_WITHIN_S = 180.0
PARSED_WITHIN_S = 120.0
POLL_S = 0.25


class Stack:
    """Postgres, the stand-ins of APIs, and Airflow. Enter it to own the state directory.

    sleep: waits, or raises to end everything. now: the current time, aware. say: takes lines for the user.
    scheduled: whether timetables start runs. Leaving stops whatever was started.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sleep: Callable[[float], None],
        now: Callable[[], datetime],
        say: Callable[[str], None],
        scheduled: bool,
    ) -> None:
        self.state = StateDirectory(settings.state)
        self._settings = settings
        self._sleep, self._now, self._say = sleep, now, say
        self._scheduled = scheduled
        self._sessions = Sessions(self.state.sessions, settings.state)
        self._lock = filelock.FileLock(self.state.lock)
        self._started_at = now()
        self._airflow: AirflowApi | None = None  # once it has been healthy
        self._restarts = dict.fromkeys(COMPONENTS, 0)
        self._supervisor = Supervisor(
            self._sessions,
            (*COMPONENTS, PROMETHEUS),
            silent=self._silent,
            sleep=sleep,
            say=say,
            note=self._note_restart,
        )

    def __enter__(self) -> Self:
        self.state.create()
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            owner = read_owner(self.state.owner)
            raise AlreadyRunning(self.state.path, owner.pid if owner else None) from None
        if left := self._sessions.sweep():
            self._say(f"Ended {left} processes of an earlier start that was killed")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._say("Stopping")
        finally:  # also where the terminal is gone
            self._sessions.stop()
            self.state.owner.unlink(missing_ok=True)
            self._lock.release()

    def start(self, dag_ids: Sequence[str]) -> AirflowApi:
        """Start all and return a logged-in client as soon as Airflow is healthy and has read these DAGs.

        The client goes on where the api-server is started again meanwhile. Raises: ComponentDied, NotHealthy,
        StackError.
        """
        owner = Owner.this_process()
        write_owner(self.state.owner, owner)
        self.state.port_file(PROMETHEUS).unlink(missing_ok=True)
        if self._settings.monitoring:
            require_prometheus(self._settings)
        postgres = EmbeddedPostgres(self._settings, self.state, self._sessions)
        postgres.start(self._sleep)
        self._say("Postgres is up")
        stand_ins = StandIns(self._settings, self.state, self._sessions, self._sleep)
        github_url, api_url = self._settings.github_api or stand_ins.github(), stand_ins.api()
        kafka = stand_ins.kafka()
        self._say(f"GitHub API: {github_url}{'' if self._settings.github_api else ' (local stand-in)'}")
        port, secrets = free_port(), self.state.secrets()
        environment = airflow_environment(
            self._settings,
            self.state,
            secrets,
            port=port,
            postgres_host=postgres.host,
            github_url=github_url,
            api_url=api_url,
            kafka=kafka,
            scheduled=self._scheduled,
        )
        self._migrate(environment)
        self._write_restarts()
        self._say("Starting Airflow")
        for component in COMPONENTS:
            self._sessions.start(self._command(component, environment, *ARGUMENTS.get(component, ())))
        url, wait = f"http://{LOOPBACK}:{port}", partial(self.watch, POLL_S)
        airflow = AirflowApi(url, ADMIN, secrets.admin_password, while_silent=wait)
        self.await_health(airflow)
        self._airflow = airflow
        airflow.log_in()
        self._await_dags(airflow, dag_ids)
        self._say(f"Airflow is up: {airflow.url}")
        if self._settings.monitoring:
            self._sessions.start(prometheus(self._settings, self.state, port, free_port()))
        return airflow

    def announce(self, airflow: AirflowApi) -> None:
        """Let `make up` and `make down` of other processes know that the stack is ready, and where."""
        write_owner(self.state.owner, Owner.this_process(url=airflow.url))

    def watch(self, seconds: float) -> None:
        """Wait; start again what has died or fallen silent. Raises: ComponentDied: no restart helps."""
        self._sleep(seconds)
        self._supervisor.check()

    def _note_restart(self, component: str) -> None:
        self._restarts[component] = self._restarts.get(component, 0) + 1
        self._write_restarts()

    def _write_restarts(self) -> None:
        write_private(self.state.restarts, json.dumps(self._restarts))

    def _silent(self) -> list[str]:
        unhealthy = self._airflow.unhealthy() if self._airflow else []
        if "api_server" in unhealthy:
            return ["api-server"]  # of the others nothing is known
        if "metadatabase" in unhealthy:
            return []  # without it nobody can report itself healthy, and no restart helps
        return [name.replace("_", "-") for name in unhealthy]

    def _migrate(self, environment: Mapping[str, str]) -> None:
        # The command takes seconds even when there is nothing to do; a new Airflow has a new lock.
        wanted = (self._settings.root / "requirements.lock").read_text()
        if self.state.migrated.exists() and self.state.migrated.read_text() == wanted:
            return
        self._say("Preparing Airflow's database")
        self._sessions.run(self._command("db", environment, "migrate"), self._sleep)
        self.state.migrated.write_text(wanted)

    def _command(self, component: str, environment: Mapping[str, str], *arguments: str) -> Command:
        return Command(
            name=component,
            argv=(AIRFLOW, component, *arguments),
            env=environment,
            log=self.state.log(component),
            cwd=self.state.airflow,
        )

    def await_health(self, airflow: AirflowApi) -> None:
        """Wait until all that is needed reports itself healthy. Raises: NotHealthy; ComponentDied."""
        started = time.monotonic()
        while unhealthy := airflow.unhealthy():
            self.watch(POLL_S)
            waited = time.monotonic() - started
            if waited > HEALTHY_WITHIN_S:
                log = self.state.log(unhealthy[0].replace("_", "-"))
                raise NotHealthy(f"Airflow: {', '.join(unhealthy)} not healthy", waited, log, last_lines(log))

    def _await_dags(self, airflow: AirflowApi, dag_ids: Sequence[str]) -> None:
        # What an earlier start has parsed may be another version of the file.
        started = time.monotonic()
        while missing := [dag_id for dag_id in dag_ids if not self._is_fresh(airflow.parsed_at(dag_id))]:
            if errors := airflow.import_errors():
                raise StackError("\n".join(("DAG files cannot be imported. Next: mend them", *errors)))
            self.watch(POLL_S)
            waited = time.monotonic() - started
            if waited > PARSED_WITHIN_S:
                log = self.state.log("dag-processor")
                what = f"no DAG {', '.join(missing)} in {self._settings.dags}"
                raise NotHealthy(what, waited, log, last_lines(log))

    def _is_fresh(self, parsed_at: datetime | None) -> bool:
        return parsed_at is not None and parsed_at >= self._started_at


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
