"""The DAG phrases_views_import through Airflow's own runner: real PostgreSQL, chDB and files."""

import asyncio
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk import ObjectStoragePath, RetryAction
from airflow.sdk.definitions.param import process_params
from airflow.sdk.exceptions import ParamValidationError
from airflow.sdk.execution_time.context import set_current_context
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from include.clickhouse.embedded import EmbeddedClient
from include.staging.errors import Superseded
from tests.dags.dag_runs import parsed, red_at, states
from tests.servers.free_port import free_ports
from tests.servers.postgres import PostgresServer

DAG_ID = "phrases_views_import"
TASKS = ["postgres_health", "tables", "stage", "load", "publish", "check"]
HEADER = "campaign_id,phrase,views,dt\n"
ROWS = [(7, "платье", 100, "2026-08-20 11:50:00"), (7, 'a "b", c', 3, "2026-08-20 12:00:00")]
CSV = HEADER + '7,платье,100,2026-08-20 11:50:00\n7,"a ""b"", c",3,2026-08-20T14:00:00+02:00\n'
NDJSON = "".join(
    json.dumps(dict(zip(("campaign_id", "phrase", "views", "dt"), row, strict=True))) + "\n" for row in ROWS
)


class Place:
    """What a run of the DAG works with. Attributes: inbox; staging; engine: path of chDB."""

    def __init__(self, directory: Path) -> None:
        self.inbox, self.staging, self.engine = directory / "inbox", directory / "staging", directory / "chdb"
        self.inbox.mkdir()

    def deliver(self, name: str, data: str | bytes) -> dict:
        """Put a file into the inbox; return the params that name it."""
        (self.inbox / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return {"path": name}

    def read(self, select: str) -> list[tuple]:
        """Ask ClickHouse."""
        with EmbeddedClient("test", self.engine, "stagehouse", wait_s=5) as clickhouse:
            return clickhouse.execute(select)

    def counters(self) -> list[tuple]:
        """Return what a reader of the table finds."""
        return self.read(
            "SELECT campaign_id, phrase, views, toString(dt) FROM phrases_views FINAL ORDER BY dt, phrase"
        )

    def rejected(self) -> list[dict]:
        """Return the lines of the one reject file."""
        (file,) = self.staging.rglob("rejected.ndjson")
        return [json.loads(line) for line in file.read_text().splitlines()]

    def require_untouched(self) -> None:
        """No staging file and no table."""
        assert not self.staging.exists()
        assert not self.engine.exists()


@pytest.fixture
def place(tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Connections and variables of a place of the test's own."""
    made = Place(tmp_path)
    clickhouse = {"conn_type": "clickhouse", "schema": "stagehouse", "extra": {"path": str(made.engine)}}
    for name, value in {
        "CONN_POSTGRES_DEFAULT": postgres_server.airflow_connection(),
        "CONN_CLICKHOUSE_DEFAULT": json.dumps(clickhouse),
        "VAR_STAGING_ROOT": str(made.staging),
        "VAR_INBOX_ROOT": str(made.inbox),
    }.items():
        monkeypatch.setenv(f"AIRFLOW_{name}", value)
    return made


@pytest.fixture
def dag(root: Path, metadb: None):
    """The DAG without further tries, parsed anew: Airflow writes a run's params into what it runs."""
    return parsed(root, DAG_ID)


def counts(run) -> dict[str, object]:
    """What the run says of the file, without the paths."""
    said = run.get_task_instance("check").xcom_pull(task_ids="check")
    return {name: said[name] for name in ("rows", "rejected", "repeated", "blank")}


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


def test_a_file_that_a_newer_one_overtook_is_not_published_again(dagbag):
    """By itself, that is: its values would come after those of the newer one."""
    policy = dagbag.dags["phrases_views_import"].get_task("publish").retry_policy
    overtaken = Superseded("clickhouse_default", "phrases_views", "newer run")
    assert policy.evaluate(overtaken, try_number=1, max_tries=3).action is RetryAction.FAIL


def test_the_form_says_what_is_allowed(dagbag):
    """Every param has a title and a description; only the file must be given."""
    params = dagbag.dags[DAG_ID].params
    assert list(params) == ["path", "format", "max_rejected", "require_last_line_end"]
    assert all(params.get_param(name).schema["title"] for name in params)
    assert all(len(params.get_param(name).description) > 20 for name in params)
    assert params.get_param("format").schema["enum"] == ["auto", "csv", "ndjson"]
    with pytest.raises(ParamValidationError, match="path"):
        params.validate()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", CSV),
        ("a.csv.gz", gzip.compress(CSV.encode())),
        ("a.ndjson", NDJSON),
        ("a.bin", gzip.compress(NDJSON.encode())),
    ],
)
def test_a_file_gets_in_whole(dag, place: Place, name: str, data: str | bytes):
    """CSV or NDJSON, packed or not: every row, no staging table left, and the numbers said."""
    run = dag.test(run_conf=place.deliver(name, data))
    assert states(run) == dict.fromkeys(TASKS, "success")
    assert place.counters() == ROWS
    assert counts(run) == {"rows": 2, "rejected": 0, "repeated": 0, "blank": 0}
    assert run.get_task_instance("stage").xcom_pull(task_ids="stage", key="counts")["rows"] == 2
    assert [table for (table,) in place.read("SHOW TABLES") if "__stg_" in table] == []


