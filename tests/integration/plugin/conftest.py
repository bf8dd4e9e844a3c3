"""One API server for all tests of the pages, over files as the renderers leave them."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

from tests.integration.plugin.api_server import ApiServer
from tests.integration.plugin.reports import write_reports
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.postgres import PostgresServer, running_postgres

METRICS_TOKEN = "a token of forty characters, for Prometheus"


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that `reports_root` names."""
    return write_reports(tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="session")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that `inbox_root` names."""
    directory = tmp_path_factory.mktemp("inbox")
    (directory / "august").mkdir()
    (directory / "august" / "users.csv").write_text("id,name\n007,Ada\n")
    return directory


@pytest.fixture(scope="session")
def server(
    reports: Path,
    inbox: Path,
    postgres_server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ApiServer]:
    """The API server over Postgres (18 s), with all DAGs and users admin, op, user and viewer.

    Not over SQLite: a form unpauses a DAG while it starts a run. There Airflow waits on its event loop for
    SQLite's one writer, which needs that loop for its commit: 5 s, then 500 "database is locked".
    """
    with running_postgres(max_connections=50) as airflow_database:  # one process takes up to 30
        airflow_database.execute("CREATE DATABASE airflow")
        environment = {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow_database.sqlalchemy_url("airflow"),
            "AIRFLOW_VAR_REPORTS_ROOT": str(reports),
            "AIRFLOW_VAR_INBOX_ROOT": str(inbox),
            "AIRFLOW_CONN_POSTGRES_DEFAULT": postgres_server.airflow_connection(),
        }
        server = ApiServer(tmp_path_factory.mktemp("api-server"), **environment)
        server.run("db", "migrate")
        server.run("dags", "reserialize")
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def reader(server: ApiServer) -> Iterator[httpx.Client]:
    """A client with the least rights: the role viewer."""
    with server.client("viewer") as client:
        client.headers["accept"] = "text/html"
        yield client


@pytest.fixture
def own_database(metadb: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of Airflow's database, for one test: it is deleted or locked, and others go on with theirs."""
    from airflow import settings

    file = tmp_path / "airflow.db"
    with (
        closing(sqlite3.connect(str(settings.engine.url.database))) as shared,
        closing(sqlite3.connect(file)) as own,
    ):
        shared.backup(own)
    engine = create_engine(f"sqlite:///{file}")
    maker = sessionmaker(engine, autoflush=False, expire_on_commit=False)  # as Airflow makes its own
    monkeypatch.setattr(settings, "engine", engine)
    monkeypatch.setattr(settings, "NonScopedSession", maker)
    monkeypatch.setattr(settings, "Session", scoped_session(maker))
    yield file
    engine.dispose()


@pytest.fixture
def airflow_away(own_database: Path) -> Callable[[], None]:
    """Return what takes Airflow's database away, as a server that is down: there are no tables to ask."""
    from airflow import settings

    def take_away() -> None:
        settings.engine.dispose()
        own_database.unlink()

    return take_away


@pytest.fixture
def airflow_hangs(own_database: Path) -> Iterator[Callable[[], None]]:
    """Return what makes Airflow's database give no answer: a lock on all of it."""
    from airflow import settings

    with closing(sqlite3.connect(own_database, isolation_level=None)) as other:

        def hang() -> None:
            settings.engine.dispose()
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")

        yield hang


@pytest.fixture
def monitored(
    metadb: None,
    clickhouse_server: ClickHouseServer,
    clickhouse_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> pytest.MonkeyPatch:
    """Connections and variables of an Airflow that has published nothing yet; what changes them."""
    clickhouse_server.execute(f"CREATE DATABASE IF NOT EXISTS {clickhouse_database}")
    connection = clickhouse_server.airflow_connection(schema=clickhouse_database)
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", connection)
    for name in ("staging", "inbox"):
        monkeypatch.setenv(f"AIRFLOW_VAR_{name.upper()}_ROOT", str(tmp_path / name))
    monkeypatch.setenv("STAGEHOUSE_METRICS_TOKEN", METRICS_TOKEN)
    return monkeypatch
