"""The task that makes pages, of both DAGs: one writer of a day at a time. Real PostgreSQL, chDB and files."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException
from airflow.sdk.execution_time.context import set_current_context

from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.fingerprint import Fingerprint
from include.clickhouse.loads import record_load
from include.clickhouse.schema import migrate
from include.github.tables import AUTHORS_COMMITS
from include.phrase_views.gains import BY_HOUR
from include.postgres.errors import LeaseTaken
from include.staging.units import Unit
from stagehouse.hooks.postgres_hook import StagehousePostgresHook
from stagehouse.ui.archive import Archive
from tests.servers.postgres import PostgresServer

DAY = date(2026, 8, 20)


class Made(NamedTuple):
    """A DAG that makes pages. Attributes: dag_id; folder of its pages; table; lease, of the day."""

    dag_id: str
    folder: str
    table: str
    lease: str


DAGS = [
    Made("github_top_repositories", "top_repositories", AUTHORS_COMMITS.name, f"publish {DAY}"),
    Made("phrase_views_report", "phrase_views", BY_HOUR.name, f"publish {BY_HOUR.name} {DAY}"),
]


@pytest.fixture(params=DAGS, ids=lambda made: made.dag_id)
def made(request: pytest.FixtureRequest) -> Made:
    """Each of them."""
    return request.param


@pytest.fixture
def reports(
    made: Made, tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """reports_root, of a place where an empty day is published by the run `first`."""
    engine, root = tmp_path / "chdb", tmp_path / "reports"
    clickhouse = {"conn_type": "clickhouse", "schema": "stagehouse", "extra": {"path": str(engine)}}
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", postgres_server.airflow_connection())
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", json.dumps(clickhouse))
    monkeypatch.setenv("AIRFLOW_VAR_REPORTS_ROOT", str(root))
    with EmbeddedClient("test", engine, "stagehouse", wait_s=5) as client:
        migrate(client)
        now = datetime(2026, 8, 21, tzinfo=UTC)
        nothing = Fingerprint(rows=0, keys=0, checksum=0)
        record_load(client, made.table, Unit.of_day(DAY), nothing, "first", now)
    return root


@pytest.fixture
def render(made: Made, dagbag) -> Callable[[str], object]:
    """Run the task as one of a run of that name."""
    task = dagbag.dags[made.dag_id].task_dict["render"]

    def run(run_id: str) -> object:
        run = {"dag_id": made.dag_id, "run_id": run_id}
        dag_run = SimpleNamespace(**run, partition_key=None, run_after=datetime.now(UTC))
        ti = SimpleNamespace(**run, task_id="render", try_number=1)
        with set_current_context({"params": {"day": DAY.isoformat()}, "dag_run": dag_run, "ti": ti}):
            return task.python_callable()

    return run


@contextmanager
def watched(directory: Path, look: Callable[[], None]) -> Iterator[None]:
    """Look whenever a file below the directory comes into sight."""
    watching = True

    def hook(event: str, arguments: tuple) -> None:
        if watching and event == "os.rename" and str(arguments[1]).startswith(str(directory)):
            look()

    sys.addaudithook(hook)
    try:
        yield
    finally:
        watching = False


def test_a_day_that_another_writes_is_left_alone(made: Made, reports: Path, render: Callable):
    """While the day is published or rendered elsewhere the task gives its slot back and writes nothing."""
    with (
        StagehousePostgresHook().lease(made.lease, holder="another"),
        pytest.raises(AirflowRescheduleException) as given_back,
    ):
        render("second")
    assert given_back.value.reschedule_date > datetime.now(UTC)
    assert not reports.exists()
    render("second")
    assert Archive(reports, made.folder).days() == [DAY]


def test_no_file_is_written_without_the_lease(made: Made, reports: Path, render: Callable):
    """Whenever a file of the day comes into sight, nobody else can publish or render the day."""
    taken = []

    def look() -> None:
        with pytest.raises(LeaseTaken), StagehousePostgresHook().lease(made.lease, holder="another"):
            pass
        taken.append(True)

    with watched(reports / made.folder / DAY.isoformat(), look):
        render("first")
    assert len(taken) == 3


def test_every_run_finds_its_page(made: Made, reports: Path, render: Callable):
    """Also a run whose day stays as another published it."""
    render("first")
    render("second")
    archive = Archive(reports, made.folder)
    assert [archive.day_of_run(run_id) for run_id in ("first", "second", "third")] == [DAY, DAY, None]