def test_the_same_file_again_changes_nothing_and_a_correction_counts(dag, root: Path, place: Place):
    """A later file replaces the views of the samples that it names, and leaves all others."""
    params = place.deliver("a.csv", CSV)
    for _ in range(2):
        assert parsed(root, DAG_ID).test(run_conf=params).state == "success"
        assert place.counters() == ROWS
    corrected = place.deliver("b.csv", HEADER + "7,платье,90,2026-08-20 11:50:00\n")
    assert parsed(root, DAG_ID).test(run_conf=corrected).state == "success"
    assert place.counters() == [(*ROWS[0][:2], 90, ROWS[0][3]), ROWS[1]]


def test_rejects_below_the_threshold_are_kept_and_counted(dag, place: Place):
    """The good lines get in; the file says which did not, and why."""
    data = CSV + "0,a,1,2026-08-20 11:50:00\n\nnonsense\n" + CSV.splitlines()[1]
    run = dag.test(run_conf=place.deliver("a.csv", data) | {"max_rejected": 2})
    assert states(run) == dict.fromkeys(TASKS, "success")
    assert place.counters() == ROWS
    assert counts(run) == {"rows": 2, "rejected": 2, "repeated": 1, "blank": 1}
    assert [(reject["line"], reject["text"]) for reject in place.rejected()] == [
        (4, "0,a,1,2026-08-20 11:50:00"),
        (6, "nonsense"),
    ]
    assert "campaign_id" in place.rejected()[0]["reason"]


