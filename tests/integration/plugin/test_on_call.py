"""What a real Prometheus tells of real runs, one of them red: panels have answers, faults have alerts.

The runs are of the day of the tests' clock. Prometheus has the machine's, and so have the days that are late.
"""

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Producer

from include.kafka_stand_in.__main__ import produce
from include.kafka_stand_in.sample import messages
from include.monitoring.dashboard import PANELS
from tests.clock import now, run_by_clock
from tests.dags.dag_runs import parsed, states
from tests.dags.sample_github import sample_github
from tests.integration.monitoring.airflow_rows import AirflowRows
from tests.integration.plugin.conftest import METRICS_TOKEN
from tests.servers.prometheus import Prometheus, running_prometheus

RULES = Path(__file__).resolve().parents[3] / "include" / "monitoring" / "prometheus" / "alerts.yml"
SOON_S = 20.0
MAIN, EVENTS, IMPORT = "github_top_repositories", "user_events", "phrases_views_import"


@pytest.fixture
def kafka() -> Producer:
    """A cluster with messages that nobody has read."""
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 2})
    produce(producer, messages(0, 60, now()))
    return producer


@pytest.fixture
def place(monitored, postgres_server, kafka: Producer, tmp_path: Path) -> Iterator[None]:
    """Connections of runs."""
    (broker,) = kafka.list_topics(timeout=10).brokers.values()
    options = {"bootstrap.servers": f"127.0.0.1:{broker.port}", "group.id": "on-call"}
    with sample_github() as github:
        fast = {"requests_per_second": 500, "max_concurrent_requests": 10}
        for name, value in {
            "CONN_POSTGRES_DEFAULT": postgres_server.airflow_connection(),
            "CONN_GITHUB_DEFAULT": json.dumps({"conn_type": "github", "host": github.url, "extra": fast}),
            "CONN_KAFKA_DEFAULT": json.dumps({"conn_type": "kafka", "extra": options}),
            "VAR_REPORTS_ROOT": str(tmp_path / "reports"),
            "VAR_PUBLISHED_BY_HOUR": '{"phrase_views_report": 0}',
        }.items():
            monitored.setenv(f"AIRFLOW_{name}", value)
        restarts = tmp_path / "restarts.json"
        restarts.write_text('{"scheduler": 1}')
        monitored.setenv("STAGEHOUSE_RESTARTS", str(restarts))
        yield


@pytest.fixture
def runs(place: None, root: Path) -> str:
    """Two green runs, and one that finds no file. Returns the first one's id."""
    ranked = run_by_clock(parsed(root, MAIN), top=5)
    assert set(states(ranked).values()) == {"success"}
    read = run_by_clock(parsed(root, EVENTS))
    assert "failed" not in states(read).values()
    assert "failed" in states(run_by_clock(parsed(root, IMPORT), path="none.tsv")).values()
    return ranked.run_id


