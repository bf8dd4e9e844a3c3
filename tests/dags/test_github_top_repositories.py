"""The DAG github_top_repositories through Airflow's own runner: real PostgreSQL, chDB and GitHub stand-in."""

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pendulum
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.definitions.param import process_params
from airflow.sdk.exceptions import ParamValidationError
from airflow.sdk.execution_time.context import set_current_context
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables.base import TimeRestriction

from include.clickhouse.embedded import EmbeddedClient
from include.run_day import run_day
from stagehouse.jobs.github_top_repositories import tasks_at_once
from tests.clock import DAY, by_clock, now, run_by_clock
from tests.dags.dag_runs import states
from tests.dags.sample_github import SampleGitHub, sample_github
from tests.servers.free_port import free_ports
from tests.servers.github_schema import SCHEMA_IF_THERE
from tests.servers.postgres import PostgresServer

DAG_ID = "github_top_repositories"
TOP = 20
TASKS = ["postgres_health", "tables", "rank", "plan", "fetch", "load", "publish", "check", "render"]


class Place:
    """What a run of the DAG works with. Attributes: github; staging; reports; engine: path of chDB."""

    def __init__(self, github: SampleGitHub, directory: Path) -> None:
        self.github, self.staging, self.engine = github, directory / "staging", directory / "chdb"
        self.reports = directory / "reports"

    def read(self, select: str) -> list[tuple]:
        """Ask ClickHouse."""
        with EmbeddedClient("test", self.engine, "stagehouse", wait_s=5) as clickhouse:
            return clickhouse.execute(select)

    def require_untouched(self, requests: int = 0) -> None:
        """No file, no table, and no request since the first `requests`."""
        assert len(self.github.requests) == requests
        assert not self.staging.exists()
        assert not self.engine.exists()
        assert not self.reports.exists()

    def page(self, day: date) -> tuple[dict, str]:
        """The index and the page that were rendered for a day."""
        directory = self.reports / "top_repositories" / day.isoformat()
        return json.loads((directory / "index.json").read_text()), (directory / "index.html").read_text()


@pytest.fixture(scope="module")
def github() -> Iterator[SampleGitHub]:
    """The stand-in, for all tests of this file."""
    with sample_github() as served:
        yield served


