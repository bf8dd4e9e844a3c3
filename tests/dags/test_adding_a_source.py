"""docs/adding-a-source.md is true: its example, put into a copy of the project, runs and keeps every rule."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.clickhouse.embedded import EmbeddedClient
from tests.clock import DAY
from tests.example_source import copy_with_example, environment_of, new_files
from tests.faults.dag_process import DagProcess
from tests.servers.postgres import PostgresServer

DAG_ID = "access_log"
DAG_LINES = 120
TASKS = ["postgres_health", "tables", "stage", "load", "publish", "check"]
RULES = [f"tests/{name}.py" for name in ("unit/test_layout", "unit/test_errors", "unit/test_docs")]
RULES += ["tests/dags/test_policy.py", "tests/dags/test_docs_of_dags.py"]

LOG = (
    b'192.0.2.7 - frank [20/Aug/2026:00:00:00 +0000] "GET /a?b=%20c HTTP/1.0" 200 2326\r\n'
    b'2001:db8::1 - - [21/Aug/2026:01:59:59 +0200] "POST /d HTTP/1.1" 404 -\r\n'
    b'192.0.2.7 - - [20/Aug/2026:00:00:00 +0000] "GET /a?b=%20c HTTP/1.0" 200 2326'
)
ROWS = [
    (DAY, 1, "2026-08-20 00:00:00", "GET", "/a?b=%20c", 200, 2326),
    (DAY, 2, "2026-08-20 23:59:59", "POST", "/d", 404, 0),
    (DAY, 3, "2026-08-20 00:00:00", "GET", "/a?b=%20c", 200, 2326),
]
SELECT = "SELECT date, line, toString(at), method, path, status, bytes FROM access_log ORDER BY line"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with the example in it."""
    path = tmp_path_factory.mktemp("adding") / "project"
    copy_with_example(path)
    return path


@pytest.fixture(scope="module")
def process(copy: Path, metadb: None) -> Iterator[DagProcess]:
    """A process that runs the DAGs of the copy."""
    with DagProcess(copy.parent / "log", copy, **environment_of(copy)) as process:
        yield process


class Place:
    """Where the DAG finds its file and leaves its rows."""

    def __init__(self, directory: Path, postgres: PostgresServer, process: DagProcess) -> None:
        self._process, self._engine = process, directory / "chdb"
        self._log = directory / "inbox" / "access" / f"{DAY}.log"
        self._log.parent.mkdir(parents=True)
        clickhouse = {"conn_type": "clickhouse", "schema": "stagehouse", "extra": {"path": str(self._engine)}}
        self._environment = {
            "AIRFLOW_CONN_POSTGRES_DEFAULT": postgres.airflow_connection(),
            "AIRFLOW_CONN_CLICKHOUSE_DEFAULT": json.dumps(clickhouse),
            "AIRFLOW_VAR_STAGING_ROOT": str(directory / "staging"),
            "AIRFLOW_VAR_INBOX_ROOT": str(directory / "inbox"),
        }

    def run(self, log: bytes, last: str = "") -> tuple[dict[str, str], str]:
        """Deliver the log of the day and run the DAG, as far as the task `last`.

        Return the state of each task, and what was said.
        """
        self._log.write_bytes(log)
        return self._process.run(DAG_ID, self._environment, last=last)

    def rows(self) -> list[tuple]:
        """Return what readers see."""
        return self._read(SELECT)

    def published(self) -> list[tuple]:
        """Return what `loads` says of the day."""
        return self._read("SELECT table, date, rows FROM loads FINAL")

    def _read(self, select: str) -> list[tuple]:
        with EmbeddedClient("test", self._engine, "stagehouse", wait_s=30) as clickhouse:
            return clickhouse.execute(select)


@pytest.fixture
def place(tmp_path: Path, postgres_server: PostgresServer, process: DagProcess) -> Place:
    """A place of the test's own."""
    return Place(tmp_path, postgres_server, process)


def test_the_new_dag_brings_each_line_of_the_day_into_sight_once(place: Place):
    """Through Airflow's own runner: green, the same rows by a second run, and what is wrong named in red."""
    for log in (LOG, gzip.compress(LOG)):
        states, said = place.run(log)
        assert states == dict.fromkeys(TASKS, "success"), said
        assert place.rows() == ROWS
        assert place.published() == [(DAG_ID, DAY, 3)]
    nonsense = LOG.replace(b"POST /d HTTP/1.1", b"\\x16\\x03")
    another_day = LOG.replace(b"21/Aug/2026:01", b"21/Aug/2026:02")
    for log, problem in (
        (nonsense, "line 2 is not in Common Log Format: '2001:db8::1 - - "),
        (another_day, "line 2 is of 2026-08-21 00:59:59 UTC, not of 2026-08-20. Next: correct the line"),
    ):
        states, said = place.run(log, last="stage")
        assert states == {"postgres_health": "success", "tables": "success", "stage": "failed"}
        assert f"import file 'access/{DAY}.log': {problem}" in said
        assert place.rows() == ROWS


def test_the_new_dag_file_is_short(copy: Path):
    """Its documentation included."""
    assert len((copy / "dags" / f"{DAG_ID}.py").read_text().splitlines()) < DAG_LINES


def test_the_example_has_the_style_of_the_project(copy: Path):
    """Lint rules, format and types, by the settings of pyproject.toml."""
    python = [file for file in new_files() if file.endswith(".py")]
    assert len(python) > 3
    typed = [file for file in python if file.startswith(("include/", "plugins/"))]
    for command in (["ruff", "check", *python], ["ruff", "format", "--check", *python], ["mypy", *typed]):
        done = in_the_copy(copy, command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_keeps_the_rules_of_all_dags_and_pages(copy: Path):
    """Its tests of layout, DAGs and docs are green in the copy, and so is the test of the example."""
    tests = [file for file in new_files() if Path(file).name.startswith("test_")]
    assert tests
    done = in_the_copy(copy, ["pytest", "-p", "no:xdist", *RULES, *tests])
    assert done.returncode == 0, done.stdout + done.stderr


def in_the_copy(copy: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment in the copy."""
    tool = Path(sys.executable).with_name(command[0])
    environment = os.environ | environment_of(copy)
    return subprocess.run(
        [tool, *command[1:]], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
