"""A single task is cleared, in each state that tasks of ours are in: exact rows, and nothing asked twice."""

from collections import Counter
from datetime import date, timedelta

import pytest

from include.github_stand_in.faults import Fault
from include.local_stack.phrase_views import IMPORT, REPORT, deliver_sample
from tests.e2e.conftest import BY_REST, MAIN, stored
from tests.e2e.counters_truth import read_truth as read_counters
from tests.e2e.recorded_truth import read_truth
from tests.e2e.reported_days import Reported
from tests.e2e.test_main_job import assert_is
from tests.e2e.test_scheduler_faults import MESSAGE, assert_published, begun, tries

pytestmark = pytest.mark.e2e
TOP = 150
TASKS = {
    MAIN: ("postgres_health", "tables", "rank", "plan", "fetch", "load", "publish", "check", "render"),
    IMPORT: ("postgres_health", "tables", "stage", "load", "publish", "check"),
    REPORT: ("postgres_health", "tables", "report", "publish", "render", "check"),
}
WAITING, RUNNING, ENDED = {"scheduled", "queued"}, {"running"}, {"success"}


def cleared_on_the_way(stack, dag_id: str, **params: object) -> list[str]:
    """Clear each task of a new run when it waits for a process and when it runs; return the states seen."""
    run_id, cleared = stack.trigger(dag_id, **params), []

    def caught(task_id: str, wanted: set[str]) -> bool:
        states = {task.state for task in stack.tasks(run_id, dag_id) if task.task_id == task_id}
        if "restarting" in states or not states & (wanted | ENDED):
            return False
        stack.clear(run_id, task_id, dag_id)
        cleared.extend(states)
        return True

    for task_id in TASKS[dag_id]:
        for wanted in (WAITING | RUNNING, RUNNING):
            stack.wait_until(lambda: caught(task_id, wanted))  # noqa: B023
    assert stack.wait(run_id, dag_id) == "success", stack.states(run_id, dag_id)
    return cleared


def assert_counters(stack, day: date, samples: list[str]) -> None:
    """The table has each sample of the files once."""
    of_days = (
        f"WHERE dt >= '{day - timedelta(days=1)} 00:00:00' AND dt < '{day + timedelta(days=1)} 00:00:00'"
    )
    columns = "concat(toString(campaign_id), ',', phrase, ',', toString(views), ',', toString(dt))"
    found = stack.rows(f"SELECT {columns} FROM phrases_views FINAL {of_days}")
    assert Counter(row for (row,) in found) == Counter(samples)


def assert_reported(stack, day: date, truth: list[tuple]) -> None:
    """The table has each row of the report once."""
    columns = "campaign_id, phrase, hour, views, flags"
    rows = stack.rows(f"SELECT {columns} FROM phrases_views_by_hour WHERE date = '{day}'")
    assert Counter(rows) == Counter(truth)


@pytest.mark.slow
def test_tasks_of_the_main_job_on_their_way(running_stack, recorded_github):
    """Each is cleared while it waits and while it runs: the rows are exact, finished work is not repeated."""
    before = len(recorded_github.requests())
    cleared = cleared_on_the_way(running_stack, MAIN, top=TOP, **BY_REST)
    assert Counter(cleared)["running"] >= len(TASKS[MAIN]) / 2
    assert WAITING & set(cleared)
    assert_published(running_stack, recorded_github)
    asked = Counter(request.path_qs for request in recorded_github.requests(before))
    assert sum(times > 1 for times in asked.values()) <= 5


@pytest.mark.slow
def test_tasks_of_an_import_and_a_report_on_their_way(running_stack, recorded_github, reported: Reported):
    """Each is cleared while it waits and while it runs: each sample is there once, and each row."""
    day = recorded_github.last_day - timedelta(days=30)
    params = deliver_sample(running_stack.stack.state, day)
    cleared = cleared_on_the_way(running_stack, IMPORT, **params)
    file = running_stack.stack.state.inbox / str(params["path"])
    assert_counters(running_stack, day, file.read_text().splitlines()[1:])
    cleared += cleared_on_the_way(running_stack, REPORT, day=day.isoformat())
    assert_reported(running_stack, day, read_counters([file], day))
    assert Counter(cleared)["running"] >= len(TASKS[IMPORT] + TASKS[REPORT]) / 2
    assert WAITING & set(cleared)


