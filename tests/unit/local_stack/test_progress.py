"""What the terminal shows of a run."""

import json
from pathlib import Path

import pytest

from include.local_stack.airflow_api import TaskInstance
from include.local_stack.dag_runs import Progress, failure_report
from include.local_stack.task_logs import RunLogs, read_line, task_of


@pytest.fixture
def logs(tmp_path) -> RunLogs:
    """Logs of a run with one task."""
    found = RunLogs(tmp_path, "d", "r")
    (found.directory / "task_id=fetch").mkdir(parents=True)
    return found


def record(**fields: object) -> str:
    """Write a line as Airflow does."""
    return json.dumps({"timestamp": "2026-01-01T00:00:00Z", "level": "info", "logger": "include.x"} | fields)


def test_says_each_change_once():
    """A state is told when it is new, not at every look; states on the way into a worker are not told."""
    progress = Progress()
    queued = [TaskInstance(task_id="load", map_index=1, state="queued")]
    running = [TaskInstance(task_id="load", map_index=1, state="running", try_number=1)]
    done = [TaskInstance(task_id="load", map_index=1, state="success", try_number=2, duration=1.24)]
    assert list(progress.changes(queued)) == []
    assert list(progress.changes(running)) == ["- load[1]: running"]
    assert list(progress.changes(running)) == []
    assert list(progress.changes(done)) == ["- load[1]: success in 1.2 s, try 2"]


def test_follows_a_growing_log_by_whole_lines(logs):
    """Half a line waits for its end; nothing is told twice."""
    path = logs.directory / "task_id=fetch" / "attempt=1.log"
    path.write_text(record(event="one") + "\n" + record(event="two")[:10])
    assert [line.text for line in logs.news()] == ["one"]
    path.write_text(record(event="one") + "\n" + record(event="two") + "\n")
    assert [(line.task, line.text) for line in logs.news()] == [("fetch", "two")]
    assert list(logs.news()) == []


def test_a_line_that_is_no_record_is_passed_over():
    """Output of foreign libraries in a log does not end the run."""
    assert [read_line("t", text) for text in ("", "plain", "[1]", '{"a": 1}', "{")] == [None] * 5


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("x/task_id=rank/attempt=1.log", "rank"),
        ("x/task_id=load/map_index=12/attempt=3.log", "load[12]"),
        ("x/task_id=rank/notes.txt", None),
    ],
)
def test_knows_the_task_of_a_log(path, label):
    """The label of a log is the label of its task instance."""
    assert task_of(Path(path)) == label


def test_reports_the_reason_of_the_newest_failure(logs):
    """The exception's own words stand in the report, with the log to open."""
    path = logs.directory / "task_id=fetch" / "attempt=1.log"
    detail = [{"exc_type": "RateLimited", "exc_value": "try again in 9 s"}]
    failed = record(event="Task failed", level="error", error_detail=detail)
    path.write_text(f"{failed}\n{record(event='after', level='error')}\n")
    tasks = [
        TaskInstance(task_id="fetch", state="failed"),
        TaskInstance(task_id="x", state="upstream_failed"),
    ]
    report = failure_report(tasks, logs)
    assert report.splitlines() == ["  task fetch: RateLimited: try again in 9 s", f"    log: {path}"]
