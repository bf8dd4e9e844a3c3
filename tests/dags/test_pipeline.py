"""What all DAGs share: defaults, the param of a day, and the tasks that bring a source into sight."""

import asyncio
import json
import socket
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from airflow.sdk import DAG, Asset, RetryAction, task
from airflow.sdk.exceptions import AirflowRescheduleException, ParamValidationError
from airflow.sdk.execution_time.context import set_current_context
from airflow.serialization.serialized_objects import DagSerialization

from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.errors import DayMismatch
from include.errors import PermanentError
from include.params import BadParam
from include.phrase_views.counters.staging import PHRASES_VIEWS
from include.postgres.errors import LeaseTaken
from include.staging.manifest import Manifest, StagedBy, own_manifest, read_manifest, save_manifest
from include.staging.parts import write_table
from include.staging.tables import Row, StagedTable
from stagehouse.hooks.postgres_hook import StagehousePostgresHook
from stagehouse.pipeline.defaults import RETRY_POLICY, TASK_DEFAULTS
from stagehouse.pipeline.params import day_param
from stagehouse.pipeline.preflight import postgres_facts, tables
from stagehouse.pipeline.run_context import requested_day, run_context, run_date, staging_of
from stagehouse.pipeline.staged import (
    StagedSource,
    check_published,
    load_publish_check,
    load_staged_part,
    part_list,
    publish_staged,
    stage_rows,
)
from tests.integration.clickhouse.days import COMMITS, commits
from tests.servers.postgres import PostgresServer

DAY = date(2026, 8, 20)
NOON = datetime(2026, 8, 20, 12, tzinfo=UTC)
RUN = {"dag_id": "a_source", "run_id": "by hand"}
PRODUCTS = StagedTable(
    name="products", columns={"id": "Int64"}, key=("id",), day_column=None, replaced_whole=True
)


class Run:
    """What Airflow tells the tasks of one run. Attributes: pushed, XComs by key."""

    def __init__(self) -> None:
        self.pushed: dict[str, object] = {}

    def task(self, task_id: str, **params: object):
        """A try of a task."""
        xcom = {"xcom_push": self.pushed.__setitem__, "xcom_pull": self._pull}
        ti = SimpleNamespace(**RUN, **xcom, id=uuid4(), task_id=task_id, try_number=1)
        dag_run = SimpleNamespace(**RUN, partition_key=None, run_after=NOON)
        return set_current_context({"params": params, "dag_run": dag_run, "ti": ti})

    def _pull(self, *, task_ids: str, key: str) -> object:
        assert task_ids == "read"
        return self.pushed[key]


