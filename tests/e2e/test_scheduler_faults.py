"""What goes wrong around the tasks, in a real scheduler: killed supervisors, clears, many days at once."""

import signal
from collections import Counter
from datetime import timedelta

import pytest

from include.github_stand_in.faults import Fault
from tests.e2e.conftest import BY_REST, MAIN, assert_paced, is_at_work, stored
from tests.e2e.recorded_truth import read_truth
from tests.e2e.test_main_job import assert_is

pytestmark = pytest.mark.e2e
TOP = 150
MESSAGE = b'{"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}'


def begun(stack, github) -> str:
    """A run whose fetch has been at work for a while."""
    before = len(github.requests())
    run_id = stack.trigger(top=TOP, **BY_REST)
    stack.wait_until(lambda: len(github.requests(before)) >= 40)
    return run_id


def assert_published(stack, github, refused: int = 0) -> None:
    """The day is exact, and nothing is left of any try; requests that were refused are counted too."""
    day, found = github.last_day, stored(stack, github.last_day)
    truth = read_truth(github.data, top=TOP, day=day, last_day=day)
    assert (
        sum(outcome[-1] for outcome in found["outcomes"])
        == sum(each[-1] for each in truth.outcomes) + refused
    )
    assert {outcome[:-1] for outcome in found["outcomes"]} == {each[:-1] for each in truth.outcomes}
    assert_is(found | {"outcomes": truth.outcomes}, truth)
    assert stack.rows("SELECT name FROM system.tables WHERE name LIKE '%__stg_%'") == []


def tries(stack, run_id: str) -> dict[str, int]:
    """How often each task was tried."""
    return {task.task_id: task.try_number for task in stack.tasks(run_id)}


def test_a_killed_supervisor_leaves_two_tries_and_one_budget(running_stack, recorded_github):
    """The process lives on without its supervisor; the next try takes turns with it; the rows are exact."""
    before = len(recorded_github.requests())
    # Waits that are short enough to stay in the process, again and again until the next try is there.
    told_to_wait = Fault(
        r"/commits", after=60, times=None, status=403, headers={"Retry-After": "28"}, body=MESSAGE
    )
    recorded_github.faults.add(told_to_wait)
    run_id = begun(running_stack, recorded_github)
    (fetching,) = running_stack.processes_of(MAIN, "fetch")
    running_stack.wait_until(lambda: recorded_github.requests(before)[-1].status == 403)
    fetching.parent().send_signal(signal.SIGKILL)
    fetch_begins_anew = lambda: (  # noqa: E731
        tries(running_stack, run_id)["fetch"] == 2
        and running_stack.states(run_id)["fetch"] in {"running", "up_for_reschedule"}
    )
    running_stack.wait_until(fetch_begins_anew)
    assert is_at_work(fetching)
    recorded_github.faults.clear()
    assert running_stack.wait(run_id) == "success", running_stack.states(run_id)
    assert tries(running_stack, run_id)["fetch"] == 2
    requests = recorded_github.requests(before)
    assert_published(running_stack, recorded_github, refused=sum(each.status == 403 for each in requests))
    assert_paced(requests)
    assert max(request.in_flight for request in requests) <= 5


def test_the_api_server_is_away(running_stack, recorded_github):
    """Killed in the middle of a fetch and away for 20 s: tasks ask again, or are tried again."""
    run_id = begun(running_stack, recorded_github)
    assert running_stack.states(run_id)["fetch"] == "running"
    running_stack.take_away("api-server", down_s=20)
    assert running_stack.wait(run_id) == "success", running_stack.states(run_id)
    assert_published(running_stack, recorded_github)


def test_a_restarted_scheduler_goes_on(running_stack, recorded_github):
    """SIGKILL of the scheduler with all its workers: the next one tries again what they had."""
    run_id = begun(running_stack, recorded_github)
    (fetching,) = running_stack.processes_of(MAIN, "fetch")
    running_stack.take_away("scheduler", down_s=1)
    assert not is_at_work(fetching)
    assert running_stack.wait(run_id) == "success", running_stack.states(run_id)
    assert_published(running_stack, recorded_github)


@pytest.mark.parametrize("count", [6, pytest.param(30, marks=pytest.mark.slow)])
def test_many_days_ten_at_a_time(running_stack, recorded_github, count):
    """A backfill passes over the DAG's one run at a time: every day is exact, and the budget is one."""
    last = recorded_github.last_day - timedelta(days=2)
    days = [last - timedelta(days=back) for back in range(count)]
    before, top, asked = len(recorded_github.requests()), 10, 0
    runs = running_stack.backfill(
        MAIN, days[-1], last, max_active_runs=10, dag_run_conf={"top": top} | BY_REST
    )
    assert len(runs) >= count  # of this backfill, and of those before
    assert {run["state"] for run in runs} == {"success"}
    for day in days:
        found = stored(running_stack, day)
        truth = read_truth(recorded_github.data, top=top, day=day, last_day=recorded_github.last_day)
        asked += truth.requests
        assert found["positions"] == []
        assert Counter(found["commits"]) == Counter(truth.commits)
        assert Counter(found["outcomes"]) == Counter(truth.outcomes)
    requests = recorded_github.requests(before)
    assert_paced(requests)
    assert max(request.in_flight for request in requests) <= 5
    assert len(requests) == asked
