"""What every test stands on: an Airflow home of its own, a clean environment, real servers (tests/servers).

Importing this file sets environment variables and the way Hypothesis searches, and nothing heavy: a pure unit
test never pays for Airflow.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.dag_runner import bundle_per_file, shorten_pauses
from tests.examples import register_profiles

ROOT = Path(__file__).resolve().parents[1]
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="stagehouse-airflow-"))

SERVERS = {"clickhouse_server", "kafka", "postgres_server"}  # fixtures that start a program

pytest_plugins = [
    "tests.distribution",
    "tests.servers.postgres",
    "tests.servers.clickhouse",
    "tests.servers.kafka",
    "tests.servers.mailbox",
]

# A developer's own connections, libpq defaults and token must neither help nor harm a test.
for name in list(os.environ):
    if name.startswith(("AIRFLOW", "PG")) or name == "GITHUB_TOKEN":
        del os.environ[name]

# Set here, at import: Airflow reads its home and its folders the moment it is imported for the first time.
os.environ |= bundle_per_file(ROOT / "dags") | {
    "AIRFLOW_HOME": str(AIRFLOW_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{AIRFLOW_HOME}/airflow.db",
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
    # The servers of tests are on this machine, whatever proxy leads out of it.
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}

register_profiles()  # at import: the settings of a test are made from the profile when its module is imported
shorten_pauses()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a server, which `make quick` leaves out."""
    for item in items:
        if not SERVERS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("server")


def pytest_unconfigure() -> None:
    """Remove the Airflow home of this run."""
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root directory."""
    return ROOT


@pytest.fixture(scope="session")
def dagbag():
    """Every DAG of dags/, parsed once (2 s: it imports Airflow). No database is needed."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=ROOT / "dags")


@pytest.fixture(scope="session")
def metadb() -> None:
    """Airflow's metadata database, migrated (SQLite in the temporary home): what dag.test() needs."""
    from airflow.utils import db

    db.initdb()
