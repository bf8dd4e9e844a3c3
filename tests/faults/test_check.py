"""The task `check` of each DAG, while another run is publishing the same day or the same table."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException
from airflow.sdk.execution_time.context import set_current_context

from tests.faults.day import FaultyDay
from tests.faults.import_day import NEWER, ImportDay
from tests.faults.proxy import Proxy
from tests.faults.report_day import Publisher, ReportDay
from tests.faults.report_day import publish as publish_report
from tests.faults.task_process import TaskProcess
from tests.integration.clickhouse.days import DAY, commits, load, publish
from tests.integration.phrase_views.days import counters, insert
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.postgres import PostgresServer


class Published(NamedTuple):
    """What `new run` has published. Attributes: params; given, to check; another, that publishes."""

    params: dict[str, object]
    given: tuple[object, ...]
    another: Callable[[int, str], TaskProcess]


def commits_of_a_day(server: ClickHouseServer, database: str, root: Path) -> Published:
    """Another run has other commits."""
    day = FaultyDay(server, database, root)
    staged = day.stage("another run", commits(333, who="newer author"))
    return published(day, *staged, {"day": DAY.isoformat(), "top": 9, "query": "stars:>1"})


def file_of_counters(server: ClickHouseServer, database: str, root: Path) -> Published:
    """Another run has a newer file."""
    day = ImportDay(server, database, root)
    return published(day, *day.stage("another run", NEWER), {"path": "a.csv"})


def published(day: FaultyDay | ImportDay, directory: Path, manifest, params: dict) -> Published:
    """Publish the new run, load the other."""
    with day.connect() as clickhouse:
        publish(clickhouse, day.manifest, load(clickhouse, day.directory, day.manifest))
        staged = load(clickhouse, directory, manifest)

    def another(port: int, postgres: str) -> TaskProcess:
        given = {"directory": directory, "staged": staged, "port": port, "postgres": postgres}
        return TaskProcess(day, "publish", "1", **given)

    return Published(params, (), another)


def report_of_a_day(server: ClickHouseServer, database: str, root: Path) -> Published:
    """Another run has counters that came in since."""
    day = ReportDay(server, database)
    with day.connect() as clickhouse:
        given = publish_report(clickhouse, day.compute()).model_dump()
        insert(clickhouse, counters("03:10=20", campaign_id=1))
    computed = day.compute(run_id="another run")

    def another(port: int, postgres: str) -> TaskProcess:
        return Publisher(day, computed, run_id="another run", port=port, postgres=postgres)

    params = {"day": DAY.isoformat(), "campaign_ids": [], "time_zone": "UTC", "hour_rule": "sample"}
    return Published(params, (given,), another)


DAGS = {
    "github_top_repositories": commits_of_a_day,
    "phrases_views_import": file_of_counters,
    "phrase_views_report": report_of_a_day,
}


@pytest.fixture
def place(
    clickhouse_server: ClickHouseServer,
    clickhouse_database: str,
    postgres_server: PostgresServer,
    postgres_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[ClickHouseServer, str, Path]:
    """Where the DAGs find what the test publishes: server, database, staging_root."""
    for name, value in {
        "CONN_CLICKHOUSE_DEFAULT": clickhouse_server.airflow_connection(schema=clickhouse_database),
        "CONN_POSTGRES_DEFAULT": postgres_server.airflow_connection(schema=postgres_database),
        "VAR_STAGING_ROOT": str(tmp_path),
    }.items():
        monkeypatch.setenv(f"AIRFLOW_{name}", value)
    return clickhouse_server, clickhouse_database, tmp_path


def check(dag, made: Published) -> None:
    """Run the task as one of `new run`."""
    run = {"dag_id": "some_dag", "run_id": "new run"}
    due = datetime.combine(DAY, time(12), UTC)
    context = {
        "params": made.params,
        "dag_run": SimpleNamespace(**run, partition_key=None, run_after=due),
        "ti": SimpleNamespace(**run, id="1", task_id="check", try_number=1, xcom_pull=lambda **_: ""),
    }
    with set_current_context(context):
        dag.task_dict["check"].python_callable(*made.given, outlet_events=defaultdict(SimpleNamespace))


@pytest.mark.parametrize("dag_id", DAGS)
def test_a_check_does_not_look_at_half_of_another_publication(
    dagbag, dag_id: str, place: tuple, proxy: Proxy, postgres: Proxy, dsn: Callable
):
    """The rows are there, their row in `loads` is not: it gives its slot back, and is green afterwards."""
    dag, made = dagbag.dags[dag_id], DAGS[dag_id](*place)
    stop = proxy.stop_at(b"INSERT INTO `loads`")
    with made.another(proxy.port, dsn(postgres)) as another:
        stop.wait()
        with pytest.raises(AirflowRescheduleException):
            check(dag, made)
        stop.release()
        another.result()
    check(dag, made)