def test_a_file_that_may_be_cut_is_told_or_refused(
    dag, root: Path, place: Place, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    """Its last line has no line end: a warning and a count; or, by the param, no row and no second try."""
    dag.task_dict["stage"].retries = 3
    params = place.deliver("a.csv", CSV.rstrip("\n"))
    run = dag.test(run_conf=params | {"require_last_line_end": True})
    assert states(run) == red_at("stage", TASKS)
    said = capfd.readouterr().out
    assert "import file 'a.csv': its last line, number 3, has no line end" in said
    assert place.counters() == []

    run = parsed(root, DAG_ID).test(run_conf=params)
    assert states(run) == dict.fromkeys(TASKS, "success")
    assert place.counters() == ROWS
    assert "a.csv: its last line, number 3, has no line end: an upload may have been cut" in caplog.text
    counted = run.get_task_instance("stage").xcom_pull(task_ids="stage", key="counts")
    assert counted["last_line_ended"] is False
    whole = place.deliver("b.csv", CSV) | {"require_last_line_end": True}
    run = parsed(root, DAG_ID).test(run_conf=whole)
    assert run.get_task_instance("stage").xcom_pull(task_ids="stage", key="counts")["last_line_ended"] is True


def test_one_reject_too_many_fails_before_anything_is_loaded(
    dag, place: Place, capfd: pytest.CaptureFixture[str]
):
    """With the first reason and the place of the reject file in the log, and no second try."""
    dag.task_dict["stage"].retries = 3
    run = dag.test(run_conf=place.deliver("a.csv", CSV + "nonsense\n"))
    assert states(run) == red_at("stage", TASKS)
    assert run.get_task_instance("stage").try_number == 1
    said = "".join(capfd.readouterr())
    assert "param max_rejected allows 0" in said
    assert "line 4: 1 values" in said
    assert str(next(place.staging.rglob("rejected.ndjson"))) in said
    assert place.counters() == []


def test_a_file_without_rows_is_a_green_run_that_changes_nothing(dag, place: Place):
    """A header alone is a delivery too."""
    run = dag.test(run_conf=place.deliver("a.csv", HEADER))
    assert states(run) == dict.fromkeys(TASKS, "success") | {"load": "skipped"}
    assert counts(run)["rows"] == 0


def test_a_store_is_an_inbox_too(dag, place: Place, monkeypatch: pytest.MonkeyPatch):
    """With the file named by its path or by its URL; never one beside the inbox."""
    attach("memory", fs=MemoryFileSystem())
    inbox = ObjectStoragePath("memory://bucket/inbox")
    (inbox / "day" / "a.csv").write_bytes(CSV.encode())
    (inbox.parent / "a.csv").write_bytes(CSV.encode())
    monkeypatch.setenv("AIRFLOW_VAR_INBOX_ROOT", "memory://bucket/inbox/")
    health = dag.task_dict["postgres_health"]
    for path in ("../a.csv", "/bucket/a.csv", "memory://bucket/a.csv", "memory://other/inbox/a.csv", "day"):
        with pytest.raises(ValueError, match="import file"):
            ask(dag, health, {"path": path})
    assert ask(dag, health, {"path": "day/a.csv"})["version"]
    assert dag.test(run_conf={"path": "memory://bucket/inbox/day/a.csv"}).state == "success"
    assert place.counters() == ROWS


def stage_again(dag, params: dict, run) -> list[dict]:
    """Run the task `stage` of a run once more, as a retry or a cleared task does."""
    pushed: dict[str, object] = {}
    ti = SimpleNamespace(xcom_push=pushed.__setitem__)
    context = {"params": process_params(dag, dag.task_dict["stage"], params, suppress_exception=False)}
    with set_current_context(context | {"dag_run": run, "ti": ti}):
        return dag.task_dict["stage"].python_callable()


def test_a_second_try_stages_the_same(dag, place: Place):
    """It finds its manifest; a file that was changed since is named and not mixed in."""
    params = place.deliver("a.csv", CSV)
    run = dag.test(run_conf=params)
    before = {path: path.read_bytes() for path in place.staging.rglob("*") if path.is_file()}
    assert stage_again(dag, params, run) == run.get_task_instance("stage").xcom_pull(task_ids="stage")
    place.deliver("a.csv", CSV.replace("100", "101"))
    with pytest.raises(ValueError, match=r"not what this run staged at .*Next: .*start a new run"):
        stage_again(dag, params, run)
    assert {path: path.read_bytes() for path in place.staging.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda path: path.write_bytes(b"[]")], ids=["lost", "damaged"]
)
@pytest.mark.parametrize("file", ["manifest.json", "phrases_views-*.tsv"])
def test_what_was_lost_or_damaged_is_staged_again(dag, place: Place, file: str, damage: Callable):
    """Clearing the task mends what the later tasks refuse."""
    params = place.deliver("a.csv", CSV)
    dag_run = SimpleNamespace(dag_id=DAG_ID, run_id="one", run_after=datetime.now(UTC))
    parts = stage_again(dag, params, dag_run)
    (path,) = place.staging.rglob(file)
    before = path.read_bytes()
    damage(path)
    assert stage_again(dag, params, dag_run) == parts
    if file != "manifest.json":  # which has the time
        assert path.read_bytes() == before


