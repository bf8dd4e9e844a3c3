"""The main job through a real scheduler on recorded answers, against an independent reading of them."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from include.github_stand_in.faults import Fault
from include.local_stack.errors import StackError
from tests.e2e.conftest import BY_REST, MAIN, assert_paced, stored
from tests.e2e.recorded_truth import Truth, read_truth
from tests.servers.github_schema import SCHEMA_IF_THERE

pytestmark = pytest.mark.e2e
TOP = 300


def assert_is(found: dict[str, list[tuple]], truth: Truth) -> None:
    """Row by row, and no row twice."""
    assert Counter(found["positions"]) == Counter(truth.positions)
    assert Counter(found["commits"]) == Counter(truth.commits)
    assert Counter(found["outcomes"]) == Counter(truth.outcomes)


def is_current(day: date, moment: str) -> bool:
    """Whether stars of then may be stored for a day: for that of the moment, and for the one before."""
    return day >= datetime.fromisoformat(moment).date() - timedelta(days=1)


def test_unpausing_runs_the_day_that_was_due(running_stack, recorded_github):
    """The schedule makes one run, for the day before it was due; it asks GraphQL, for there is a token."""
    assert running_stack.scheduled, "the run by schedule did not end"
    run, found, requests = running_stack.scheduled
    due = datetime.fromisoformat(run["run_after"])
    day = due.date() - timedelta(days=1)
    assert run["partition_key"].startswith(day.isoformat())
    assert (due.hour, due.minute) == (0, 30)
    assert run["state"] == "success", running_stack.states(run["dag_run_id"])
    truth = read_truth(recorded_github.data, top=100, day=day, last_day=recorded_github.last_day)
    if not is_current(day, run["start_date"]) or not (is_current(day, run["end_date"]) or found["positions"]):
        # Just after midnight the newest day that is due is the one before yesterday: positions of then nobody
        # tells. So it is where midnight passes while the run is at work, before or after it has asked.
        truth = replace(truth, positions=[])
    assert {row[:-1] for row in found["outcomes"]} == {row[:-1] for row in truth.outcomes}
    assert sum(row[-1] for row in found["outcomes"]) == len(requests) - 1
    assert_is(found | {"outcomes": truth.outcomes}, truth)
    assert Counter(found["repositories"]) == Counter(truth.repositories)
    assert [request.path_qs[:8] for request in requests[:2]] == ["/search/", "/graphql"]
    if SCHEMA_IF_THERE:  # else each of its answers was 404, and REST was asked
        assert len(requests) <= 8
        assert {request.status for request in requests} == {200}


def test_a_run_by_hand_stores_the_day_row_by_row(running_stack, recorded_github):
    """More repositories than before, by REST: the fewest requests within the rate, the day replaced whole."""
    day, before = recorded_github.last_day, len(recorded_github.requests())
    running_stack.run(top=TOP, **BY_REST)
    truth = read_truth(recorded_github.data, top=TOP, day=day, last_day=day)
    assert len(truth.commits) > 10
    assert_is(stored(running_stack, day), truth)
    of_day = f"WHERE date = '{day}' AND table LIKE 'repositories_%'"
    loads = running_stack.rows(f"SELECT table, rows FROM loads FINAL {of_day} ORDER BY table")
    assert loads == [
        ("repositories_authors_commits", len(truth.commits)),
        ("repositories_outcomes", TOP),
        ("repositories_positions", TOP),
    ]
    requests = recorded_github.requests(before)
    assert len(requests) == truth.requests
    assert {request.status for request in requests} <= {200, 304}  # the run before searched by REST too
    assert_paced(requests)
    assert max(request.in_flight for request in requests) <= 5


def test_a_killed_fetch_goes_on_where_it_was(running_stack, recorded_github):
    """SIGKILL in the middle: the retry asks only for what was not finished, and the rows are exact."""
    day, before = recorded_github.last_day, len(recorded_github.requests())
    run_id = running_stack.trigger(top=TOP - 50, **BY_REST)
    running_stack.wait_until(lambda: len(recorded_github.requests(before)) >= 40)
    (fetching,) = running_stack.processes_of(MAIN, "fetch")
    fetching.kill()
    assert running_stack.wait(run_id) == "success", running_stack.states(run_id)
    assert {t.task_id: t.try_number for t in running_stack.tasks(run_id)}["fetch"] == 2
    truth = read_truth(recorded_github.data, top=TOP - 50, day=day, last_day=day)
    assert_is(stored(running_stack, day), truth)
    asked = Counter(request.path_qs for request in recorded_github.requests(before))
    again = [path for path, times in asked.items() if times > 1]
    assert len(again) <= 5, "only requests in flight at the kill may be asked again"
    assert sum(asked.values()) <= truth.requests + 5


def test_a_long_limit_gives_the_slot_back_and_the_fetch_goes_on_after_it(running_stack, recorded_github):
    """Told to come back in 35 s, the task leaves its slot, spends no try, asks nothing before, ends well."""
    day, before = recorded_github.last_day, len(recorded_github.requests())
    message = b'{"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}'
    refusal = Fault(r"/commits", after=20, status=403, headers={"Retry-After": "35"}, body=message)
    recorded_github.faults.add(refusal)
    run_id = running_stack.trigger(top=TOP - 150, **BY_REST)
    running_stack.wait_until(lambda: running_stack.states(run_id).get("fetch") == "up_for_reschedule")
    assert running_stack.wait(run_id) == "success", running_stack.states(run_id)
    recorded_github.faults.clear()
    assert {t.task_id: t.try_number for t in running_stack.tasks(run_id)}["fetch"] == 1
    truth = read_truth(recorded_github.data, top=TOP - 150, day=day, last_day=day)
    assert_is(stored(running_stack, day), truth)
    requests = sorted(recorded_github.requests(before), key=lambda request: request.at_s)
    refused_at = next(request.at_s for request in requests if request.status == 403)
    later = [r.at_s for r in requests if r.at_s > refused_at + 1]
    assert min(later) >= refused_at + 35
    assert len(requests) == truth.requests + 1


def test_the_same_day_again_gives_the_same_rows(running_stack, recorded_github):
    """As often as it ran, now with a longer list than before: the day is the list's, whole."""
    day = recorded_github.last_day
    running_stack.run(top=TOP, day=day.isoformat(), **BY_REST)
    truth = read_truth(recorded_github.data, top=TOP, day=day, last_day=day)
    assert_is(stored(running_stack, day), truth)


