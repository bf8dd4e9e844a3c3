"""What is read of Airflow's database: SQLite, and Postgres."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from include.monitoring.airflow_facts import LastRun, TaskCost
from include.monitoring.facts import midnight_after, unpublished_days
from stagehouse.ui.airflow_database import read_airflow, read_events
from tests.integration.monitoring.airflow_rows import AirflowRows

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAG = "github_top_repositories"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request, tmp_path_factory):
    """A database with Airflow's tables and nothing in them."""
    from airflow.models import import_all_models
    from airflow.models.base import Base

    import_all_models()
    url = f"sqlite:///{tmp_path_factory.mktemp('airflow')}/airflow.db"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        server.execute("CREATE DATABASE monitored")
        url = server.sqlalchemy_url("monitored")
    made = create_engine(url)
    Base.metadata.create_all(made)
    yield made
    made.dispose()
    if request.param == "postgresql":
        server.execute("DROP DATABASE monitored WITH (FORCE)")


@pytest.fixture
def rows(engine):
    """The same; what a test writes is gone when it ends."""
    with Session(engine) as session:
        if engine.dialect.name == "postgresql":  # rows that these refer to are of no interest
            session.execute(text("SET LOCAL session_replication_role = replica"))
        yield AirflowRows(session)


def test_nothing_is_there_yet(rows: AirflowRows):
    """An Airflow that has parsed nothing has no DAG, and no task that waits."""
    found = read_airflow(rows.session, NOW)
    assert (found.paused, found.last_runs, found.oldest_queued, found.import_errors) == ({}, {}, None, 0)


def test_dags_of_others_are_not_ours(rows: AirflowRows):
    """Nor are those whose files are gone."""
    rows.dag(DAG, paused=True)
    rows.dag("somebody_elses")
    rows.dag("user_events", stale=True)
    rows.run("somebody_elses", "r", "failed", NOW - HOUR)
    found = read_airflow(rows.session, NOW)
    assert (found.paused, found.recent_runs, found.last_runs) == ({DAG: True}, {}, {})


def test_runs(rows: AirflowRows):
    """Counts those that are not over, those of the last day, and tells of the last one what it cost."""
    rows.dag(DAG)
    for number, (state, end) in enumerate(
        [("success", NOW - 30 * HOUR), ("failed", NOW - 3 * HOUR), ("success", NOW - HOUR), ("running", None)]
    ):
        rows.run(DAG, f"r{number}", state, end, minutes=7)
    rows.task(DAG, "r2", "load", "success", duration=30.0, map_index=0)
    rows.task(DAG, "r2", "load", "success", duration=50.5, map_index=1, try_number=2)
    rows.task(DAG, "r1", "load", "failed", duration=1.0, end_date=NOW - 3 * HOUR)
    rows.task(DAG, "r0", "load", "failed", duration=1.0, end_date=NOW - 30 * HOUR)
    found = read_airflow(rows.session, NOW)
    assert found.open_runs == {(DAG, "running"): 1}
    assert found.recent_runs == {(DAG, "failed"): 1, (DAG, "success"): 1}
    assert found.last_runs == {DAG: LastRun(DAG, "r2", "success", NOW - HOUR, 420.0)}
    assert found.last_tasks == (TaskCost(DAG, "load", 50.5, 3),)
    assert found.recent_failures == {(DAG, "load"): 1}


def test_tasks_that_wait(rows: AirflowRows):
    """Since when, in which pool, and how many of its slots are left."""
    rows.dag(DAG)
    rows.pool("default_pool", 128)
    rows.run(DAG, "r", "running", None)
    rows.task(DAG, "r", "a", "queued", queued_dttm=NOW - 2 * HOUR)
    rows.task(DAG, "r", "b", "queued", queued_dttm=NOW - HOUR)
    rows.task(DAG, "r", "c", "running", pool_slots=3)
    found = read_airflow(rows.session, NOW)
    assert found.oldest_queued == NOW - 2 * HOUR
    assert found.tasks == {"queued": 2, "running": 1}
    pool = "default_pool"
    assert found.pools == {(pool, "total"): 128, (pool, "queued"): 2, (pool, "running"): 3}


def test_components(rows: AirflowRows):
    """Are alive until their last heartbeat, of whichever process."""
    for job_type, ago in (("SchedulerJob", 3), ("SchedulerJob", 1), ("DagProcessorJob", 2)):
        rows.heartbeat(job_type, NOW - ago * HOUR)
    found = read_airflow(rows.session, NOW)
    assert found.heartbeats == {"scheduler": NOW - HOUR, "dag_processor": NOW - 2 * HOUR}


def test_events(rows: AirflowRows):
    """Tell which days are whole, and rows by day; those of a day that was not over count as no whole day."""
    table, day = "repositories_positions", NOW.date() - timedelta(days=2)
    rows.event(DAG, "r1", NOW - 30 * HOUR, {"day": day.isoformat(), "rows": {table: 300, "other": 1}})
    rows.event(DAG, "r2", NOW, {"day": NOW.date().isoformat(), "rows": {table: 7}})
    rows.event("user_events", "r3", NOW - 2 * HOUR, {"days": ["2026-11-20"], "rows": 5})
    rows.event("user_events", "r4", NOW - HOUR, {"days": ["2026-11-20"], "rows": 6})
    rows.event("user_events", "r5", NOW - HOUR, "nothing that we write")
    rows.event("somebody_elses", "r", NOW, {"day": "2026-11-19", "rows": {table: 1}})
    for run_id in ("r6", "r7"):  # a day has many: none of them is the day
        rows.event("api_calls", run_id, NOW, {"day": "2026-11-20", "rows": {"api_calls": 50}})
    calls, positions, events = read_events(rows.session, NOW).tables
    assert (calls.table, calls.rows, calls.covered_until) == ("api_calls", {date(2026, 11, 20): 100}, None)
    assert (positions.table, positions.dag_id, positions.by_day) == (table, DAG, True)
    assert positions.covered_until == datetime(2026, 11, 19, tzinfo=UTC)
    assert (positions.published_at, positions.run_id) == (NOW, "r2")
    assert positions.rows == {day: 300, NOW.date(): 7}
    assert (events.table, events.run_id, events.rows) == ("user_events", "r4", {date(2026, 11, 20): 11})
    assert (events.covered_until, events.by_day) == (None, False)


def test_events_of_long_ago(rows: AirflowRows):
    """Tell of days as long as none is newer: a DAG that has stopped is later each day, and not forgotten."""
    table, day = "repositories_authors_commits", NOW.date() - timedelta(days=40)
    event = {"day": day.isoformat(), "rows": {table: 300}}
    rows.event(DAG, "r1", NOW - timedelta(days=39), event)
    rows.event("user_events", "r2", NOW - timedelta(days=39), {"rows": 5})
    (found,) = read_events(rows.session, NOW).tables
    assert (found.table, found.covered_until) == (table, midnight_after(day))
    assert unpublished_days(found, NOW) == 14
