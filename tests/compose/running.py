"""A profile of docker-compose.yaml as native processes, before recorded answers of GitHub."""

import math
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

from include.clickhouse.client import NativeClient
from include.local_stack.airflow_api import AirflowApi
from tests.compose.compose_file import read_env, read_services
from tests.compose.container import ROOT, Container
from tests.compose.stack import ComposeStack
from tests.e2e.invented_recording import ahead_of, last_day, recorded_or_invented
from tests.servers.clickhouse import ClickHouseServer, running_clickhouse
from tests.servers.free_port import free_ports
from tests.servers.postgres import PostgresServer, running_postgres

ADDRESSES = ("postgres:5432", "clickhouse:9000", "redis:6379", "api-server:8080", "github:8081")
SERVERS = ("postgres", "clickhouse")  # Debian's and a wheel's: the others are started by the file's commands
ENDS_WITHIN = timedelta(minutes=8)
RUN_POLL_S = 1.0  # each look takes from the tasks what the API server needs for it
CLICKHOUSE_USER = """<{user}>
    <password>{password}</password><profile>default</profile><quota>default</quota>
    <networks><ip>127.0.0.1</ip></networks>
</{user}>"""


@dataclass(frozen=True)
class Running:
    """The running stack. Attributes: last_day: of the recording; inbox, place: directories."""

    stack: ComposeStack
    airflow: AirflowApi
    env: dict[str, str]
    ports: dict[str, int]
    recording: Path
    last_day: date
    inbox: Path
    volumes: Path
    place: Path

    def trigger(self, dag_id: str, **params: object) -> str:
        """Start a run; return its id."""
        self.stack.wait_until(lambda: self.airflow.parsed_at(dag_id), ENDS_WITHIN, lambda: f"no {dag_id}")
        self.airflow.unpause(dag_id)
        return self.airflow.trigger(dag_id, params)

    def is_green(self, dag_id: str, run_id: str) -> bool:
        """Wait for the end of a run."""
        state = lambda: self.airflow.run_state(dag_id, run_id)  # noqa: E731
        tasks = lambda: self.airflow.task_instances(dag_id, run_id)  # noqa: E731
        self.stack.wait_until(lambda: state() in {"success", "failed"}, ENDS_WITHIN, tasks, RUN_POLL_S)
        return state() == "success"

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the tasks of a run: task_id, hostname, start_date, end_date, duration, ..."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        return self.airflow._call("GET", path)["task_instances"]

    def seconds(self, dag_id: str, run_id: str) -> float:
        """Return how long a run took, from being asked for to its end."""
        run = self.airflow._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")
        ended, asked = (datetime.fromisoformat(run[name]) for name in ("end_date", "queued_at"))
        return (ended - asked) / timedelta(seconds=1)

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Have a task of a run done anew, and nothing after it."""
        which = {"dag_run_id": run_id, "task_ids": [task_id], "only_failed": False, "dry_run": False}
        self.airflow._call("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", json=which)

    def rows(self, sql: str) -> list[tuple]:
        """What a reader of ClickHouse sees who has the project's login."""
        login = {"user": "stagehouse", "password": self.env["CLICKHOUSE_PASSWORD"]}
        port = self.ports["clickhouse:9000"]
        with NativeClient("reader", "127.0.0.1", port, "stagehouse", **login) as clickhouse:
            return clickhouse.execute(sql)


@contextmanager
def running(
    profile: str,
    place: Path,
    settings: Mapping[str, str] | None = None,
    way_to_clickhouse: Callable[[int], int] = lambda port: port,
) -> Iterator[Running]:
    """Everything started, healthy and, in the end, stopped.

    Args: settings: of Airflow, beside those of the file. way_to_clickhouse: from its port to that of a proxy.
    """
    data, ends = recorded_or_invented(place), last_day(datetime.now(UTC))
    ports = dict(zip(ADDRESSES, free_ports(len(ADDRESSES)), strict=True))
    env = made_env(profile, place, ports)
    file = ROOT / "docker-compose.yaml"
    services = read_services(file, env)
    services["github"] = read_services(file, env | {"COMPOSE_PROFILES": "demo"})["github"]
    ahead = math.ceil(ahead_of(ends, datetime.now(UTC)).total_seconds())
    recording = ["--data", str(data), "--last-day", str(ends), "--clock-ahead", str(ahead)]
    services["github"]["entrypoint"] += recording
    for service in services.values():
        if "AIRFLOW__CORE__DAGS_FOLDER" in service.get("environment", {}):
            service["environment"] |= settings or {}
    with running_postgres(max_connections=100) as postgres, running_clickhouse() as clickhouse:
        prepare(
            services["postgres"]["environment"], services["clickhouse"]["environment"], postgres, clickhouse
        )
        ports |= {"postgres:5432": postgres.port, "clickhouse:9000": way_to_clickhouse(clickhouse.port)}
        stack = ComposeStack(services, containers(services, place, ports), place)
        url = f"http://127.0.0.1:{ports['api-server:8080']}"
        try:
            stack.start()
            with AirflowApi(url, "admin", env["ADMIN_PASSWORD"]) as airflow:
                stack.wait_until(lambda: not airflow.unhealthy(), ENDS_WITHIN, airflow.unhealthy)
                airflow.log_in()
                inbox, volumes = Path(env["INBOX"]), place / "volumes"
                yield Running(stack, airflow, env, ports, data, ends, inbox, volumes, place)
        finally:
            stack.sessions.stop()