@pytest.fixture
def place(
    github: SampleGitHub, tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Place:
    """Connections and variables of a place of the test's own."""
    made = Place(github, tmp_path)
    clickhouse = {"conn_type": "clickhouse", "schema": "stagehouse", "extra": {"path": str(made.engine)}}
    fast = {"requests_per_second": 500, "max_concurrent_requests": 10}
    for name, value in {
        "CONN_POSTGRES_DEFAULT": postgres_server.airflow_connection(),
        "CONN_CLICKHOUSE_DEFAULT": json.dumps(clickhouse),
        "CONN_GITHUB_DEFAULT": json.dumps({"conn_type": "github", "host": github.url, "extra": fast}),
        "VAR_STAGING_ROOT": str(made.staging),
        "VAR_REPORTS_ROOT": str(made.reports),
    }.items():
        monkeypatch.setenv(f"AIRFLOW_{name}", value)
    return made


@pytest.fixture
def dag(root: Path, metadb: None):
    """The DAG without further tries, parsed anew: Airflow writes a run's params into what it runs."""
    dag = DagBag(dag_folder=root / "dags" / f"{DAG_ID}.py").dags[DAG_ID]
    for task in dag.tasks:
        task.retries = 0
    return dag


def test_tasks_follow_each_other_as_documented(dagbag):
    """One line, in the order of the table in the documentation."""
    dag = dagbag.dags[DAG_ID]
    documented = [line.split("`")[1] for line in dag.doc_md.splitlines() if line.startswith("| `")]
    assert documented == TASKS
    assert [task.task_id for task in dag.topological_sort()] == TASKS
    for before, after in pairwise(TASKS):
        assert after in dag.task_dict[before].downstream_task_ids
    assert {task.task_id for task in dag.tasks if task.is_mapped} == {"load"}
    asking = {task.task_id for task in dag.tasks if task.max_active_tis_per_dag == 1}
    assert asking == {"rank", "plan", "fetch"}


def test_more_tasks_may_ask_at_once_where_the_environment_says_so(root: Path, monkeypatch):
    """As many as `processes` of the connection lets through; what is no such number is named."""
    monkeypatch.setenv("STAGEHOUSE_GITHUB_PROCESSES", "3")
    dag = DagBag(dag_folder=root / "dags" / f"{DAG_ID}.py").dags[DAG_ID]
    asking = {task.task_id for task in dag.tasks if task.max_active_tis_per_dag == 3}
    assert asking == {"rank", "plan", "fetch"}
    for text in ("0", "21", "two", "", "-1", "²"):
        monkeypatch.setenv("STAGEHOUSE_GITHUB_PROCESSES", text)
        told = (
            f"STAGEHOUSE_GITHUB_PROCESSES is {text!a}: allowed is a whole number from 1 to 20. Next: correct"
        )
        with pytest.raises(ValueError, match=re.escape(told)):
            tasks_at_once()


def test_the_form_says_what_is_allowed(dagbag):
    """Every param has a title, a description, a default that fits, and the limits of GitHub's search."""
    params = dagbag.dags[DAG_ID].params
    assert dict(params.dump()) == {
        "top": 100,
        "query": "stars:>1",
        "day": "",
        "api": "auto",
        "verify": 0,
        "plan_only": False,
    }
    schemas = {name: params.get_param(name).schema for name in params}
    assert all(schema["title"] for schema in schemas.values())
    assert all(len(params.get_param(name).description) > 20 for name in params)
    assert schemas["top"].items() >= {"type": "integer", "minimum": 1, "maximum": 100_000}.items()
    assert schemas["query"].items() >= {"type": "string", "minLength": 1, "maxLength": 256}.items()
    assert "null" in schemas["day"]["type"]
    params.validate()


def test_the_schedule_is_the_night_after_the_day(dagbag):
    """00:30 UTC, for the partition of the day before, one run at a time."""
    dag = dagbag.dags[DAG_ID]
    noon = TimeRestriction(pendulum.datetime(2026, 8, 20, 12, tz="UTC"), latest=None, catchup=True)
    planned = coerce_to_core_timetable(dag.timetable).next_dagrun_info_v2(
        last_dagrun_info=None, restriction=noon
    )
    assert planned.run_after == datetime(2026, 8, 21, 0, 30, tzinfo=UTC)
    assert run_day(planned.partition_key, planned.run_after) == date(2026, 8, 20)
    assert (dag.max_active_runs, dag.catchup) == (1, False)


def test_a_day_gets_in_whole_and_again_the_same(dag, place: Place, monkeypatch: pytest.MonkeyPatch):
    """Rows are those counted from the sample; by GraphQL they are the same; a backfill touches no star."""
    before = len(place.github.requests)
    run = run_by_clock(dag, top=TOP)
    assert states(run) == dict.fromkeys(TASKS, "success")
    day = DAY
    expected = place.github.top(TOP)
    positions = place.read(
        "SELECT date, position, repo, id, stars FROM repositories_positions ORDER BY position"
    )
    assert positions == [(day, n, r.full_name, r.id, r.stars) for n, r in enumerate(expected, start=1)]
    commits = stored_commits(place, day)
    assert commits == counted_commits(place, day)
    assert place.read("SELECT count(), uniqExact(id) FROM repositories FINAL") == [(TOP, TOP)]
    assert dict(place.read("SELECT `table`, rows FROM loads FINAL")) == {
        "repositories_positions": TOP,
        "repositories_authors_commits": len(commits),
        "repositories_outcomes": TOP,
    }
    assert [name for (name,) in place.read("SHOW TABLES") if "__stg_" in name] == []

    columns = "requests, requests_planned, api, fits, plan_only, finished_at > planned_at"
    ((requests, planned, *others),) = place.read(f"SELECT {columns} FROM runs FINAL")
    assert others == ["rest", 1, 0, 1]
    assert requests + 1 == len(place.github.requests) - before  # quotas were asked for once
    assert 2 < planned <= requests

    index, page = place.page(day)
    assert (index["run_id"], index["repositories"]) == (run.run_id, TOP)
    assert all(repository.full_name in page.replace("<wbr>", "") for repository in expected)
    assert "What the run cost" in page

    github = {"conn_type": "github", "host": place.github.url, "password": "token-of-the-test"}
    monkeypatch.setenv("AIRFLOW_CONN_GITHUB_DEFAULT", json.dumps(github))
    before = len(place.github.requests)
    again = run_by_clock(dag, top=TOP, day=day.isoformat(), verify=2)
    asked = [request.path_qs for request in place.github.requests[before:]]
    if SCHEMA_IF_THERE:  # auto means GraphQL then; the list, a bot and what is verified are asked of REST
        assert asked.count("/graphql") in range(2, 5)
        assert 4 <= len(asked) - asked.count("/graphql") <= 9
    assert place.page(day)[0]["run_id"] == again.run_id
    assert (again.run_id != run.run_id, again.state) == (True, "success")
    assert stored_commits(place, day) == commits
    assert place.read("SELECT count() FROM repositories_positions") == [(TOP,)]

    past = day - timedelta(days=30)
    place.read(f"INSERT INTO repositories_positions SELECT toDate('{past}'), 'kept/as-it-is', 1, 7, 7")
    seen_before = place.read("SELECT * FROM repositories FINAL ORDER BY id")
    assert run_by_clock(dag, top=TOP, day=past.isoformat()).state == "success"
    assert stored_commits(place, past) == counted_commits(place, past)
    assert place.read(f"SELECT repo FROM repositories_positions WHERE date = '{past}'") == [
        ("kept/as-it-is",)
    ]
    assert place.read("SELECT * FROM repositories FINAL ORDER BY id") == seen_before
    assert stored_commits(place, day) == commits
    assert "kept/as-it-is" in place.page(past)[1].replace("<wbr>", "")


def test_a_plan_alone_publishes_nothing(dag, place: Place, caplog: pytest.LogCaptureFixture):
    """The run is green and what comes after the plan is skipped; the plan is told and in its table."""
    caplog.set_level("INFO")
    run = run_by_clock(dag, top=TOP, plan_only=True)
    begun = TASKS.index("plan") + 1
    assert states(run) == dict.fromkeys(TASKS[:begun], "success") | dict.fromkeys(TASKS[begun:], "skipped")
    assert run.state == "success"
    assert [request.path_qs.split("?")[0] for request in place.github.requests[-2:]] == [
        "/search/repositories",
        "/rate_limit",
    ]
    columns = "run_id, top, api, plan_only, fits, quota_left > 0, finished_at > planned_at"
    assert place.read(f"SELECT {columns} FROM runs FINAL") == [(run.run_id, TOP, "rest", 1, 1, 1, 0)]
    ((requests,),) = place.read("SELECT requests_planned FROM runs FINAL")
    assert f"repositories are to be asked by rest: {requests - 1} requests" in caplog.text
    assert place.read("SELECT count() FROM loads") == [(0,)]
    assert not place.reports.exists()


def test_an_unset_reports_root_stops_the_run_before_the_first_request(
    dag, place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """The first task names the variable and is not tried again: nothing is fetched that no page can show."""
    before = len(place.github.requests)
    monkeypatch.delenv("AIRFLOW_VAR_REPORTS_ROOT")
    dag.task_dict["postgres_health"].retries = 3
    run = run_by_clock(dag, top=TOP)
    assert states(run) == {"postgres_health": "failed"} | dict.fromkeys(TASKS[1:], "upstream_failed")
    assert run.get_task_instance("postgres_health").try_number == 1
    assert "variable 'reports_root': not set" in "".join(capfd.readouterr())
    place.require_untouched(before)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"password": "ghp_0123456789\u00e9bcdef"}, "password: tokens are separated by whitespace or commas"),
        ({"password": "ghp_0123456789abcdef'"}, "password: tokens are separated by whitespace or commas"),
        ({"host": "api.github.com"}, "host: is no URL"),
        ({"extra": {"timeout": 5}}, "extra.timeout: not known"),
    ],
)
def test_a_connection_that_is_of_no_use_stops_the_run_at_once(
    dag, place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], wrong: dict, told
):
    """The first task names the field, whatever `api` is, and is not tried again; nothing is asked or made."""
    before = len(place.github.requests)
    connection = {"conn_type": "github", "host": place.github.url} | wrong
    monkeypatch.setenv("AIRFLOW_CONN_GITHUB_DEFAULT", json.dumps(connection))
    dag.task_dict["postgres_health"].retries = 3
    run = run_by_clock(dag, top=TOP)
    assert states(run) == {"postgres_health": "failed"} | dict.fromkeys(TASKS[1:], "upstream_failed")
    assert run.get_task_instance("postgres_health").try_number == 1
    said = "".join(capfd.readouterr())
    assert f"connection 'github_default', {told}" in said
    assert "ghp_0123456789" not in said
    place.require_untouched(before)


