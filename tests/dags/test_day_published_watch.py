"""The DAG day_published_watch through Airflow's own runner, on chDB and a real mail server."""

import json
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.fingerprint import fingerprint
from include.clickhouse.loads import record_load
from include.clickhouse.schema import migrate
from include.phrase_views.gains import BY_HOUR
from include.staging.units import Unit
from tests.clock import DAY, now, run_by_clock
from tests.servers.mailbox import Mailbox

DAG_ID = "day_published_watch"
WATCHED = "phrase_views_report"
BY_MAIL = {"to": "night@example.org", "subject": "red", "html_content": "{{ notice }}"}


@pytest.fixture
def engine(tmp_path: Path, mailbox: Mailbox, monkeypatch) -> Path:
    """Where ClickHouse keeps its data; failures are told by mail."""
    path = tmp_path / "chdb"
    notifier = {"class": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", "kwargs": BY_MAIL}
    clickhouse = {"conn_type": "clickhouse", "schema": "stagehouse", "extra": {"path": str(path)}}
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", json.dumps(clickhouse))
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mailbox.airflow_connection())
    monkeypatch.setenv("AIRFLOW_VAR_FAILURE_NOTIFIER", json.dumps(notifier))
    return path


@pytest.fixture
def dag(root: Path, metadb: None):
    """The DAG without further tries."""
    dag = DagBag(dag_folder=root / "dags" / f"{DAG_ID}.py").dags[DAG_ID]
    for task in dag.tasks:
        task.retries = 0
    return dag


def test_a_missing_day_is_told_and_a_published_one_is_not(dag, engine, mailbox: Mailbox, monkeypatch):
    """Red with the day and the DAG as long as it is missing, then green."""
    monkeypatch.setenv("AIRFLOW_VAR_PUBLISHED_BY_HOUR", json.dumps({WATCHED: 0}))
    assert run_by_clock(dag).state == "failed"
    ((_, notice),) = mailbox.lines()
    assert f"NotPublished: connection 'clickhouse_default': day {DAY} is due" in notice
    assert f"{WATCHED}: loads has no row for table phrases_views_by_hour" in notice

    with EmbeddedClient("test", engine, "stagehouse", wait_s=5) as clickhouse:
        migrate(clickhouse)
        empty = fingerprint(clickhouse, BY_HOUR, str(DAY))
        record_load(clickhouse, BY_HOUR.name, Unit.of_day(DAY), empty, "the report", now())
    assert run_by_clock(dag).state == "success"
    assert len(mailbox.mails) == 1


def test_nothing_is_asked_of_a_dag_that_is_not_due(dag, engine, mailbox: Mailbox, monkeypatch):
    """An empty object watches nothing."""
    monkeypatch.setenv("AIRFLOW_VAR_PUBLISHED_BY_HOUR", "{}")
    assert run_by_clock(dag).state == "success"
    assert mailbox.mails == []


def test_a_bad_hour_is_told(dag, engine, mailbox: Mailbox, monkeypatch):
    """The variable, the DAG and what is allowed."""
    monkeypatch.setenv("AIRFLOW_VAR_PUBLISHED_BY_HOUR", json.dumps({WATCHED: 24}))
    assert run_by_clock(dag).state == "failed"
    said = f"BadVariable: variable 'published_by_hour': {WATCHED} is 24: allowed is an hour (UTC), 0 to 23"
    assert said in mailbox.lines()[0][1]