def made_env(profile: str, place: Path, ports: dict[str, int]) -> dict[str, str]:
    """Have `make env` write .env, and say there what a user would."""
    for name in ("Makefile", ".env.example"):
        shutil.copy(ROOT / name, place)
    subprocess.run(["make", "--no-print-directory", "env"], cwd=place, check=True, capture_output=True)
    url = f"http://127.0.0.1:{ports['api-server:8080']}"
    said = {"COMPOSE_PROFILES": profile, "WORKERS": "2", "WORKER_CONCURRENCY": "1"}
    said |= {"GITHUB_TOKEN": f"ghp_{token_hex(18)}"}
    said |= {
        "INBOX": str(place / "inbox"),
        "RECIPES": str(place / "recipes"),
        "AIRFLOW_URL": url,
        "GITHUB_API": "http://github:8081",
    }
    return read_env(place / ".env") | said


def prepare(
    postgres_wants: dict[str, str],
    clickhouse_wants: dict[str, str],
    postgres: PostgresServer,
    clickhouse: ClickHouseServer,
) -> None:
    """Make what the images make at their first start: a role, a user, two databases."""
    role, database = postgres_wants["POSTGRES_USER"], postgres_wants["POSTGRES_DB"]
    postgres.execute(f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{postgres_wants['POSTGRES_PASSWORD']}'")
    postgres.execute(f"CREATE DATABASE {database} OWNER {role}")
    clickhouse.execute(f"CREATE DATABASE {clickhouse_wants['CLICKHOUSE_DB']}")
    users = clickhouse.directory / "users.xml"
    user, password = clickhouse_wants["CLICKHOUSE_USER"], clickhouse_wants["CLICKHOUSE_PASSWORD"]
    added = CLICKHOUSE_USER.format(user=user, password=password)
    users.write_text(users.read_text().replace("</users>", f"{added}</users>"))
    clickhouse.execute("SYSTEM RELOAD CONFIG")


def containers(
    services: dict[str, dict[str, Any]], place: Path, ports: dict[str, int]
) -> dict[str, list[Container]]:
    """Return the containers of each service that its own command starts; each listens on a port of ours."""
    api, redis, github = (ports[name] for name in ("api-server:8080", "redis:6379", "github:8081"))
    (health,) = free_ports(1)
    (scheduler,) = (name for name in services if name.startswith("scheduler-"))
    listen = {"AIRFLOW__API__HOST": "127.0.0.1", "AIRFLOW__API__PORT": api}
    services["api-server"]["environment"] |= listen
    listen = {"AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": health}
    by_hand = {"AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": False}  # what is due depends on the time of day
    services[scheduler]["environment"] |= listen | by_hand
    own = {
        "api-server": {"127.0.0.1:8080": f"127.0.0.1:{api}"},
        scheduler: {"127.0.0.1:8974": f"127.0.0.1:{health}"},
        "github": {"8081": str(github), "0.0.0.0": "127.0.0.1"},  # noqa: S104 - put away
        "redis": {"port 6379": f"port {redis}", "redis-cli": f"redis-cli -p {redis}"}
        | {"dir /data": f"dir {place}/redis/data"},
    }
    return {
        name: [Container(each, service, place, ports, own.get(name, {})) for each in names(name, service)]
        for name, service in services.items()
        if name not in SERVERS
    }


def names(name: str, service: dict[str, Any]) -> list[str]:
    """Return the names of a service's containers."""
    replicas = int(service.get("deploy", {}).get("replicas", 0))
    return [f"{name}-{number + 1}" for number in range(replicas)] or [name]