def stored_commits(place: Place, day: date) -> dict[tuple[str, str], int]:
    """Commits of the day by repository and author, as a reader finds them."""
    rows = place.read(
        f"SELECT repo, author, commits_num FROM repositories_authors_commits WHERE date = '{day}'"
    )
    assert len({row[:2] for row in rows}) == len(rows) > 0
    return {(repo, author): commits for repo, author, commits in rows}


def counted_commits(place: Place, day: date) -> dict[tuple[str, str], int]:
    """The same from the sample."""
    return {
        (repository.full_name, author): commits
        for repository in place.github.top(TOP)
        for author, commits in place.github.authors(repository, day).items()
    }


def test_a_sick_postgres_stops_the_run_before_the_first_request(
    dag, place: Place, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    """Nothing is asked, written or made."""
    nobody_there = postgres_server.airflow_connection(port=free_ports(1)[0])
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", nobody_there)
    before = len(place.github.requests)
    run = run_by_clock(dag, top=TOP)
    assert states(run) == {"postgres_health": "failed"} | dict.fromkeys(TASKS[1:], "upstream_failed")
    place.require_untouched(before)


def test_a_bad_param_stops_the_run_at_once(dag, place: Place, capfd: pytest.CaptureFixture[str]):
    """Through the whole runner: red, with the param in the log, and no second try though there are some."""
    before = len(place.github.requests)
    dag.task_dict["postgres_health"].retries = 3
    run = run_by_clock(dag, day="2026-02-30")
    assert states(run) == {"postgres_health": "failed"} | dict.fromkeys(TASKS[1:], "upstream_failed")
    assert run.get_task_instance("postgres_health").try_number == 1
    assert "param 'day' is '2026-02-30': allowed is a date YYYY-MM-DD" in "".join(capfd.readouterr())
    place.require_untouched(before)


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        *(({"top": top}, "top") for top in (0, -1, True, "100", 1.5, None, [5])),
        ({"top": 100_001}, "100000"),
        ({"query": "x" * 257}, "query"),
        ({"query": ""}, "query"),
        ({"query": "  "}, "query"),
        ({"query": "stars:>1\0"}, "query"),
        ({"query": "stars:>1\n"}, "query"),
        ({"query": None}, "query"),
        ({"day": (DAY + timedelta(days=2)).isoformat()}, "today is"),
        *(
            ({"day": day}, "day")
            for day in ("2026-02-30", "2026-01-01\n", "../..", "..", ",", "20260101", "1969-12-31", 20260101)
        ),
        *(({"api": api}, "api") for api in ("soap", "", None)),
        ({"api": "graphql"}, "connection 'github_default' has no token in its password"),
        *(({"verify": verify}, "verify") for verify in (-1, 101, True, "5", None)),
        *(({"plan_only": plan_only}, "plan_only") for plan_only in ("yes", 1, None)),
        ({"nights": 3}, "nights"),
        ({"Top": 3}, "Top"),
    ],
)
def test_a_bad_param_is_named_before_anything_happens(dag, place: Place, conf: dict, said: str):
    """By Airflow's check of the form or by ours, in the first task: no request, no file, no table."""
    before = len(place.github.requests)
    task = dag.task_dict["postgres_health"]
    with pytest.raises((ParamValidationError, ValueError)) as caught:
        ask(dag, task, conf)
    assert type(caught.value).__name__ in ("ParamValidationError", "BadParam")
    assert said in str(caught.value)
    place.require_untouched(before)


def test_good_params_pass_the_first_task(dag, place: Place):
    """The same way in, so that the refusals above are not of something else."""
    today = now().date().isoformat()
    longest = {"top": 1000, "query": "x" * 256}
    for conf in ({}, {"top": 1}, {"top": 100_000}, longest, {"day": None}, {"day": today}):
        assert ask(dag, dag.task_dict["postgres_health"], conf)["version"]


def ask(dag, task, conf: dict) -> dict:
    """Run the task's own function with the params that Airflow makes of `conf`."""
    params = process_params(dag, task, conf, suppress_exception=False)
    dag_run = SimpleNamespace(partition_key=None, run_after=now())
    with by_clock(), set_current_context({"params": params, "dag_run": dag_run}):
        return asyncio.run(task.python_callable())
