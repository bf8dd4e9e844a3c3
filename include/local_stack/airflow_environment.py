"""The environment in which every Airflow component runs: the contract of all ways of starting the project."""

import json
import sys
from pathlib import Path

from include.local_stack.postgres import METADATA, SHOP, SHOP_READER, SUPERUSER, WAREHOUSE
from include.local_stack.settings import API_RATE, LOOPBACK, Settings
from include.local_stack.state import Secrets, StateDirectory

AIRFLOW = str(Path(sys.executable).with_name("airflow"))
ADMIN = "admin"


def airflow_environment(
    settings: Settings,
    state: StateDirectory,
    secrets: Secrets,
    *,
    port: int,
    postgres_host: str,
    github_url: str,
    api_url: str,
    kafka: str,
    scheduled: bool,
) -> dict[str, str]:
    """Return all variables of an Airflow component, and nothing of the developer's own Airflow.

    kafka: address of a broker. scheduled: False: DAGs run when they are triggered, never by their timetable.
    """
    return {
        **settings.inherited,
        "PATH": f"{Path(sys.executable).parent}:{settings.inherited.get('PATH', '/usr/bin:/bin')}",
        "PYTHONPATH": f"{settings.root}:{settings.root / 'plugins'}",
        "PYTHONUNBUFFERED": "1",
        "AIRFLOW_HOME": str(state.airflow),
        **_core(settings, state, secrets, port),
        **_database(postgres_host),
        **_scheduling(scheduled=scheduled),
        **_connections(settings, state, postgres_host, github_url),
        **_calls(state, api_url),
        "AIRFLOW_CONN_KAFKA_DEFAULT": json.dumps(
            {"conn_type": "kafka", "extra": {"bootstrap.servers": kafka, "group.id": "stagehouse"}}
        ),
    }


def _core(settings: Settings, state: StateDirectory, secrets: Secrets, port: int) -> dict[str, str]:
    url = f"http://{LOOPBACK}:{port}"
    return {
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(settings.root / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(state.passwords),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(state.task_logs),
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "SCARF_ANALYTICS": "false",
        "STAGEHOUSE_METRICS_TOKEN": secrets.metrics_token,
        "STAGEHOUSE_RESTARTS": str(state.restarts),
    }


def _database(postgres_host: str) -> dict[str, str]:
    address = f"{SUPERUSER}@/{METADATA}?host={postgres_host}"
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{address}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{address}",
    }


def _scheduling(*, scheduled: bool) -> dict[str, str]:
    return {
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",  # the default adds a second to each task
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(scheduled),
        # A killed scheduler's tasks are tried again at the first look after 30 s without a heartbeat of it.
        # By default somebody looks every five minutes.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "15",
    }


def _connections(
    settings: Settings, state: StateDirectory, postgres_host: str, github_url: str
) -> dict[str, str]:
    postgres = {"conn_type": "postgres", "host": postgres_host, "login": SUPERUSER, "schema": WAREHOUSE}
    shop = {"conn_type": "postgres", "host": postgres_host, "login": SHOP_READER, "schema": SHOP}
    clickhouse = {"conn_type": "clickhouse", "schema": WAREHOUSE, "extra": {"path": str(state.clickhouse)}}
    pace = {
        "requests_per_second": settings.requests_per_second,
        "max_concurrent_requests": settings.max_concurrent_requests,
    }
    token = settings.github_token.get_secret_value()
    github = {"conn_type": "github", "host": github_url, "password": token, "extra": pace}
    return {
        "AIRFLOW_CONN_POSTGRES_DEFAULT": json.dumps(postgres),
        "AIRFLOW_CONN_SHOP_DEFAULT": json.dumps(shop),
        "AIRFLOW_CONN_GITHUB_DEFAULT": json.dumps(github),
        "AIRFLOW_CONN_CLICKHOUSE_DEFAULT": json.dumps(clickhouse),
        "AIRFLOW_VAR_STAGING_ROOT": str(state.staging),
        "AIRFLOW_VAR_REPORTS_ROOT": str(state.reports),
        "AIRFLOW_VAR_INBOX_ROOT": str(state.inbox),
    }


def _calls(state: StateDirectory, api_url: str) -> dict[str, str]:
    extra = {"requests_per_second": API_RATE, "test_path": "/users/1/todos"}
    connection = {"conn_type": "http_api", "host": api_url, "extra": extra}
    return {
        "AIRFLOW_CONN_HTTP_API_DEFAULT": json.dumps(connection),
        "AIRFLOW_VAR_RECIPES_ROOT": str(state.recipes),
    }
