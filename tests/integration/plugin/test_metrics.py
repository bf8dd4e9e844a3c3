"""GET /stagehouse/metrics over a real ClickHouse: who may ask, what is told, what of a source that hangs."""

import json
import os
import re
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from include.clickhouse.schema import migrate
from include.monitoring.metrics import METRICS, PREFIX
from tests.integration.plugin.conftest import METRICS_TOKEN as TOKEN

ASKING = {"Authorization": f"Bearer {TOKEN}"}
GITHUB = "github_top_repositories"
ALL_UP = {"airflow": 1, "clickhouse": 1, "staging": 1}
WAITS_S = 3.8  # the budget, and a busy machine


@pytest.fixture
def client(monitored) -> TestClient:
    """The app alone, in this process."""
    from stagehouse.ui.app import create_app

    return TestClient(create_app())


def values(text: str) -> dict[str, float]:
    """Return the samples of an answer."""
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name.removeprefix(PREFIX): float(value) for name, _, value in lines}


def scrape(client: TestClient) -> dict[str, float]:
    """Ask as Prometheus does."""
    answer = client.get("/metrics", headers=ASKING)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return values(answer.text)


def up(found: dict[str, float]) -> dict[str, float]:
    """Return which sources are up."""
    of = re.compile(r'source_up\{source="(\w+)"\}')
    return {found_name[1]: value for name, value in found.items() if (found_name := of.fullmatch(name))}


