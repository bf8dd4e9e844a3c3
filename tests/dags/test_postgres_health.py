"""The DAG postgres_health through Airflow's own runner, on a real server."""

from datetime import timedelta

import pytest

from tests.servers.postgres import PostgresServer

VARIABLE = "AIRFLOW_CONN_POSTGRES_DEFAULT"


def test_a_healthy_server_is_green(
    dagbag, metadb: None, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    """Succeeds and leaves the facts, without a secret, in XCom."""
    monkeypatch.setenv(VARIABLE, postgres_server.airflow_connection())
    run = dagbag.dags["postgres_health"].test()
    assert run.state == "success"
    facts = run.get_task_instance("postgres_health").xcom_pull("postgres_health")
    assert facts["version"] == "18.6"
    assert sorted(facts) == [
        "connections_max",
        "connections_used",
        "database_bytes",
        "in_recovery",
        "latency_ms",
        "oldest_transaction_s",
        "replication_lag_bytes",
        "replication_lag_s",
        "sees_all",
        "version",
    ]
    assert postgres_server.password not in str(facts)


def test_an_absent_server_is_red(
    dagbag,
    metadb: None,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    """Fails with one line that names connection and field, and shows no password in the whole log."""
    monkeypatch.setenv(VARIABLE, postgres_server.airflow_connection(password="wr0ng-s3cret-pa55"))
    dag = dagbag.dags["postgres_health"]
    monkeypatch.setattr(dag.task_dict["postgres_health"], "retry_delay", timedelta(seconds=0.1))
    assert dag.test().state == "failed"
    log = "".join(capfd.readouterr())
    assert "PostgresRefused: connection 'postgres_default': " in log
    assert "check login and password" in log
    assert "wr0ng-s3cret-pa55" not in log


def test_runs_every_ten_minutes(dagbag):
    """Is scheduled every ten minutes in UTC, one run at a time."""
    dag = dagbag.dags["postgres_health"]
    assert (dag.schedule, str(dag.timezone)) == ("*/10 * * * *", "UTC")
    assert dag.max_active_runs == 1
    assert [task.task_id for task in dag.tasks] == ["postgres_health"]