@pytest.fixture
def url(runs: str) -> Iterator[str]:
    """The app behind a port, as the API server has it."""
    import uvicorn
    from airflow.api_fastapi.core_api import security

    from stagehouse.ui.app import create_app

    class OfAll:
        def is_authorized_dag(self, **_: object) -> bool:
            return True

    app = create_app()
    app.dependency_overrides[security.get_user] = lambda: "somebody"
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(security, "get_auth_manager", OfAll)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def prometheus(url: str, tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus that asks often, and whose alerts do not wait for minutes."""
    rules = re.sub(r"for: \d+m", "for: 0s", RULES.read_text())
    (tmp_path / "alerts.yml").write_text(rules)
    (tmp_path / "token").write_text(METRICS_TOKEN)
    job = {
        "job_name": "stagehouse",
        "metrics_path": "/metrics",
        "authorization": {"credentials_file": str(tmp_path / "token")},
        "static_configs": [{"targets": [url]}],
    }
    often = {"scrape_interval": "4s", "scrape_timeout": "4s", "evaluation_interval": "1s"}
    config = {"global": often, "rule_files": [str(tmp_path / "alerts.yml")], "scrape_configs": [job]}
    with running_prometheus(config, tmp_path) as running:
        yield running


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def sources_down(prometheus: Prometheus) -> list[str]:
    """Return which sources the newest scrape could not read."""
    return [each["metric"]["source"] for each in prometheus.query("stagehouse_source_up == 0")]


def page(url: str) -> str:
    """Return what the page says, without its marks."""
    text = httpx.get(f"http://{url}/data/", headers={"accept": "text/html"}, timeout=20).text
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


@pytest.fixture
def insert(clickhouse_server, clickhouse_database) -> Callable[..., None]:
    """Return what writes rows into ClickHouse: table, columns, then the rows as SQL."""

    def insert(table: str, columns: str, *rows: str) -> None:
        into = f"INSERT INTO {clickhouse_database}.{table} ({columns})"
        clickhouse_server.execute(f"{into} VALUES {', '.join(rows)}")

    return insert


def publish_what_is_wrong(insert: Callable[..., None], time_now: datetime) -> None:
    """Record a table whose rows are halved, one that is late, and a source that was read three hours ago."""
    yesterday, at = time_now.date() - timedelta(days=1), f"{time_now:%Y-%m-%d %H:%M:%S}"
    before = [(yesterday - timedelta(days=ago)).isoformat() for ago in range(1, 8)]
    halved = [f"('repositories_outcomes', '{day}', 1000, 1, 'r', '{at}')" for day in before]
    halved.append(f"('repositories_outcomes', '{yesterday}', 499, 1, 'r', '{at}')")
    late = [f"('phrases_views_by_hour', '{day}', 5, 1, 'r', '{at}')" for day in before]
    insert("loads", "`table`, date, rows, checksum, run_id, published_at", *halved, *late)
    behind = f"{time_now - timedelta(hours=3):%Y-%m-%d %H:%M:%S}"
    columns = "source, version, run_id, tables, taken_at"
    insert("source_snapshots", columns, f"('shop', 1, 'r', '{{}}', '{behind}')")


def be_alive(session, time_now: datetime) -> None:
    """Let components have a heartbeat, and the DAG of the shop be there."""
    from airflow.jobs.job import Job
    from airflow.models.dag import DagModel
    from sqlalchemy import delete, update

    session.execute(delete(Job))
    for component in ("SchedulerJob", "DagProcessorJob"):
        AirflowRows(session).heartbeat(component, time_now)
    if session.get(DagModel, "shop_sync") is None:
        AirflowRows(session).dag("shop_sync", bundle="shop_sync")
    shop = update(DagModel).where(DagModel.dag_id == "shop_sync")
    session.execute(shop.values(is_paused=False, is_stale=False))


def test_faults_are_seen(
    prometheus: Prometheus, url: str, runs: str, kafka: Producer, insert, clickhouse_server
):
    """Each by its alert, its metric and the page, in the middle of what is well."""
    from airflow.jobs.job import Job
    from airflow.utils.session import create_session
    from sqlalchemy import update

    time_now = datetime.now(UTC)
    publish_what_is_wrong(insert, time_now)
    produce(kafka, messages(60, 40, now()))
    with create_session() as session:
        be_alive(session, time_now)

    # Each panel has an answer.
    wait_until(
        lambda: (
            prometheus.query("stagehouse_kafka_lag_messages")
            and prometheus.query("stagehouse_table_day_late")
        )
    )
    asked = [expression for panel in PANELS for _, expression in panel.targets]
    assert [expression for expression in asked if not prometheus.query(expression)] == []
    lag = prometheus.query(f'sum(stagehouse_kafka_lag_messages{{dag_id="{EVENTS}"}})')
    assert float(lag[0]["value"][1]) > 0

    # A run that is red, rows that are halved, a day that is missing, a source that is behind.
    expected = {"LastRunFailed", "RowsDropped", "DayLate", "SourceBehind"}
    wait_until(lambda: set(prometheus.alerts()) == expected)
    text = page(url)
    assert re.search(r"phrases_views_by_hour phrase_views_report (paused )?\S+ .{1,20} late ", text)
    assert re.search(r"shop_\* shop_sync \S+ \S+ 1 h .{0,10}late ", text)
    assert "50% of the week before" in text.partition("repositories_outcomes")[2]
    assert re.search(r"Kafka well user_events: \d+ messages behind", text)
    assert "Scheduler well" in text
    assert "DAG processor well" in text

    # A task that nobody takes.
    with create_session() as session:
        queued = datetime.now(UTC) - timedelta(minutes=20)
        AirflowRows(session).task(MAIN, runs, "stuck", "queued", queued_dttm=queued)
    wait_until(lambda: "TasksStuck" in prometheus.alerts())
    assert re.search(r"Tasks not well .*one has been queued for 20 min", page(url))

    # A plan that asks for more than is left.
    columns = "dag_id, run_id, date, planned_at, requests_planned, quota_left, fits"
    insert("runs", columns, f"('{MAIN}', 'short', today(), now() + 60, 900, 12, 0)")
    wait_until(lambda: "QuotaShort" in prometheus.alerts())
    assert "GitHub not well 12 left of the quota" in page(url)

    # The scheduler is killed: its last heartbeat stays.
    with create_session() as session:
        session.execute(update(Job).values(latest_heartbeat=datetime.now(UTC) - timedelta(minutes=3)))
    wait_until(lambda: "SchedulerDown" in prometheus.alerts())
    assert "Scheduler not well last heartbeat 3 min" in page(url)

    # ClickHouse hangs.
    os.kill(clickhouse_server.process.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: "SourceDown" in prometheus.alerts())
        assert "ClickHouse not well" in page(url)
        # One scrape may find another source slow, where something else takes the processors.
        wait_until(lambda: sources_down(prometheus) == ["clickhouse"])
    finally:
        os.kill(clickhouse_server.process.pid, signal.SIGCONT)
    wait_until(lambda: "SourceDown" not in prometheus.alerts())