@pytest.mark.parametrize("token", ["", "short"])
def test_without_a_token_there_are_no_metrics(monitored, token: str):
    """Nor with one that can be guessed."""
    from stagehouse.ui.app import create_app

    monitored.setenv("STAGEHOUSE_METRICS_TOKEN", token)
    answer = TestClient(create_app()).get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "authorization",
    [b"", b"Bearer", b"Bearer ", b"Bearer wrong", TOKEN.encode(), b"Basic " + TOKEN.encode(),
     "Bearer schlüssel".encode(), "Bearer schlüssel".encode("latin-1"), b"Bearer " + TOKEN.encode() + b"x"],
)  # fmt: skip
def test_who_has_another_token_sees_nothing(client: TestClient, authorization: bytes):
    """Whatever it is made of."""
    headers = [(b"authorization", authorization)] if authorization else []
    answer = client.get("/metrics", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert PREFIX not in answer.text


def test_a_token_that_is_no_text(monitored):
    """Is a token as any other: bytes. The pages are there, and the rest of it opens nothing."""
    from stagehouse.ui.app import create_app

    monitored.setenv("STAGEHOUSE_METRICS_TOKEN", TOKEN + "\udcff")
    assert TestClient(create_app()).get("/metrics", headers=ASKING).status_code == 401


def test_before_the_database_is_there(client: TestClient, clickhouse_server, clickhouse_database):
    """ClickHouse is up, and nothing is published: the first run makes it."""
    clickhouse_server.execute(f"DROP DATABASE {clickhouse_database}")
    assert up(scrape(client)) == ALL_UP


def test_airflow_s_database_that_is_away_takes_nothing_else_down(client: TestClient, monitored, airflow_away):
    """It tells connections: those known last are used, when Airflow says that none is defined."""
    assert up(scrape(client)) == ALL_UP
    monitored.delenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT")  # as one that is kept in the database
    airflow_away()
    for _ in range(2):
        assert up(scrape(client)) == ALL_UP | {"airflow": 0}


def test_an_empty_installation(client: TestClient):
    """Has its sources up, and no table."""
    found = scrape(client)
    assert up(found) == ALL_UP
    assert not [name for name in found if name.startswith("table_")]
    assert found['airflow_task_instances{state="queued"}'] == 0
    assert found["staging_free_bytes"] > 0


def test_a_day_that_is_not_published(client: TestClient, clickhouse_server, clickhouse_database, monitored):
    """Is late, by so many seconds; one that was published is not; no label is a date, and none grows."""
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook

    monitored.setenv(
        "AIRFLOW_VAR_PUBLISHED_BY_HOUR", '{"github_top_repositories": 0, "phrase_views_report": 0}'
    )
    now = datetime.now(UTC)
    with ClickHouseHook().get_client() as clickhouse:
        migrate(clickhouse)
        rows = [
            (table, (now - timedelta(days=ago)).date(), 5, 1, "r", now.replace(tzinfo=None))
            for table, days in (("phrases_views_by_hour", (1, 2)), ("repositories_authors_commits", (2, 4)))
            for ago in days
        ]
        clickhouse.execute(
            "INSERT INTO loads (`table`, date, rows, checksum, run_id, published_at) VALUES", rows
        )
    found = scrape(client)
    github = f'{{dag_id="{GITHUB}",table="repositories_authors_commits"}}'
    phrases = '{dag_id="phrase_views_report",table="phrases_views_by_hour"}'
    assert (found[f"table_day_late{github}"], found[f"table_day_late{phrases}"]) == (1, 0)
    since_midnight = (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
    assert found[f"table_late_seconds{github}"] == pytest.approx(since_midnight, abs=5)
    assert (found[f"table_unpublished{github}"], found[f"table_unpublished{phrases}"]) == (2, 0)
    assert (
        found[f'table_day_rows{{dag_id="{GITHUB}",days_ago="4",table="repositories_authors_commits"}}'] == 5
    )
    assert not [name for name in found if re.search(r"\d{4}-\d{2}-\d{2}", name)]
    names = {re.split(r"[{ ]", name)[0] for name in found}
    assert names <= set(METRICS)


def test_clickhouse_that_hangs_takes_nothing_else_down(client: TestClient, clickhouse_server):
    """It is told to be down within the budget, to who asks meanwhile too; and is up as soon as it answers."""
    assert up(scrape(client))["clickhouse"] == 1
    os.kill(clickhouse_server.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        assert up(scrape(client)) == ALL_UP | {"clickhouse": 0}
        assert time.monotonic() - begun < WAITS_S
    finally:
        os.kill(clickhouse_server.process.pid, signal.SIGCONT)
    deadline = time.monotonic() + 10
    while not up(scrape(client))["clickhouse"]:
        assert time.monotonic() < deadline


def test_clickhouse_that_is_stopped_is_down_at_once(client: TestClient, clickhouse_server):
    """And back with it, without a restart of ours."""
    clickhouse_server.stop()
    begun = time.monotonic()
    assert up(scrape(client)) == ALL_UP | {"clickhouse": 0}
    assert time.monotonic() - begun < WAITS_S
    clickhouse_server.start()
    assert up(scrape(client))["clickhouse"] == 1


def test_a_connection_that_is_wrong_is_a_source_that_is_down(client: TestClient, monitored):
    """With its secret in no metric."""
    monitored.setenv(
        "AIRFLOW_CONN_CLICKHOUSE_DEFAULT",
        '{"conn_type": "clickhouse", "host": "h", "port": 8123, "password": "s3cret"}',
    )
    answer = client.get("/metrics", headers=ASKING)
    assert up(values(answer.text))["clickhouse"] == 0
    assert "s3cret" not in answer.text


def test_the_embedded_engine_is_not_opened(client: TestClient, monitored, tmp_path):
    """Tasks have it to themselves: it is no source, and no file is made."""
    path = tmp_path / "engine"
    connection = {"conn_type": "clickhouse", "extra": {"path": str(path)}}
    monitored.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", json.dumps(connection))
    assert up(scrape(client)) == {"airflow": 1, "staging": 1}
    assert not path.exists()
    assert not path.with_suffix(".lock").exists()


def test_restarts_of_the_local_stack(client: TestClient, monitored, tmp_path):
    """As it wrote them down; a file that is none is no error of a scrape."""
    file = tmp_path / "restarts.json"
    monitored.setenv("STAGEHOUSE_RESTARTS", str(file))
    assert 'local_restarts{component="scheduler"}' not in scrape(client)
    file.write_text('{"scheduler": 2}')
    assert scrape(client)['local_restarts{component="scheduler"}'] == 2