def test_a_sick_postgres_stops_the_run_before_anything_is_made(
    dag, place: Place, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    """Nothing is staged or made."""
    nobody_there = postgres_server.airflow_connection(port=free_ports(1)[0])
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", nobody_there)
    assert states(dag.test(run_conf=place.deliver("a.csv", CSV))) == red_at("postgres_health", TASKS)
    place.require_untouched()


@pytest.mark.parametrize(
    "params",
    [
        {},
        *({"path": path} for path in ("", " ", None, 5, ["a.csv"], "a.csv\n", "a.csv\0", "a" * 1025)),
        *(
            {"path": path}
            for path in ("../secret.csv", "/etc/passwd", "sub/../../secret.csv", "no.csv", "sub")
        ),
        *({"path": path} for path in ("file:///etc/passwd", "s3://bucket/a.csv", "http://127.0.0.1/a.csv")),
        *({"path": path} for path in ("link.csv", "file://{inbox}/../secret.csv", "file://{inbox}-2/a.csv")),
        *({"path": "a.csv", "format": form} for form in ("CSV", "", None, "xml", 1)),
        *({"path": "a.csv", "max_rejected": n} for n in (-1, True, "1", 1.5, None, 100_001)),
        *({"path": "a.csv", "require_last_line_end": value} for value in (1, 0, "true", "", None)),
        {"path": "a.csv", "Path": "a.csv"},
    ],
    ids=lambda params: json.dumps(params)[:40],
)
def test_a_bad_param_is_named_before_anything_happens(dag, place: Place, params: dict):
    """By Airflow's check of the form or by ours, in the first task: no file, no table."""
    place.deliver("a.csv", CSV)
    (place.inbox / "sub").mkdir()
    (place.inbox.parent / "secret.csv").write_text(CSV)
    (place.inbox / "link.csv").symlink_to(place.inbox.parent / "secret.csv")
    if isinstance(params.get("path"), str):
        params = params | {"path": params["path"].replace("{inbox}", str(place.inbox))}
    with pytest.raises((ParamValidationError, ValueError)) as caught:
        ask(dag, dag.task_dict["postgres_health"], params)
    assert type(caught.value).__name__ in ("ParamValidationError", "BadParam", "OutsideInbox")
    place.require_untouched()


@pytest.mark.parametrize("path", ["a.csv", "./a.csv", "file://{inbox}/a.csv"])
def test_good_params_pass_the_first_task(dag, place: Place, path: str):
    """The same way in, so that the refusals above are not of something else."""
    place.deliver("a.csv", CSV)
    params = {"path": path.replace("{inbox}", str(place.inbox)), "format": "csv", "max_rejected": 100_000}
    assert ask(dag, dag.task_dict["postgres_health"], params)["version"]


def test_a_missing_inbox_is_named(dag, place: Place, monkeypatch: pytest.MonkeyPatch):
    """With the variable, and how the environment sets it."""
    monkeypatch.delenv("AIRFLOW_VAR_INBOX_ROOT")
    with pytest.raises(ValueError, match=r"'inbox_root': not set.*AIRFLOW_VAR_INBOX_ROOT"):
        ask(dag, dag.task_dict["postgres_health"], {"path": "a.csv"})


def ask(dag, task, conf: dict) -> dict:
    """Run the task's own function with the params that Airflow makes of `conf`."""
    params = process_params(dag, task, conf, suppress_exception=False)
    dag_run = SimpleNamespace(partition_key=None, run_after=datetime.now(UTC))
    with set_current_context({"params": params, "dag_run": dag_run}):
        return asyncio.run(task.python_callable())
