"""The page *Data*, over a real ClickHouse: what it shows, to whom, and while a source is away."""

import os
import re
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from include.clickhouse.schema import migrate
from tests.integration.plugin.readers import who_may_read

GITHUB, PHRASES = "github_top_repositories", "phrase_views_report"
HOSTILE = "<b>run</b>\u202e"


@pytest.fixture
def readable() -> set[str]:
    """The DAGs that the reader may read."""
    from include.monitoring.tables import DAG_IDS

    return set(DAG_IDS)


@pytest.fixture
def client(monitored, readable: set[str]) -> TestClient:
    """The app alone, as somebody signed in sees it."""
    return who_may_read(monitored, readable)


@pytest.fixture
def published(monitored) -> datetime:
    """Two weeks of two tables; of one yesterday is missing. Returns now."""
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook

    monitored.setenv("AIRFLOW_VAR_PUBLISHED_BY_HOUR", '{"%s": 0, "%s": 0}' % (GITHUB, PHRASES))  # noqa: UP031
    now = datetime.now(UTC)
    days = [(now - timedelta(days=ago)).date() for ago in range(15)]
    rows = [("repositories_positions", day, 300, 1, HOSTILE, now.replace(tzinfo=None)) for day in days[2:]]
    rows += [("phrases_views_by_hour", day, 5, 1, "r", now.replace(tzinfo=None)) for day in days[1:]]
    with ClickHouseHook().get_client() as clickhouse:
        migrate(clickhouse)
        insert = "INSERT INTO loads (`table`, date, rows, checksum, run_id, published_at) VALUES"
        clickhouse.execute(insert, rows)
    return now


def text_of(html: str) -> str:
    """Return what a page says, without its marks."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_an_empty_installation_says_what_to_do_first(client: TestClient):
    """Beside its sources, which are well."""
    answer = client.get("/data/")
    text = text_of(answer.text)
    assert answer.status_code == 200
    assert "Nothing is published yet" in text
    assert "postgres_health" in text
    assert "ClickHouse well" in text


def test_what_is_late_comes_first(client: TestClient, published: datetime):
    """With by how much, what it covers, the run that published it, and its days."""
    html = client.get("/data/").text
    text = text_of(html)
    assert text.index("repositories_positions") < text.index("phrases_views_by_hour")
    covers = (published - timedelta(days=2)).date()
    assert re.search(rf"{covers} (\d+ h )?(\d+ min|\d+ s) late", text)
    assert "next due" in text
    yesterday = (published - timedelta(days=1)).date()
    assert f"{yesterday}: 5 rows, a week before 5" in html
    assert f"{yesterday}: no rows, a week before 300" in html
    assert f"/dags/{PHRASES}/runs/r" in html


def test_a_run_of_any_name_is_a_text(client: TestClient, published: datetime):
    """And a whole part of an address."""
    html = client.get("/data/").text
    assert "<b>run" not in html
    assert "\u202e" not in html
    assert "runs/%3Cb%3Erun%3C%2Fb%3E%E2%80%AE" in html


def test_filters(client: TestClient, published: datetime):
    """By DAG, and what is late only."""
    assert "phrases_views_by_hour" not in client.get("/data/?late=1").text
    of_phrases = client.get(f"/data/?dag_id={PHRASES}").text
    assert "repositories_positions" not in of_phrases
    assert "phrases_views_by_hour" in of_phrases
    assert "Nothing is late" in client.get(f"/data/?dag_id={PHRASES}&late=1").text
    assert "No table of this DAG" in client.get("/data/?dag_id=%22%3E%3Cscript%3E").text


def test_who_may_read_some_dags_sees_their_tables(
    client: TestClient, readable: set[str], published: datetime
):
    """And no word of the others."""
    readable -= readable - {PHRASES}
    html = client.get("/data/").text
    assert "phrases_views_by_hour" in html
    assert not [name for name in ("repositories_positions", GITHUB, "Postgres</th>") if name in html]


def test_clickhouse_that_hangs(client: TestClient, published: datetime, clickhouse_server):
    """Is told within seconds, with what was known last."""
    assert client.get("/data/").status_code == 200
    os.kill(clickhouse_server.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        answer = client.get("/data/")
        assert time.monotonic() - begun < 3.8
    finally:
        os.kill(clickhouse_server.process.pid, signal.SIGCONT)
    text = text_of(answer.text)
    assert answer.status_code == 200
    assert "cannot be read just now. Shown is what was known last" in text
    assert "ClickHouse not well" in text
    assert "repositories_positions" in text


def test_mistakes_are_named(client: TestClient, monitored):
    """Of connections and variables, without what is secret; and the rest is there."""
    monitored.setenv("AIRFLOW_VAR_PUBLISHED_BY_HOUR", "{nonsense")
    monitored.setenv(
        "AIRFLOW_CONN_CLICKHOUSE_DEFAULT", '{"conn_type": "clickhouse", "port": 8123, "password": "s3cret"}'
    )
    html = client.get("/data/").text
    assert "variable &#39;published_by_hour&#39;" in html
    assert "connection &#39;clickhouse_default&#39;, host: is empty" in html
    assert "s3cret" not in html
