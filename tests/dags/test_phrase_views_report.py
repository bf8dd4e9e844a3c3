"""The DAG phrase_views_report through Airflow's own runner: real PostgreSQL, chDB and files."""

import asyncio
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pendulum
import pytest
from airflow.sdk.definitions.param import process_params
from airflow.sdk.exceptions import ParamValidationError
from airflow.sdk.execution_time.context import set_current_context
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables.base import TimeRestriction

from include.clickhouse.client import insert_rows
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.schema import MIGRATIONS, migrate
from include.clickhouse.staging_tables import create_staging_table, staging_table_name
from include.phrase_views.sample import EXAMPLE_CAMPAIGN, EXAMPLE_PHRASE, sample_counters
from include.run_day import run_day
from tests import clock
from tests.dags.dag_runs import parsed, states
from tests.servers.free_port import free_ports
from tests.servers.postgres import PostgresServer

DAG_ID = "phrase_views_report"
TASKS = ["postgres_health", "tables", "report", "publish", "render", "check"]
DAY = date(2025, 1, 1)
EXAMPLE_TSV = f"phrase\tviews_by_hour\n{EXAMPLE_PHRASE}\t[(15, 4), (14, 6), (13, 4), (12, 1)]\n"


class Place:
    """What a run of the DAG works with. Attributes: reports; engine: path of chDB."""

    def __init__(self, directory: Path) -> None:
        self.reports, self.engine = directory / "reports", directory / "chdb"

    def insert(self, counters: Iterable[tuple]) -> None:
        """Deliver counters, as another system does."""
        with EmbeddedClient("test", self.engine, "stagehouse", wait_s=5) as clickhouse:
            migrate(clickhouse)
            columns = ("campaign_id", "phrase", "views", "dt")
            insert_rows(clickhouse, "phrases_views", columns, [list(counters)])

    def read(self, select: str) -> list[tuple]:
        """Ask ClickHouse."""
        with EmbeddedClient("test", self.engine, "stagehouse", wait_s=5) as clickhouse:
            return clickhouse.execute(select)

    def hours(self, campaign_id: int) -> list[tuple]:
        """Return the campaign's rows of the day, as a reader finds them."""
        return self.read(
            f"SELECT phrase, hour, views, flags, hour_rule FROM phrases_views_by_hour "
            f"WHERE date = '{DAY}' AND campaign_id = {campaign_id} ORDER BY phrase, hour_start"
        )

    def files(self, day: date = DAY) -> dict[str, bytes]:
        """Return every file of a day's directory."""
        directory = self.reports / "phrase_views" / day.isoformat()
        return {path.name: path.read_bytes() for path in directory.iterdir()}

    def require_untouched(self) -> None:
        """No file and no table."""
        assert not self.reports.exists()
        assert not self.engine.exists()