@pytest.fixture
def engine(tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where ClickHouse keeps its data, of a place with all connections and variables of its own."""
    path = tmp_path / "chdb"
    clickhouse = {"conn_type": "clickhouse", "schema": "stagehouse", "extra": {"path": str(path)}}
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", postgres_server.airflow_connection())
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", json.dumps(clickhouse))
    monkeypatch.setenv("AIRFLOW_VAR_STAGING_ROOT", str(tmp_path / "staging"))
    return path


def read(engine: Path, select: str) -> list[tuple]:
    """Ask ClickHouse."""
    with EmbeddedClient("test", engine, "stagehouse", wait_s=5) as clickhouse:
        return clickhouse.execute(select)


def stage(rows: list[tuple], table: StagedTable = COMMITS) -> list[dict[str, str]]:
    """Do what the task of a source does that stages."""
    directory = staging_of(run_date())
    written = {table.name: write_table(directory, table, rows, rows_per_part=4)}
    manifest = Manifest(**run_context(), day=DAY, task="read", host="here", written_at=NOON, tables=written)
    save_manifest(directory, manifest)
    return part_list(manifest)


def a_source(**differs: object) -> StagedSource:
    """A source by day, of the least that has to be said."""
    asset = Asset("a_source_day")
    return StagedSource(**{"task": "read", "day": run_date, "guarded": "a_source", "asset": asset} | differs)


def test_what_no_retry_helps_is_red_at_once():
    """Anything else is tried again, by what the task says of retries."""
    decided = [
        RETRY_POLICY.evaluate(error, try_number=1, max_tries=3).action
        for error in (PermanentError("x"), ValueError("x"))
    ]
    assert decided == [RetryAction.FAIL, RetryAction.DEFAULT]


@pytest.mark.parametrize("value", [None, "", "2026-08-20", "2026-02-30"])
def test_a_day_may_be_empty(value: object):
    """Also the empty text, which scripts send and older runs have; read_day() knows which days there are."""
    assert day_param("Day", "x").resolve(value) == value
    assert through_the_scheduler(value).resolve(raises=True) == value


@pytest.mark.parametrize("value", ["20260820", "2026-8-20", " ", "today", 20260820, True, []])
def test_a_day_is_written_one_way(value: object):
    """Refused by Airflow, before a run begins and before a task of it does."""
    with pytest.raises(ParamValidationError):
        day_param("Day", "x").resolve(value)
    with pytest.raises(Exception, match=r"does not match|is not of type"):
        through_the_scheduler(value).resolve(raises=True)


def through_the_scheduler(value: object):
    """Return the param as the API server has it, with a value that it is asked to take."""
    with DAG("with_a_day", schedule=None, params={"day": day_param("Day", "x")}) as dag:
        stored = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    param = stored.params.get_param("day")
    param.value = value
    return param


def test_the_form_has_a_date_picker_for_each_day(dagbag):
    """By `format`, the way Airflow's form knows a day; in every DAG that has one."""
    days = {dag_id: dag.params.get_param("day") for dag_id, dag in dagbag.dags.items() if "day" in dag.params}
    assert set(days) >= {"github_top_repositories", "phrase_views_report"}
    for param in days.values():
        assert (param.schema["type"], param.schema["format"]) == (["null", "string"], "date")
        assert param.resolve() == ""


def test_preflight_makes_tables_and_tells_facts(engine: Path):
    """The tables once; a second time there is nothing to do."""
    assert tables.function()
    assert tables.function() == []
    assert asyncio.run(postgres_facts())["version"]


def test_the_shared_tasks_follow_each_other():
    """With the ids that they had in each DAG: the group adds nothing to them."""
    asset = Asset("a_source_day")
    with DAG("a_source", schedule=None, start_date=NOON, default_args=TASK_DEFAULTS) as dag:

        @task
        def read() -> list[dict[str, str]]:
            return []

        group = load_publish_check(read(), a_source(asset=asset), timeout=timedelta(minutes=40))
    assert [each.task_id for each in dag.topological_sort()] == ["read", "load", "publish", "check"]
    assert sorted(group.children) == ["check", "load", "publish"]
    found = dag.task_dict
    assert found["load"].is_mapped
    assert found["publish"].trigger_rule == "none_failed"
    assert found["check"].outlets == [asset]
    assert [found[name].execution_timeout.total_seconds() for name in ("load", "publish", "check")] == [
        3600, 2400, 2400,
    ]  # fmt: skip


def test_rows_are_read_once_in_a_run(engine: Path):
    """A second try takes what is staged; where a part or the manifest is damaged, they are read anew."""
    run, source, read_rows = Run(), a_source(), []

    def rows() -> Iterator[Row]:
        for row in commits(3, DAY):
            read_rows.append(row)
            yield row

    with run.task("read"):
        parts = stage_rows(source, (COMMITS, rows()))
        assert parts == stage_rows(source, (COMMITS, rows()))
        assert len(read_rows) == 3
        assert run.pushed == {"host": socket.gethostname()}
        directory = staging_of(DAY)
        for file in ("manifest.json", parts[0]["file"]):
            (directory / file).write_bytes(b"{")
            read_rows.clear()
            assert stage_rows(source, (COMMITS, rows())) == parts
            assert len(read_rows) == 3
    manifest = read_manifest(directory, StagedBy(**RUN, day=DAY, task="read"))
    assert manifest.tables[COMMITS.name].rows == 3


def test_rows_that_cannot_be_read_leave_no_manifest(engine: Path):
    """So that no later task takes the half of them for all."""

    def rows() -> Iterator[Row]:
        yield from commits(3, DAY)
        raise ValueError("line 4")

    with Run().task("read"):
        with pytest.raises(ValueError, match="line 4"):
            stage_rows(a_source(), (COMMITS, rows()))
        assert own_manifest(staging_of(DAY), StagedBy(**RUN, day=DAY, task="read")) is None


def test_the_one_param_of_a_source_may_be_its_day():
    """Empty is the run's own; no day, one to come, and a param that nobody asks for are refused by name."""
    for value in ("", None):
        with Run().task("read", day=value):
            assert requested_day() == DAY - timedelta(days=1)
    with Run().task("read", day="2026-01-31"):
        assert requested_day() == date(2026, 1, 31)
    for params in ({"day": "2026-02-30"}, {"day": "1969-12-31"}, {"day": "9999-01-01"}, {"Day": ""}):
        with Run().task("read", **params), pytest.raises(BadParam, match=next(iter(params))):
            requested_day()


def test_a_source_gets_in_whole(engine: Path):
    """Through the functions of the shared tasks: staged, loaded, published under its lease, checked."""
    run, seen = Run(), []

    def on_published(clickhouse, manifest: Manifest, time: datetime, check_lease) -> None:
        check_lease()
        with pytest.raises(LeaseTaken), StagehousePostgresHook().lease(f"publish a_source {DAY}"):
            pass
        seen.append((clickhouse.execute("SELECT count() FROM loads"), manifest.day, time.tzinfo))

    source = a_source(on_published=on_published)
    tables.function()
    with run.task("read"):
        parts = stage(commits(10, DAY))
    assert len(parts) == 3
    assert run.pushed == {"host": "here"}
    with run.task("load"):
        staged = [load_staged_part(source, part) for part in parts]
    assert read(engine, "SELECT count() FROM repositories_authors_commits") == [(0,)]
    with run.task("publish"):
        assert publish_staged(source, staged) == {COMMITS.name: 10}
    assert seen == [([(1,)], DAY, UTC)]
    with run.task("check"):
        manifest, rows = check_published(source)
    assert (rows, source.summary(manifest, rows)) == ({COMMITS.name: 10}, {COMMITS.name: 10})
    assert source.event(manifest, rows) == {"day": "2026-08-20", "rows": {COMMITS.name: 10}}
    assert read(engine, "SELECT count(), uniqExact(author) FROM repositories_authors_commits") == [(10, 10)]


def test_a_changed_day_is_red(engine: Path):
    """The check names the task to clear."""
    run, source = Run(), a_source()
    tables.function()
    with run.task("read"):
        parts = stage(commits(3, DAY))
    with run.task("publish"):
        publish_staged(source, [load_staged_part(source, part) for part in parts])
    read(engine, f"INSERT INTO repositories_authors_commits SELECT '{DAY}', 'octo/repo', 'nobody', 1")
    with run.task("check"), pytest.raises(DayMismatch, match="Next: clear task"):
        check_published(source)


@pytest.mark.parametrize(
    ("table", "row"),
    [(PHRASES_VIEWS, (1, "a phrase", 10, NOON)), (PRODUCTS, (1,))],
    ids=["upserted", "replaced whole"],
)
def test_where_the_last_of_two_counts_one_publication_excludes_all(
    engine: Path, table: StagedTable, row: Row
):
    """Of whichever day: a file of counters has samples of many, a whole table has all rows."""
    run, source = Run(), a_source(guarded="a_table")
    tables.function()
    read(engine, "CREATE TABLE products (id Int64) ENGINE = MergeTree ORDER BY id")
    with run.task("read"):
        parts = stage([row], table)
    with run.task("publish"):
        staged = [load_staged_part(source, part) for part in parts]
        with (
            StagehousePostgresHook().lease("publish a_table", holder="another"),
            pytest.raises(AirflowRescheduleException),
        ):
            publish_staged(source, staged)
        assert publish_staged(source, staged) == {table.name: 1}
