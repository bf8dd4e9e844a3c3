"""The page *Data*, over a real ClickHouse: what it shows, to whom, and while a source is away."""

import os
import re
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from include.clickhouse.schema import migrate
from include.monitoring import tables
from tests.integration.plugin.readers import who_may_read

GITHUB, PHRASES = "github_top_repositories", "phrase_views_report"
DAG_IDS = frozenset(tables.DAG_IDS)
HOSTILE = "<b>run</b>\u202e"


@pytest.fixture
def readable() -> set[str]:
    """The DAGs that the reader may read."""
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


def test_before_the_database_is_there(client: TestClient, clickhouse_server, clickhouse_database):
    """It is an empty installation: the first run makes the database."""
    clickhouse_server.execute(f"DROP DATABASE {clickhouse_database}")
    text = text_of(client.get("/data/").text)
    assert "Nothing is published yet" in text
    assert "ClickHouse well" in text


def test_before_there_is_a_connection(client: TestClient, monitored):
    """Says what to do first, and which connection there is not."""
    monitored.delenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT")
    text = text_of(client.get("/data/").text)
    assert "Nothing is published yet" in text
    assert "ClickHouse not well connection" in text


def test_airflow_s_database_that_hangs(client: TestClient, published: datetime, airflow_hangs):
    """Is told within seconds; what is published is there."""
    client.get("/data/")
    airflow_hangs()
    begun = time.monotonic()
    text = text_of(client.get("/data/").text)
    assert time.monotonic() - begun < 3.8
    assert "Airflow&#39;s database not well no answer in 3 s" in text
    assert "repositories_positions" in text


def test_airflow_s_database_that_is_away(client: TestClient, monitored, published: datetime, airflow_away):
    """Is told; what is published is still known, by the connections known last."""
    client.get("/data/")
    monitored.delenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT")
    airflow_away()
    client.get("/data/")
    text = text_of(client.get("/data/").text)
    assert "Airflow&#39;s database not well" in text
    assert "repositories_positions" in text
    assert "cannot be read just now" not in text


def test_rows_that_are_halved(client: TestClient, published: datetime):
    """Are told beside the days."""
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook

    yesterday = (published - timedelta(days=1)).date()
    row = ("phrases_views_by_hour", yesterday, 2, 1, "r", published.replace(tzinfo=None))
    with ClickHouseHook().get_client() as clickhouse:
        insert = "INSERT INTO loads (`table`, date, rows, checksum, run_id, published_at) VALUES"
        clickhouse.execute(insert, [row])
    assert "40% of the week before" in text_of(client.get("/data/").text)


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
    others = DAG_IDS - {PHRASES}
    assert not [name for name in (*others, "repositories_positions", "Postgres</th>") if name in html]


def test_who_may_read_some_dags_is_told_of_their_mistakes(client: TestClient, readable: set[str], monitored):
    """And of no other DAG: neither where nothing is published, nor in what is wrong with a variable."""
    monitored.setenv("AIRFLOW_VAR_PUBLISHED_BY_HOUR", '{"nonsense": 1}')
    monitored.setenv("AIRFLOW_VAR_INBOX_ROOT", "secret_place")
    monitored.setenv("AIRFLOW_CONN_KAFKA_DEFAULT", '{"conn_type": "kafka", "extra": {"no.option": "1"}}')
    for name in ("published_by_hour", "inbox_root", "kafka_default"):
        assert name in client.get("/data/").text
    readable -= readable - {"shop_sync"}
    html = client.get("/data/").text
    assert "Nothing is published yet" in html
    named = ("published_by_hour", "inbox_root", "kafka_default", "Inbox</th>", *DAG_IDS - {"shop_sync"})
    assert not [name for name in named if name in html]


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