@pytest.fixture
def place(tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Connections and variables of a place of the test's own."""
    made = Place(tmp_path)
    clickhouse = {"conn_type": "clickhouse", "schema": "stagehouse", "extra": {"path": str(made.engine)}}
    for name, value in {
        "CONN_POSTGRES_DEFAULT": postgres_server.airflow_connection(),
        "CONN_CLICKHOUSE_DEFAULT": json.dumps(clickhouse),
        "VAR_REPORTS_ROOT": str(made.reports),
    }.items():
        monkeypatch.setenv(f"AIRFLOW_{name}", value)
    return made


@pytest.fixture
def dag(root: Path, metadb: None):
    """The DAG without further tries."""
    return parsed(root, DAG_ID)


def report(root: Path, **conf: object):
    """Have a run report the day; require it to be green."""
    run = parsed(root, DAG_ID).test(run_conf={"day": DAY.isoformat()} | conf)
    assert states(run) == dict.fromkeys(TASKS, "success")
    return run


def counters(campaign_id: int, *views: int) -> list[tuple]:
    """Counters of one phrase, every ten minutes from ten minutes before the day."""
    start = datetime.combine(DAY, time.min, UTC) - timedelta(minutes=10)
    return [(campaign_id, "a", each, start + n * timedelta(minutes=10)) for n, each in enumerate(views)]


def test_tasks_follow_each_other_as_documented(dagbag):
    """One line, in the order of the table in the documentation."""
    dag = dagbag.dags[DAG_ID]
    documented = [line.split("`")[1] for line in dag.doc_md.splitlines() if line.startswith("| `")]
    assert documented == TASKS
    assert [task.task_id for task in dag.topological_sort()] == TASKS
    for before, after in pairwise(TASKS):
        assert after in dag.task_dict[before].downstream_task_ids
    assert not any(task.is_mapped for task in dag.tasks)


def test_the_form_says_what_is_allowed(dagbag):
    """Every param has a title, a description, and a default that fits."""
    params = dagbag.dags[DAG_ID].params
    defaults = {"campaign_ids": [], "day": "", "time_zone": "UTC", "hour_rule": "sample", "falls": "correct"}
    assert dict(params.dump()) == defaults
    assert all(params.get_param(name).schema["title"] for name in params)
    assert all(len(params.get_param(name).description) > 20 for name in params)
    assert params.get_param("hour_rule").schema["enum"] == ["sample", "closing"]
    assert params.get_param("falls").schema["enum"] == ["correct", "reset"]
    params.validate()


def test_the_schedule_is_the_night_after_the_day(dagbag):
    """00:15 UTC, for the partition of the day before; days do not wait for each other."""
    dag = dagbag.dags[DAG_ID]
    noon = TimeRestriction(pendulum.datetime(2026, 8, 20, 12, tz="UTC"), latest=None, catchup=True)
    planned = coerce_to_core_timetable(dag.timetable).next_dagrun_info_v2(
        last_dagrun_info=None, restriction=noon
    )
    assert planned.run_after == datetime(2026, 8, 21, 0, 15, tzinfo=UTC)
    assert run_day(planned.partition_key, planned.run_after) == date(2026, 8, 20)
    assert (dag.max_active_runs, dag.catchup) == (4, False)


def test_the_original_example_comes_out_to_the_letter_and_twice_the_same(root: Path, metadb, place: Place):
    """As TSV, page, index and rows; a second run leaves every file as it is, to the byte."""
    example = [row for row in sample_counters(DAY) if row[0] == EXAMPLE_CAMPAIGN]
    place.insert([*example, *counters(8, 1, 4, 6)])
    run = report(root)
    files = place.files()
    assert files[f"{EXAMPLE_CAMPAIGN}.tsv"].decode() == EXAMPLE_TSV
    assert EXAMPLE_PHRASE in files[f"{EXAMPLE_CAMPAIGN}.html"].decode()
    assert json.loads(files["index.json"])["run_id"] == run.run_id
    ((rows, recorded),) = place.read(
        "SELECT (SELECT count() FROM phrases_views_by_hour), rows FROM loads FINAL "
        f"WHERE `table` = 'phrases_views_by_hour' AND date = '{DAY}' AND run_id = '{run.run_id}'"
    )
    checked = run.get_task_instance("check").xcom_pull(task_ids="check")
    assert files["rows.csv"].count(b"\r\n") - 1 == rows == recorded == checked == 6

    assert report(root).run_id != run.run_id
    assert place.files() == files
    assert [table for (table,) in place.read("SHOW TABLES") if "__stg_" in table] == []


def test_a_day_without_counters_is_a_green_run_that_says_so(root: Path, metadb, place: Place):
    """The files of an empty report; counters of other days are not its own."""
    place.insert(counters(7, 1, 4))
    report(root, day="2024-12-01")
    files = place.files(date(2024, 12, 1))
    assert sorted(files) == ["index.html", "index.json", "rows.csv"]
    assert json.loads(files["index.json"])["campaigns"] == []
    assert "the report is empty" in files["index.html"].decode()
    assert files["rows.csv"].count(b"\r\n") == 1


def test_a_report_of_some_campaigns_keeps_the_others(root: Path, metadb, place: Place):
    """Their rows and files stay as published, though their counters have changed since."""
    place.insert([*counters(7, 1, 4, 6), *counters(8, 1, 4, 6)])
    report(root)
    before = place.files()
    place.insert([*counters(7, 1, 4, 9), *counters(8, 1, 4, 9)])
    report(root, campaign_ids=[8], hour_rule="closing")
    assert place.hours(7) == [("a", 0, 5, "", "sample")]
    assert place.hours(8) == [("a", 0, 5, "", "closing")]
    after = place.files()
    assert (before["7.tsv"], after["8.tsv"]) == (after["7.tsv"], b"phrase\tviews_by_hour\na\t[(0, 5)]\n")
    told = {each["campaign_id"]: each["hour_rule"] for each in json.loads(after["index.json"])["campaigns"]}
    assert told == {7: "sample", 8: "closing"}


@pytest.mark.parametrize("first", ["report", "publish"])
def test_a_run_goes_on_over_an_upgrade_that_adds_a_column(
    root: Path, metadb, place: Place, tmp_path: Path, first: str
):
    """Its task `tables` was of the version before; `first` is the first one of this version."""
    run = report(root)
    older = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    (older / "006_falls.sql").unlink()
    with EmbeddedClient("test", place.engine, "stagehouse", wait_s=5) as clickhouse:
        for (table,) in clickhouse.execute("SHOW TABLES"):
            clickhouse.execute(f"DROP TABLE {table}")
        migrate(clickhouse, older)
        staged = staging_table_name("phrases_views_by_hour", run.run_id, "the version before")
        create_staging_table(clickhouse, "phrases_views_by_hour", staged)
        columns = ("campaign_id", "phrase", "views", "dt")
        insert_rows(clickhouse, "phrases_views", columns, [counters(7, 10, 14, 12, 16)])
    computed = {"staging_table": staged, "rows": 0, "checksum": 0}
    if first == "report":
        computed = again(parsed(root, DAG_ID), run, "report")
    published = again(parsed(root, DAG_ID), run, "publish", computed)
    again(parsed(root, DAG_ID), run, "render")
    events = defaultdict(SimpleNamespace)
    assert again(parsed(root, DAG_ID), run, "check", published, outlet_events=events) == 1
    assert place.hours(7) == [("a", 0, 6, "corrected", "sample")]


def test_a_day_altered_behind_our_back_turns_the_run_red_and_a_new_one_heals_it(
    root: Path, metadb, place: Place
):
    """Neither shown nor passed: both errors name the table, the day and the task to clear."""
    place.insert(counters(7, 1, 4, 6))
    run = report(root)
    files = place.files()
    place.read(
        "INSERT INTO phrases_views_by_hour (date, campaign_id, phrase, hour, views) "
        f"SELECT toDate('{DAY}'), 7, 'b', 9, 1"
    )
    published = run.get_task_instance("publish").xcom_pull(task_ids="publish")
    told = rf"table phrases_views_by_hour, day {DAY}: .* rows=2.* Next: clear task report with all after it"
    with pytest.raises(Exception, match=told):
        again(parsed(root, DAG_ID), run, "render")
    with pytest.raises(Exception, match=told):
        again(parsed(root, DAG_ID), run, "check", published, outlet_events={})
    assert place.files() == files
    report(root)
    assert place.hours(7) == [("a", 0, 5, "", "sample")]
    assert place.files() == files


def again(dag, run, task_id: str, *arguments: object, **named: object) -> object:
    """Run a task of a run once more, as a cleared task does."""
    params = process_params(dag, dag.task_dict[task_id], {"day": DAY.isoformat()}, suppress_exception=False)
    ti = run.get_task_instance(task_id)
    with set_current_context({"params": params, "dag_run": run, "ti": ti}):
        return dag.task_dict[task_id].python_callable(*arguments, **named)


def test_what_killed_writers_left_goes_with_a_later_run(root: Path, metadb, place: Place):
    """Also of other days; a file that may still be written stays."""
    directory = place.reports / "phrase_views" / "2024-01-01"
    directory.mkdir(parents=True)
    old, new = directory / ".7.tsv.x1.part", directory / ".7.tsv.x2.part"
    for file, age in ((old, timedelta(days=3)), (new, timedelta(days=1))):
        file.touch()
        moment = (datetime.now(UTC) - age).timestamp()
        os.utime(file, (moment, moment))
    report(root)
    assert list(directory.iterdir()) == [new]


def test_an_unset_reports_root_stops_the_run_at_once(
    dag, place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """The first task names the variable and is not tried again: nothing is computed that no file can hold."""
    monkeypatch.delenv("AIRFLOW_VAR_REPORTS_ROOT")
    dag.task_dict["postgres_health"].retries = 3
    run = dag.test()
    assert states(run) == {"postgres_health": "failed"} | dict.fromkeys(TASKS[1:], "upstream_failed")
    assert run.get_task_instance("postgres_health").try_number == 1
    assert "variable 'reports_root': not set" in "".join(capfd.readouterr())
    place.require_untouched()


def test_a_sick_postgres_stops_the_run_before_the_first_statement(
    dag, place: Place, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    """Nothing is computed or made."""
    nobody_there = postgres_server.airflow_connection(port=free_ports(1)[0])
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", nobody_there)
    assert states(dag.test()) == {"postgres_health": "failed"} | dict.fromkeys(TASKS[1:], "upstream_failed")
    place.require_untouched()


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        *(
            ({"campaign_ids": ids}, "campaign_ids")
            for ids in ([0], [-1], [2**31], [1.5], ["1"], [True], [None], [[1]], {"1": 1}, 1, "1, 2")
        ),
        ({"campaign_ids": [7, 7]}, "campaign_ids"),
        ({"campaign_ids": list(range(1, 1002))}, "campaign_ids"),
        *(({"day": day}, "day") for day in ("2026-02-30", "2026-01-01\n", "../..", "20260101", 20260101)),
        ({"day": "1971-12-31"}, "1972-01-01"),
        ({"day": (clock.DAY + timedelta(days=2)).isoformat()}, "today is"),
        ({"day": "2011-12-30", "time_zone": "Pacific/Apia"}, "clocks there skipped it"),
        *(
            ({"time_zone": zone}, "time_zone")
            for zone in ("", "Mars/Base", "../UTC", "UTC\n", "utc'", "localtime", "x" * 9999, None, 2)
        ),
        *(({"hour_rule": rule}, "hour_rule") for rule in ("", "Sample", "closing\n", None, 1)),
        *(({"falls": rule}, "falls") for rule in ("", "Reset", "reset\n", None, 1)),
        ({"campaigns": [7]}, "campaigns"),
        ({"Day": "2026-01-01"}, "Day"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_bad_param_is_named_before_any_statement(dag, place: Place, conf: dict, said: str):
    """By Airflow's check of the form or by ours, in the first task: no file, no table."""
    with pytest.raises((ParamValidationError, ValueError)) as caught:
        ask(dag, conf)
    assert type(caught.value).__name__ in ("ParamValidationError", "BadParam")
    assert said in str(caught.value)
    place.require_untouched()


def test_good_params_pass_the_first_task(dag, place: Place):
    """The same way in, so that the refusals above are not of something else."""
    for conf in (
        {},
        {"campaign_ids": None, "day": None},
        {"campaign_ids": [2**31 - 1, 1], "hour_rule": "closing", "falls": "reset"},
        {"campaign_ids": list(range(1, 1001)), "day": "1972-01-01"},
        {"day": "2011-12-31", "time_zone": "Pacific/Apia"},
    ):
        assert ask(dag, conf)["version"]


def test_the_day_of_a_backfilled_run_is_its_partition(dag, place: Place):
    """A param that names another day is refused: the run would be filed under the wrong one."""
    assert ask(dag, {"day": "2026-08-20"}, partition="2026-08-20")["version"]
    with pytest.raises(ValueError, match="empty or 2026-08-20, the partition of this run"):
        ask(dag, {"day": "2026-08-19"}, partition="2026-08-20")


def ask(dag, conf: dict, partition: str | None = None) -> dict:
    """Run the first task's own function with the params that Airflow makes of `conf`."""
    task = dag.task_dict["postgres_health"]
    params = process_params(dag, task, conf, suppress_exception=False)
    dag_run = SimpleNamespace(partition_key=partition, run_after=clock.now())
    with clock.by_clock(), set_current_context({"params": params, "dag_run": dag_run}):
        return asyncio.run(task.python_callable())