def test_a_backfilled_day_gets_its_commits_and_no_stars_of_today(running_stack, recorded_github):
    """Commits of then are facts; positions of then are not to be had."""
    day, yesterday = recorded_github.last_day - timedelta(days=7), recorded_github.last_day
    before = stored(running_stack, yesterday)
    running_stack.run(top=TOP, day=day.isoformat(), **BY_REST)
    found, truth = (
        stored(running_stack, day),
        read_truth(recorded_github.data, top=TOP, day=day, last_day=yesterday),
    )
    assert found["positions"] == []
    assert Counter(found["commits"]) == Counter(truth.commits)
    assert Counter(found["outcomes"]) == Counter(truth.outcomes)
    assert stored(running_stack, yesterday) == before


@pytest.mark.slow
def test_a_plan_alone_is_green_and_publishes_nothing(running_stack, recorded_github):
    """Nothing after it runs; cleared and planned again, the run has one row and its list is read once."""
    run_id = running_stack.run(top=30, plan_only=True, **BY_REST)
    for again in (False, True):
        if again:
            running_stack.clear(run_id, "plan", with_all_after=True)
            assert running_stack.wait(run_id) == "success", running_stack.states(run_id)
        states = running_stack.states(run_id)
        skipped = [task for task, state in states.items() if state == "skipped"]
        assert sorted(skipped) == ["check", "fetch", "load", "publish", "render"]
        assert set(states.values()) == {"success", "skipped"}
        row = f"SELECT `top`, plan_only, requests FROM runs FINAL WHERE run_id = '{run_id}'"
        assert running_stack.rows(row) == [(30, 1, 0)]
    assert sum("per_page=30&" in request.path_qs for request in recorded_github.requests()) == 1
    assert running_stack.rows(f"SELECT count() FROM loads WHERE run_id = '{run_id}'") == [(0,)]


@pytest.mark.parametrize(
    ("params", "word"), [({"top": 100_001}, "100000"), ({"top": 0}, "1"), ({"query": "x" * 257}, "query")]
)
def test_params_out_of_range_are_refused_at_the_trigger(running_stack, recorded_github, params, word):
    """Airflow answers 400 with the limit in it; nothing starts."""
    before = len(recorded_github.requests())
    with pytest.raises(StackError, match=f"400.*{word}"):
        running_stack.airflow.trigger(MAIN, params)
    assert len(recorded_github.requests()) == before


@pytest.mark.parametrize("params", [{"day": "2999-01-01"}, {"tpo": 5}, {"day": "2026-02-30"}])
def test_what_a_form_cannot_refuse_the_first_task_does(running_stack, recorded_github, params):
    """The run is red at its first task, without retries, before a request, a file or a statement."""
    before, staged = len(recorded_github.requests()), sorted(running_stack.stack.state.staging.rglob("*"))
    run_id = running_stack.airflow.trigger(MAIN, params)
    assert running_stack.wait(run_id) == "failed"
    states = running_stack.states(run_id)
    assert states["postgres_health"] == "failed"
    assert set(states.values()) == {"failed", "upstream_failed"}
    assert len(recorded_github.requests()) == before
    assert sorted(running_stack.stack.state.staging.rglob("*")) == staged


def test_no_secret_of_the_stack_is_shown(running_stack):
    """The token of GitHub, the password of the UI, the keys of Airflow; asked again when the stack ends."""
    running_stack.require_no_secret()