@pytest.mark.slow
def test_tasks_of_a_finished_main_job(running_stack, recorded_github):
    """Alone, without those after it: green again, the same rows, nothing asked that is known."""
    run_id = running_stack.run(top=TOP, **BY_REST)
    day, before = recorded_github.last_day, len(recorded_github.requests())
    truth = read_truth(recorded_github.data, top=TOP, day=day, last_day=day)
    for task_id in TASKS[MAIN]:
        running_stack.clear(run_id, task_id)
        assert running_stack.wait(run_id) == "success", (task_id, running_stack.states(run_id))
        assert tries(running_stack, run_id)[task_id] == 2
        assert_is(stored(running_stack, day), truth)
    assert recorded_github.requests(before) == []


@pytest.mark.slow
def test_tasks_of_a_finished_import_and_report(running_stack, reported: Reported):
    """Alone, without those after it: green again, and the same rows."""
    imported = running_stack.runs("manual", IMPORT)[0]["dag_run_id"]
    for dag_id, run_id in ((IMPORT, imported), (REPORT, reported.by_hand)):
        for task_id in TASKS[dag_id]:
            running_stack.clear(run_id, task_id, dag_id)
            ended = running_stack.wait(run_id, dag_id)
            assert ended == "success", (task_id, running_stack.states(run_id, dag_id))
            assert_reported(running_stack, reported.first, reported.truth[reported.first])


def test_a_task_that_waits_to_be_tried_again(running_stack, recorded_github):
    """Killed, it waits for its next try; cleared, it does not wait, and goes on where it was."""
    before = len(recorded_github.requests())
    run_id = begun(running_stack, recorded_github)
    (fetching,) = running_stack.processes_of(MAIN, "fetch")
    fetching.kill()
    running_stack.wait_until(lambda: running_stack.states(run_id)["fetch"] == "up_for_retry")
    running_stack.clear(run_id, "fetch")
    assert running_stack.wait(run_id) == "success", running_stack.states(run_id)
    assert_published(running_stack, recorded_github)
    asked = Counter(request.path_qs for request in recorded_github.requests(before))
    assert sum(times > 1 for times in asked.values()) <= 5


def test_a_task_that_has_given_its_slot_back(running_stack, recorded_github):
    """Told to wait, it waits without a process; cleared, it still asks nothing before the limit is over."""
    before = len(recorded_github.requests())
    wait = {"Retry-After": "35"}
    recorded_github.faults.add(Fault(r"/commits", after=20, status=403, headers=wait, body=MESSAGE))
    run_id = running_stack.trigger(top=TOP, **BY_REST)
    running_stack.wait_until(lambda: running_stack.states(run_id).get("fetch") == "up_for_reschedule")
    running_stack.clear(run_id, "fetch")
    assert running_stack.wait(run_id) == "success", running_stack.states(run_id)
    assert tries(running_stack, run_id)["fetch"] == 2
    assert_published(running_stack, recorded_github)
    requests = recorded_github.requests(before)
    refused_at = next(request.at_s for request in requests if request.status == 403)
    assert min(r.at_s for r in requests if r.at_s > refused_at + 1) >= refused_at + 35


@pytest.mark.slow
def test_a_failed_task_and_one_whose_upstream_failed(running_stack, recorded_github):
    """One after the failed one does nothing alone; the failed one with all after it makes the day exact."""
    day = recorded_github.last_day
    running_stack.run(top=10, **BY_REST)
    old = stored(running_stack, day)
    recorded_github.faults.add(
        Fault(r"/commits", after=20, status=401, body=b'{"message": "Bad credentials"}')
    )
    run_id = running_stack.trigger(top=TOP, **BY_REST)
    assert running_stack.wait(run_id) == "failed"
    assert running_stack.states(run_id)["fetch"] == "failed"
    running_stack.clear(run_id, "publish")
    assert running_stack.wait(run_id) == "failed"
    assert running_stack.states(run_id)["publish"] == "upstream_failed"
    assert stored(running_stack, day) == old
    recorded_github.faults.clear()
    running_stack.clear(run_id, "fetch", with_all_after=True)
    assert running_stack.wait(run_id) == "success", running_stack.states(run_id)
    assert_published(running_stack, recorded_github)
