"""The DAG api_calls through Airflow's own runner: real PostgreSQL, chDB, files, and an API that counts."""

import csv
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web

from include.clickhouse.embedded import EmbeddedClient
from stagehouse.ui.call_runs import CallProgress
from tests.clock import run_by_clock
from tests.dags.dag_runs import parsed, red_at, states
from tests.servers.counting_api import CountingApi
from tests.servers.postgres import PostgresServer

DAG_ID = "api_calls"
TASKS = ["postgres_health", "tables", "stage", "plan", "call", "load", "publish", "check", "render", "judge"]
SECRET = "s3cret-of-the-api-0123456789"
POSTS = """
method = "POST"
path = "/posts"
ok_statuses = [200, 201]
[columns]
userId = { type = "integer" }
title = { type = "text", max_length = 20 }
[body]
userId = "{userId}"
title = "{title}"
[keep]
id = "id"
"""
ITEMS = """
method = "GET"
path = "/items/{title}"
[columns]
title = {}
[keep]
title = "title"
"""


class Place:
    """What a run of the DAG works with."""

    def __init__(self, directory: Path, api: CountingApi) -> None:
        self.api = api
        self.inbox, self.staging = directory / "inbox", directory / "staging"
        self.recipes, self.reports = directory / "recipes", directory / "reports"
        self.engine = directory / "chdb"
        self.inbox.mkdir()
        self.recipes.mkdir()
        self.recipe("posts", POSTS)
        self.recipe("items", ITEMS)

    def recipe(self, name: str, text: str) -> None:
        """Write a recipe."""
        (self.recipes / f"{name}.toml").write_text(text)

    def deliver(self, text: str, name: str = "file.csv", recipe: str = "posts") -> dict:
        """Put a file into the inbox; return the params that name it."""
        (self.inbox / name).write_text(text)
        return {"path": name, "recipe": recipe}

    def rows(self, run) -> list[tuple]:
        """Return row, line, outcome, status and requests of a run, as readers see them."""
        with EmbeddedClient("test", self.engine, "stagehouse", wait_s=5) as clickhouse:
            return clickhouse.execute(
                "SELECT row, line, outcome, status, requests FROM api_calls FINAL "
                "WHERE run_id = %(run)s ORDER BY row",
                {"run": run.run_id},
            )

    def outcomes(self, run) -> list[str]:
        """Return the outcomes of a run's rows, in the order of the file."""
        return [row[2] for row in self.rows(run)]

    def files(self, run) -> Path:
        """Return the directory of a run's results."""
        for path in self.reports.rglob("progress.json"):
            if json.loads(path.read_text())["run_id"] == run.run_id:
                return path.parent
        raise AssertionError

    def results(self, run) -> list[dict[str, str]]:
        """Return results.csv."""
        with (self.files(run) / "results.csv").open(newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def api() -> Iterator[CountingApi]:
    """An API."""
    with CountingApi().serving() as api:
        yield api


@pytest.fixture
def place(
    tmp_path: Path, postgres_server: PostgresServer, api: CountingApi, monkeypatch: pytest.MonkeyPatch
) -> Place:
    """Connections and variables of a place of the test's own."""
    made = Place(tmp_path, api)
    clickhouse = {"conn_type": "clickhouse", "schema": "stagehouse", "extra": {"path": str(made.engine)}}
    http = {
        "conn_type": "http_api",
        "host": api.url,
        "password": SECRET,
        "extra": {"requests_per_second": 200, "timeout_s": 5},
    }
    for name, value in {
        "CONN_POSTGRES_DEFAULT": postgres_server.airflow_connection(),
        "CONN_CLICKHOUSE_DEFAULT": json.dumps(clickhouse),
        "CONN_HTTP_API_DEFAULT": json.dumps(http),
        "VAR_STAGING_ROOT": str(made.staging),
        "VAR_INBOX_ROOT": str(made.inbox),
        "VAR_RECIPES_ROOT": str(made.recipes),
        "VAR_REPORTS_ROOT": str(made.reports),
    }.items():
        monkeypatch.setenv(f"AIRFLOW_{name}", value)
    return made


@pytest.fixture
def run(root: Path, metadb: None):
    """Run the DAG without further tries, parsed anew: Airflow writes a run's params into what it runs."""

    def run(params: dict):
        return run_by_clock(parsed(root, DAG_ID), **params)

    return run


GREEN = dict.fromkeys(TASKS, "success")
FILE = 'userId,title,note\n7,first,007\n7,"second, with a comma",\n8,third,x\n'


def test_tasks_follow_each_other_as_documented(dagbag):
    """One line, in the order of the table in the documentation."""
    dag = dagbag.dags[DAG_ID]
    documented = [line.split("`")[1] for line in dag.doc_md.splitlines() if line.startswith("| `")]
    assert documented == TASKS
    assert [task.task_id for task in dag.topological_sort()] == TASKS
    for before, after in pairwise(TASKS):
        assert after in dag.task_dict[before].downstream_task_ids
    assert {task.task_id for task in dag.tasks if task.is_mapped} == {"load"}
    assert (dag.max_active_runs, dag.timetable.can_be_scheduled) == (1, False)


def test_a_file_is_called_row_by_row(place: Place, run, capfd):
    """Each row once, with its typed values; every row is in the table and in the results, as it was."""
    first = run(place.deliver(FILE.replace("second, with a comma", "a, b")))
    assert states(first) == GREEN
    assert place.api.done == {"first": 1, "a, b": 1, "third": 1}
    bodies = [json.loads(body) for _, _, _, body in place.api.log]
    assert {"userId": 7, "title": "a, b"} in bodies
    assert all(headers["Authorization"] == f"Bearer {SECRET}" for _, _, headers, _ in place.api.log)
    assert place.rows(first) == [(row, row + 1, "ok", 201, 1) for row in (1, 2, 3)]
    results = place.results(first)
    assert [each["note"] for each in results] == ["007", "", "x"]
    assert list(results[0]) == [
        *("userId", "title", "note"),
        *("outcome", "status", "reason", "requests", "answer_id"),
    ]
    assert all(each["answer_id"].isdigit() for each in results)
    progress = json.loads((place.files(first) / "progress.json").read_text())
    assert (progress["state"], progress["done"], progress["ok"]) == ("finished", 3, 3)
    assert SECRET not in "".join(capfd.readouterr())
    assert not [
        path for path in place.staging.rglob("*") if path.is_file() and SECRET in path.read_text("latin-1")
    ]


def test_the_same_file_again_is_skipped(place: Place, run):
    """By the name of the run that did it; all rows go again only where that is asked for."""
    params = place.deliver("userId,title\n1,a\n2,b\n")
    first = run(params)
    second = run(params)
    assert states(second) == GREEN
    assert place.rows(second) == [(1, 2, "skipped", 201, 0), (2, 3, "skipped", 201, 0)]
    assert {each["reason"] for each in place.results(second)} == {f"ok in run {first.run_id}"}
    third = run({**params, "resend": "all"})
    assert place.outcomes(third) == ["ok", "ok"]
    assert place.api.done == {"a": 2, "b": 2}


def test_failed_rows_are_published_and_may_be_given_back(place: Place, run):
    """Above max_failed the rest is not sent, judge is red, and todo.csv has what is left."""
    place.api.answer = lambda title, _: web.Response(status=422, text="no") if title == "bad" else None
    rows = "".join(f"1,t{number}\n" for number in range(40))
    params = place.deliver(f"userId,title\n1,bad\n{rows}")
    first = run(params)
    assert states(first) == {**GREEN, "judge": "failed"}
    outcomes = place.outcomes(first)
    assert outcomes[0] == "failed"
    assert set(outcomes[1:]) == {"ok", "not_sent"}
    shown = CallProgress.model_validate_json((place.files(first) / "progress.json").read_bytes())
    assert (shown.state, shown.failed, shown.rows) == ("finished", 1, 41)
    page = (place.files(first) / "index.html").read_text()
    assert "<td><bdi>bad</bdi></td>" in page
    assert page.count('<tr><th scope="row"><bdi>') == 1 + outcomes.count("not_sent")
    todo = (place.files(first) / "todo.csv").read_text()
    assert todo.startswith("userId,title\n1,bad\n")
    assert len(todo.splitlines()) == 2 + outcomes.count("not_sent")
    place.api.answer = lambda *_: None
    second = run(place.deliver(todo, "todo.csv"))
    assert states(second) == GREEN
    assert place.api.done == Counter_of("bad", *(f"t{number}" for number in range(40)))


@pytest.mark.parametrize(
    ("name", "text", "encoding"),
    [
        ("file.csv", 'userId,title\n1,done\n1,"a\rb"\n1,"c\r"\n1," ""d"" "\n', "utf-8"),
        ("file.csv", "userId,title\n1,done\n1,яя\n", "cp1251"),
        ("file.ndjson", '{"userId": 1, "title": "a\\r\\u20acя"}\n', "iso-8859-5"),
    ],
    ids=["line ends", "encoding", "json"],
)
def test_what_is_left_is_read_again_as_it_was(place: Place, run, name: str, text: str, encoding: str):
    """A carriage return in a cell, letters that the file's encoding has not."""
    place.api.answer = lambda title, _: web.Response(status=422) if title != "done" else None
    params = place.deliver("", name) | {"encoding": encoding, "max_failed": 9}
    (place.inbox / name).write_bytes(text.encode(encoding))
    first = run(params)
    assert states(first) == GREEN
    titles = set(place.api.seen)
    assert {each["title"] for each in place.results(first)} == titles
    (place.inbox / "todo.csv").write_bytes((place.files(first) / "todo.csv").read_bytes())
    place.api.answer = lambda *_: None
    assert states(run({**params, "path": "todo.csv"})) == GREEN
    assert place.api.done == dict.fromkeys(titles, 1)


def test_failed_rows_of_the_same_file_go_again_where_that_is_asked_for(place: Place, run):
    """They stay failed otherwise; rows that were not sent go in any case."""
    place.api.answer = lambda title, _: web.Response(status=422, text="no") if title == "bad" else None
    params = place.deliver("userId,title\n1,bad\n1,good\n")
    assert states(run({**params, "max_failed": 1})) == GREEN
    place.api.answer = lambda *_: None
    second = run({**params, "max_failed": 1})
    assert place.rows(second) == [(1, 2, "failed", 422, 0), (2, 3, "skipped", 201, 0)]
    third = run({**params, "resend": "failed"})
    assert place.outcomes(third) == ["ok", "skipped"]
    assert place.api.done == {"bad": 1, "good": 1}


def test_an_answer_that_was_lost_is_unknown(place: Place, run):
    """It is not sent again, judge is red, and stays so until somebody says that it may be sent again."""
    place.api.answer = lambda title, before: (
        web.Response(status=599) if (title, before) == ("lost", 0) else None
    )
    params = place.deliver("userId,title\n1,lost\n1,kept\n")
    first = run(params)
    assert states(first) == {**GREEN, "judge": "failed"}
    assert place.outcomes(first) == ["unknown", "ok"]
    second = run(params)
    assert states(second) == {**GREEN, "judge": "failed"}
    assert place.rows(second)[0][2:] == ("unknown", 0, 0)
    assert place.api.seen["lost"] == 1
    third = run({**params, "retry_unknown": True})
    assert states(third) == GREEN
    assert place.outcomes(third) == ["ok", "skipped"]
    fourth = run(params)
    assert place.outcomes(fourth) == ["skipped", "skipped"]


def test_an_unknown_row_goes_again_by_the_key_it_had(place: Place, run):
    """The API knows it again, in another run too; sent again with all rows it is a call of its own."""
    place.recipe("keyed", POSTS + '[idempotency]\nheader = "Idempotency-Key"\nhours = 24.0\n')
    place.api.answer = lambda _title, before: web.Response(status=202) if before == 0 else None
    params = place.deliver("userId,title\n1,a\n1,b\n", recipe="keyed")
    first = run(params)
    assert place.outcomes(first) == ["unknown", "unknown"]
    second = run({**params, "retry_unknown": True})
    assert place.outcomes(second) == ["ok", "ok"]
    run({**params, "resend": "all"})
    keys: dict[str, list[str]] = {}
    for _, _, headers, body in place.api.log:
        keys.setdefault(json.loads(body)["title"], []).append(headers["Idempotency-Key"])
    for first_key, again, of_its_own in keys.values():
        assert first_key == again != of_its_own
    assert keys["a"][0] != keys["b"][0]


def test_rejected_rows_are_never_called(place: Place, run):
    """Up to max_rejected of them; with more the run is red before anything is called, and tells the rows."""
    params = place.deliver("userId,title\n1_000,a\n2,b\n3,c,d\n\n4,e\n")
    first = run(params)
    assert states(first) == red_at("stage", TASKS)
    assert not place.api.log
    (told,) = place.reports.rglob("rejected.ndjson")
    rejects = [json.loads(line) for line in told.read_text().splitlines()]
    assert [(each["row"], each["line"]) for each in rejects] == [(1, 2), (3, 4)]
    second = run({**params, "max_rejected": 2})
    assert states(second) == GREEN
    assert place.rows(second) == [
        (1, 2, "rejected", 0, 0),
        (2, 3, "ok", 201, 1),
        (3, 4, "rejected", 0, 0),
        (4, 6, "ok", 201, 1),
    ]


def test_a_dry_run_shows_and_sends_nothing(place: Place, run, capfd):
    """The first five requests, with the secret hidden."""
    done = run({**place.deliver("userId,title\n" + "1,a\n" * 9), "dry_run": True})
    assert states(done) == GREEN | dict.fromkeys(TASKS[4:], "skipped")
    assert not place.api.log
    plan = done.get_task_instance("plan").xcom_pull(task_ids="plan", key="plan")
    assert (plan["rows"], plan["calls"], len(plan["requests"])) == (9, 9, 5)
    assert "Authorization: Bearer ***" in plan["requests"][0]
    assert '{"userId":1,"title":"a"}' in plan["requests"][0]
    assert SECRET not in "".join(capfd.readouterr())


def test_a_rejected_secret_stops_the_run(place: Place, run):
    """Rows are left to do, not failed."""
    place.api.answer = lambda *_: web.Response(status=401, text=f"bad token {SECRET}")
    done = run(place.deliver("userId,title\n" + "".join(f"1,t{n}\n" for n in range(30))))
    assert states(done) == {**GREEN, "judge": "failed"}
    assert set(place.outcomes(done)) == {"not_sent"}
    assert len(place.api.log) <= 5
    assert SECRET not in (place.files(done) / "results.csv").read_text()


def test_rows_of_a_get(place: Place, run):
    """A value is one segment of the path, whatever is in it."""
    done = run(place.deliver("title\na/../b\nc?d=e#f\n", recipe="items"))
    assert states(done) == GREEN
    assert sorted(path for _, path, _, _ in place.api.log) == ["/items/a%2F..%2Fb", "/items/c%3Fd%3De%23f"]


def test_a_plan_that_no_run_has_time_for_is_red(place: Place, run, monkeypatch):
    """Before the first call."""
    http = {"conn_type": "http_api", "host": place.api.url, "extra": {"requests_per_second": 0.01}}
    monkeypatch.setenv("AIRFLOW_CONN_HTTP_API_DEFAULT", json.dumps(http))
    done = run(place.deliver("userId,title\n" + "1,a\n" * 1000))
    assert states(done) == red_at("plan", TASKS)
    assert not place.api.log


def test_only_the_first_rows(place: Place, run):
    """With param limit; the others are to do."""
    done = run({**place.deliver("userId,title\n1,a\n1,b\n1,c\n"), "limit": 2})
    assert states(done) == GREEN
    assert place.outcomes(done) == ["ok", "ok", "not_sent"]
    assert (place.files(done) / "todo.csv").read_text() == "userId,title\n1,c\n"


def Counter_of(*names: str) -> dict[str, int]:  # noqa: N802 - reads like a value
    """Each once."""
    return dict.fromkeys(names, 1)
