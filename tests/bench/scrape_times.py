"""`python -m tests.bench.scrape_times DAYS ...`: fill Airflow's database, then time scrapes and pages."""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from fastapi.testclient import TestClient
from sqlalchemy import text

from include.clickhouse.schema import migrate
from include.monitoring.metrics import exposition
from include.monitoring.tables import DAG_IDS
from stagehouse.hooks.clickhouse_hook import ClickHouseHook
from tests.integration.monitoring.airflow_rows import AirflowRows

RUNS, TASKS = 30_000, 10
TIMES = 15
TABLES = (
    "repositories_positions",
    "repositories_authors_commits",
    "repositories_outcomes",
    "phrases_views_by_hour",
)
# One row is copied: only what tells it from others is new.
COPIES = """
INSERT INTO {table} SELECT (each.made).* FROM (
    SELECT jsonb_populate_record(t, jsonb_build_object({changes})) AS made
    FROM {table} t, generate_series(1, {count}) n) each
"""
AGO = "now() - ({}) * interval '1 minute'"
DAG = "('{{" + ",".join(DAG_IDS) + "}}'::text[])[1 + ({}) % " + str(len(DAG_IDS)) + "]"
NUMBER = f"n / {TASKS}"  # of a task's run
RUN = (
    f"'id', n + 1, 'dag_id', {DAG.format('n')}, 'run_id', 'r' || n, 'run_after', {AGO.format('n')}, "
    f"'end_date', {AGO.format('n')}"
)
TASK = (
    f"'id', gen_random_uuid(), 'dag_id', {DAG.format(NUMBER)}, 'run_id', 'r' || ({NUMBER}), "
    f"'task_id', 't' || (n % {TASKS}), 'end_date', {AGO.format(NUMBER)}, "
    "'state', CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'success' END"
)
# One task in twenty was tried again.
TRIED_AGAIN = """
INSERT INTO task_instance_history (task_instance_id, {columns})
SELECT gen_random_uuid(), {columns} FROM task_instance WHERE abs(hashtext(id::text)) % 20 = 0
"""


def fill_airflow() -> None:
    """Make Airflow's tables, with runs of years."""
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from airflow.settings import engine
    from airflow.utils.session import create_session

    import_all_models()
    Base.metadata.create_all(engine)
    both = {*TaskInstance.__table__.columns.keys()} & {*TaskInstanceHistory.__table__.columns.keys()}
    now = datetime.now(UTC)
    with create_session(scoped=False) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        rows = AirflowRows(session)
        for dag_id in DAG_IDS:
            rows.dag(dag_id)
            rows.run(dag_id, "r0", "success", now)
        session.execute(text("DELETE FROM dag_run WHERE dag_id != 'user_events'"))
        session.execute(text("UPDATE dag_run SET id = 1"))
        rows.task("user_events", "r0", "t0", "success", duration=1.0)
        session.execute(text(COPIES.format(table="dag_run", changes=RUN, count=RUNS)))
        session.execute(text(COPIES.format(table="task_instance", changes=TASK, count=RUNS * TASKS)))
        session.execute(text(TRIED_AGAIN.format(columns=", ".join(both))))
    with create_session(scoped=False) as session:
        session.execute(text("ANALYZE"))


def publish(days: int) -> None:
    """Record as many table-days as published."""
    now = datetime.now(UTC)
    each = -(-days // len(TABLES)) if days > 1 else 1
    rows = [
        (table, (now - timedelta(days=1 + ago)).date(), 300, 1, f"r{ago}", now.replace(tzinfo=None))
        for table in TABLES
        for ago in range(each)
    ]
    with ClickHouseHook().get_client() as clickhouse:
        migrate(clickhouse)
        clickhouse.execute("TRUNCATE TABLE loads")
        insert = "INSERT INTO loads (`table`, date, rows, checksum, run_id, published_at) VALUES"
        clickhouse.execute(insert, rows[:days])


def timed(work: Callable[[], object]) -> list[float]:
    """Return the seconds of each time, after one that does not count."""
    work()
    seconds = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return seconds


def main(sizes: list[int]) -> None:
    """Print the times as JSON."""
    from airflow.api_fastapi.core_api import security

    from stagehouse.ui.app import create_app

    class OfAll:
        def is_authorized_dag(self, **_: object) -> bool:
            return True

    fill_airflow()
    security.get_auth_manager = OfAll
    app = create_app()
    app.dependency_overrides[security.get_user] = lambda: "somebody"
    client = TestClient(app)
    found = {}
    for days in sizes:
        publish(days)
        facts = app.state.monitor.read()
        assert all(reading.up for reading in facts.readings), facts.readings
        found[f"scrape {days}"] = timed(lambda: exposition(app.state.monitor.read()))
        assert "repositories_positions" in client.get("/data/").text
        found[f"page {days}"] = timed(lambda: client.get("/data/").content)
    print(json.dumps(found))  # noqa: T201 - for who has started this


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
