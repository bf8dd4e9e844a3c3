"""The page *Events* behind Airflow's API server: of each DAG that reads a topic, for who may read it."""

import httpx
import pytest

from tests.integration.plugin.readers import who_may_read
from tests.integration.plugin.reports import EVENTS_CSV, EVENTS_RUN

EVENTS = "/stagehouse/events/"


def test_the_newest_day_with_its_files(reader: httpx.Client):
    """The page in a frame, each report that the day has by its name, and the way to the other DAG's."""
    assert reader.get(EVENTS, follow_redirects=False).headers["location"] == "user_events/"
    html = reader.get(f"{EVENTS}user_events/").text
    assert '<iframe title="Events, 2026-11-20" src="2026-11-20/index.html">' in html
    assert 'href="2026-11-20/by_hour.csv">By hour</a>' in html
    assert 'href="../user_sessions/">Sessions</a>' in html
    assert "user_events of 2026-11-20" in reader.get(f"{EVENTS}user_events/2026-11-20/index.html").text


def test_a_report_is_a_download(reader: httpx.Client):
    """As CSV under a name of its own; so is the page."""
    csv = reader.get(f"{EVENTS}user_events/2026-11-20/by_hour.csv")
    assert csv.text == EVENTS_CSV
    assert csv.headers["content-disposition"] == 'attachment; filename="user-events-2026-11-20-by-hour.csv"'
    page = reader.get(f"{EVENTS}user_events/2026-11-20/index.html?keep=true")
    assert page.headers["content-disposition"] == 'attachment; filename="user-events-2026-11-20.html"'


@pytest.mark.parametrize("name", ["dead_letters", "..%2Findex", "index", "x" * 300])
def test_no_other_file(reader: httpx.Client, name: str):
    """Only reports that the day's index names."""
    assert reader.get(f"{EVENTS}user_events/2026-11-20/{name}.csv").status_code == 404


@pytest.mark.parametrize("dag_id", ["shop_sync", "no_such_dag", "..%2Fshop"])
def test_no_other_dag(reader: httpx.Client, dag_id: str):
    """Only those that read a topic."""
    for path in ("", "2026-11-20/index.html", "2026-11-20/by_hour.csv"):
        assert reader.get(f"{EVENTS}{dag_id}/{path}").status_code in (403, 404)


def test_a_run_leads_to_its_page(reader: httpx.Client):
    """By the tab *Page*; of a run without one it says why."""
    runs = "/stagehouse/runs/?dag_id=user_events&run_id="
    answer = reader.get(f"{runs}{EVENTS_RUN}", follow_redirects=False)
    assert answer.headers["location"] == "../events/user_events/?day=2026-11-20"
    said = reader.get(f"{runs}another").text
    assert "its task <code>again</code> is still to come" in said
    assert "the run found nothing new" in said


def test_before_the_first_event(reader: httpx.Client):
    """Says what to do first, and leads to what there is."""
    said = reader.get(f"{EVENTS}user_sessions/").text
    assert "set the connection kafka_default and the Airflow variable reports_root" in said
    assert 'href="../user_events/"' in said


def test_who_may_read_one_dag_sees_that_one(monkeypatch: pytest.MonkeyPatch, metadb: None, reports):
    """By the navigation's entry too; of the other neither a link nor a file."""
    monkeypatch.setenv("AIRFLOW_VAR_REPORTS_ROOT", str(reports))
    sessions = who_may_read(monkeypatch, {"user_sessions", "shop_sync"})
    assert sessions.get("/events/").headers["location"] == "user_sessions/"
    assert "user_events" not in sessions.get("/events/user_sessions/").text
    for path in ("", "2026-11-20/index.html", "2026-11-20/by_hour.csv"):
        assert sessions.get(f"/events/user_events/{path}").status_code == 403
    events = who_may_read(monkeypatch, {"user_events"})
    assert events.get("/events/").headers["location"] == "user_events/"
    assert "user_sessions" not in events.get("/events/user_events/").text
