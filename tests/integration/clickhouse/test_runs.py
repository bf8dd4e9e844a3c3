"""The table of runs: a plan and what it came to, one row a run whatever is repeated. On both engines."""

from datetime import UTC, date, datetime, timedelta

import pytest

from include.clickhouse.client import insert_rows
from include.clickhouse.fingerprint import Fingerprint
from include.clickhouse.loads import record_load
from include.github.plan import Plan, Window, Work, make_plan, rest_cost
from include.github.runs import (
    RecordedRun,
    extra_pages_of_a_repository,
    read_run,
    record_cost,
    record_plan,
)
from include.github.tables import OUTCOMES
from include.staging.manifest import Manifest
from include.staging.units import Unit

DAY, NOW = date(2026, 8, 20), datetime(2026, 8, 21, 0, 30, tzinfo=UTC)
RUN = {"dag_id": "some_dag", "run_id": "scheduled__2026-08-20 it's %s"}
WORK = Work(ranked=100, finished=0, left=58, spent=1, extra_pages=2.3)
PLANNED = RecordedRun(
    **RUN,
    date=DAY,
    top=100,
    api="rest",
    planned_at=NOW,
    requests_planned=62,
    seconds_planned=7,
    quota_left=50,
    fits=0,
)
FINISHED = PLANNED._replace(
    finished_at=NOW + timedelta(hours=1),
    requests=64,
    points=3,
    retries=2,
    unchanged=1,
    seconds=600,
    seconds_waited=590,
)


def plan(work: Work = WORK, quota: int = 50) -> Plan:
    """The plan of PLANNED."""
    return make_plan("rest", work, rest_cost(work), [Window(quota, 60, NOW)], 0.1, NOW)


def manifest() -> Manifest:
    """What the run staged ten minutes after its plan, eleven after its list was read."""
    ranked_at = (NOW - timedelta(minutes=1)).isoformat()
    facts = {"top": 100, "ranked_at": ranked_at, "requests": 64, "points": 3, "retries": 2}
    facts |= {"unchanged": 1, "waited_s": 589.9}
    written_at = NOW + timedelta(minutes=10)
    return Manifest(**RUN, day=DAY, host="host", written_at=written_at, tables={}, facts=facts)


def planned(clickhouse, made: Plan | None = None, **options) -> None:
    """Record a plan of RUN."""
    record_plan(
        clickhouse, RUN, DAY, 100, made or plan(), plan_only=False, check_lease=lambda: None, **options
    )


def finished(clickhouse) -> None:
    """Record what RUN has cost."""
    record_cost(clickhouse, manifest(), NOW + timedelta(hours=1), lambda: None)


def rows(clickhouse) -> int:
    """How many rows readers see."""
    return clickhouse.execute("SELECT count() FROM runs FINAL")[0][0]


def test_the_cost_comes_beside_the_plan(clickhouse):
    """In one row of the run, also when each is written twice; other runs and days are other rows."""
    assert read_run(clickhouse, DAY, RUN["run_id"]) is None
    for _ in range(2):
        planned(clickhouse)
    assert read_run(clickhouse, DAY, RUN["run_id"]) == PLANNED
    for _ in range(2):
        finished(clickhouse)
    assert read_run(clickhouse, DAY, RUN["run_id"]) == FINISHED
    assert rows(clickhouse) == 1
    assert (
        read_run(clickhouse, DAY, "another") is read_run(clickhouse, date(2026, 8, 19), RUN["run_id"]) is None
    )


def test_a_plan_of_the_rest_leaves_the_plan_of_the_whole(clickhouse):
    """Of a task that is cleared or tried again; where nothing was finished yet, the newer plan counts."""
    planned(clickhouse, plan(quota=5))
    planned(clickhouse)
    planned(clickhouse, plan(WORK._replace(finished=50, left=8, spent=52)))
    assert read_run(clickhouse, DAY, RUN["run_id"]) == PLANNED
    finished(clickhouse)
    planned(clickhouse, plan(WORK._replace(finished=58, left=0, spent=64)))
    assert read_run(clickhouse, DAY, RUN["run_id"]) == FINISHED


def test_a_run_planned_anew_keeps_what_it_has_published(clickhouse):
    """Its staging was lost, so it is planned as a whole; the cost stays until it publishes again."""
    planned(clickhouse, plan(quota=5))
    finished(clickhouse)
    planned(clickhouse)
    assert read_run(clickhouse, DAY, RUN["run_id"]) == FINISHED


def test_a_run_that_began_with_an_older_version(clickhouse):
    """Has a cost without a plan; where even the table is not there, a warning and no row."""
    finished(clickhouse)
    found = read_run(clickhouse, DAY, RUN["run_id"])
    assert (found.is_planned, found.is_finished, found.requests) == (False, True, 64)
    planned(clickhouse, plan(WORK._replace(finished=50, left=8, spent=52)))
    assert read_run(clickhouse, DAY, RUN["run_id"]).requests_planned == 52 + 8 + 3


def test_without_the_table_a_run_goes_on(clickhouse, caplog):
    """Its task `tables` ran before an upgrade: a warning says that the figures are not kept."""
    clickhouse.execute("DROP TABLE runs")
    planned(clickhouse)
    finished(clickhouse)
    assert read_run(clickhouse, DAY, RUN["run_id"]) is None
    assert caplog.text.count("This run began before the table was made") == 2


def test_nothing_is_written_without_the_lease(clickhouse):
    """Another may plan or publish by now."""

    def lost() -> None:
        raise PermissionError

    for write in (
        lambda: record_plan(clickhouse, RUN, DAY, 100, plan(), plan_only=False, check_lease=lost),
        lambda: record_cost(clickhouse, manifest(), NOW, lost),
    ):
        with pytest.raises(PermissionError):
            write()
    assert rows(clickhouse) == 0


def test_further_pages_are_expected_as_on_the_newest_published_day(clickhouse):
    """Of the repositories that were asked: one of 100 commits has no second page, one of 101 has."""
    assert extra_pages_of_a_repository(clickhouse) == 0
    for day, commits in ((DAY, (0, 1, 100, 101, 1000)), (DAY - timedelta(days=1), (5000,))):
        found = [(day, f"a/{n}", "ok", count, 1) for n, count in enumerate(commits)]
        found.append((day, "b/b", "unpushed", 0, 0))
        insert_rows(clickhouse, OUTCOMES.name, list(OUTCOMES.columns), [found])
    assert extra_pages_of_a_repository(clickhouse) == 0  # neither is published
    six = Fingerprint(rows=6, keys=6, checksum=1)
    for day in (DAY, DAY - timedelta(days=1)):
        record_load(clickhouse, OUTCOMES.name, Unit.of_day(day), six, "run", NOW)
    assert extra_pages_of_a_repository(clickhouse) == pytest.approx((0 + 0 + 0 + 1 + 9) / 5)
