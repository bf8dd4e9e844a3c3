"""The pool of Postgres connections: made when the API server starts, closed when it ends, patient between."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.integration.plugin.api_server import ApiServer
from tests.servers.postgres import PASSWORD, PostgresServer, running_postgres

URL = "/stagehouse/db/version"
OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stagehouse api-server'"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A server of this module's own: it is stopped and started."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def own_server(
    metadb: None, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """An API server over that Postgres; `reports_root` is not in its environment."""
    connection = {"AIRFLOW_CONN_POSTGRES_DEFAULT": postgres.airflow_connection()}
    server = ApiServer(tmp_path_factory.mktemp("own-server"), **connection)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def admin(own_server: ApiServer) -> Iterator[httpx.Client]:
    """A client of it."""
    with own_server.client("admin") as client:
        yield client


def connections(postgres: PostgresServer) -> int:
    """How many connections of ours the server sees."""
    with postgres.connect() as connection, connection.cursor() as cursor:
        cursor.execute(OURS)
        return cursor.fetchone()[0]


def test_the_pool_is_made_at_start(own_server: ApiServer, postgres: PostgresServer):
    """Is connected before anybody asks: Airflow has run the start-up of the mounted app."""
    assert connections(postgres) == 1


def test_version(admin: httpx.Client, postgres: PostgresServer):
    """Answers the server's version, over one connection however often it is asked."""
    with postgres.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        version = cursor.fetchone()[0]
    for _ in range(5):
        assert admin.get(URL).json() == {"version": version}
    assert connections(postgres) == 1


def test_postgres_goes_and_comes_back(admin: httpx.Client, postgres: PostgresServer, own_server: ApiServer):
    """Answers 503 within seconds while Postgres is away, without the password, and 200 when it is back."""
    postgres.stop()
    began = time.monotonic()
    answer = admin.get(URL)
    assert answer.status_code == 503
    assert time.monotonic() - began < 8
    assert "Postgres gives no answer within 3 s" in answer.json()["detail"]
    assert "connection 'postgres_default'" in answer.json()["detail"]
    assert PASSWORD not in answer.text
    postgres.start()
    assert admin.get(URL).status_code == 200
    assert PASSWORD not in own_server.log.read_text()


def test_postgres_hangs(admin: httpx.Client, postgres: PostgresServer):
    """Answers 503 within seconds while Postgres takes connections and is silent, then 200."""
    assert admin.get(URL).status_code == 200
    postmaster = psutil.Process(int(postgres.pid_file.read_text().split()[0]))
    processes = [postmaster, *postmaster.children()]
    for process in processes:
        process.suspend()
    try:
        began = time.monotonic()
        assert admin.get(URL).status_code == 503
        assert time.monotonic() - began < 8
    finally:
        for process in processes:
            process.resume()
    assert admin.get(URL).status_code == 200


def test_reports_root_in_the_database(admin: httpx.Client, tmp_path: Path):
    """Names the variable that is not set; reads it from Airflow's database as soon as it is."""
    answer = admin.get("/stagehouse/phrase-views/")
    assert answer.status_code == 503
    assert "variable 'reports_root': not set" in answer.json()["detail"]
    variable = {"key": "reports_root", "value": str(tmp_path)}
    assert admin.post("/api/v2/variables", json=variable).status_code == 201
    assert "No report yet" in admin.get("/stagehouse/phrase-views/").text
    assert admin.delete("/api/v2/variables/reports_root").status_code == 204


def test_the_pool_is_closed_at_the_end(own_server: ApiServer, admin: httpx.Client, postgres: PostgresServer):
    """Says goodbye to Postgres on SIGTERM: an orderly end, not a cut connection."""
    assert admin.get(URL).status_code == 200
    assert own_server.stop() == 0
    assert "Application shutdown complete" in own_server.log.read_text()
    assert connections(postgres) == 0
    assert "connection reset" not in (postgres.directory / "log").read_text().lower()
    assert "unexpected EOF" not in (postgres.directory / "log").read_text()
