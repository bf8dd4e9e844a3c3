"""The page API calls: which runs there are, one of them live, its files, and nothing beside them."""

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest

from include.staging.files import run_folder
from tests.integration.plugin.api_server import ApiServer
from tests.integration.plugin.reports import (
    CALLED,
    CALLED_ON,
    RESULTS_CSV,
    write_calls,
    write_progress,
)

CALLS = "/stagehouse/api-calls/"
RUN = f"{CALLS}{CALLED_ON}/{CALLED}/"
LIVE, UNKNOWN_TO_FILES = "manual__live", "manual__a+b:c~d"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def live(server: ApiServer, reports: Path) -> Iterator[Path]:
    """The directory of a run that Airflow knows; of a second one there is none. Both are queued."""
    conf = {"recipe": "users", "path": f"{SCRIPT}.csv"}
    runs = "/api/v2/dags/api_calls/dagRuns"
    with server.client("admin") as client:
        for run_id in (LIVE, UNKNOWN_TO_FILES):
            made = client.post(runs, json={"logical_date": None, "dag_run_id": run_id, "conf": conf})
            assert made.status_code == 200, made.text
        day = made.json()["run_after"][:10]
        directory = write_calls(reports, day, LIVE, "calling")
        yield directory
        shutil.rmtree(directory.parent)
        for run in client.get(runs).json()["dag_runs"]:
            client.delete(f"{runs}/{run['dag_run_id']}")


def test_runs_are_listed(reader: httpx.Client, live: Path):
    """Newest first, each once: those that left files, and those that Airflow knows."""
    html = reader.get(CALLS).text
    folders = [live.name, run_folder(UNKNOWN_TO_FILES), CALLED]
    places = [html.index(f"/{folder}/") for folder in folders]
    assert all(html.count(f"/{folder}/") == 1 for folder in folders)
    assert max(places[:2]) < places[2]
    assert "2 ok" in html
    assert "1 failed" in html
    assert "queued" in html
    assert SCRIPT not in html
    assert UNKNOWN_TO_FILES in html


def test_older_days_are_a_page_away(reader: httpx.Client, reports: Path):
    """A page holds whole days, at least fifty runs of them."""
    oldest = date(2026, 1, 1)
    for number in range(60):
        write_calls(reports, str(oldest + timedelta(days=number // 2)), f"old-{number}")
    try:
        html = reader.get(CALLS).text
        older = html.partition("?until=")[2].partition('"')[0]
        rest = reader.get(CALLS, params={"until": older}).text
    finally:
        for number in range(30):
            shutil.rmtree(reports / "api_calls" / str(oldest + timedelta(days=number)))
    assert CALLED in html
    assert CALLED not in rest
    assert sum(f"/{run_folder(f'old-{number}')}/" in html + rest for number in range(60)) == 60
    assert f"{older}/" not in html


def test_a_run_that_has_ended_shows_its_page(reader: httpx.Client):
    """With its files beside it, and the way to the rows that are not done."""
    html = reader.get(RUN).text
    assert 'src="index.html"' in html
    assert 'href="index.html#rows" target="report"' in html
    assert f"<h1>Calls of {CALLED_ON}</h1>" in reader.get(f"{RUN}index.html").text
    for name in ("results.csv", "todo.csv", "rejected.ndjson"):
        assert f'href="{name}"' in html
        answer = reader.get(RUN + name)
        saved = f'attachment; filename="api-calls-{CALLED_ON}-{CALLED}-{name}"'
        assert answer.headers["content-disposition"] == saved
    assert reader.get(f"{RUN}results.csv").text == RESULTS_CSV


def test_a_rendered_page_has_an_origin_of_its_own(reader: httpx.Client):
    """It may run its script, and nothing in Airflow."""
    policy = reader.get(f"{RUN}index.html").headers["content-security-policy"]
    assert policy.endswith("sandbox allow-scripts")


def test_a_run_that_calls_says_how_far_it_is(reader: httpx.Client, live: Path):
    """By numbers for its page's script, and on the page for who has none."""
    counts = {"rows": 100_000, "done": 1234, "ok": 1200, "failed": 34}
    told = counts | {"requests_per_second": 6.97, "seconds_left": 13_000, "path": SCRIPT, "recipe": SCRIPT}
    write_progress(live, LIVE, "calling", **told)
    url = f"{CALLS}{live.parent.name}/{live.name}/"
    said = reader.get(f"{url}progress").json()
    assert (said["state"], said["over"], said["ready"]) == ("Calling", False, False)
    assert (said["rows"], said["done"], said["outcomes"]["failed"]) == (100_000, 1234, 34)
    assert (said["rate"], said["left"]) == ("7.0 requests a second", "about 3 h 37 min left")
    html = reader.get(url).text
    assert "1,234" in html
    assert "about 3 h 37 min left" in html
    assert "progress.js" in html
    assert SCRIPT not in html


@pytest.mark.parametrize("state", ["waiting", "called"])
def test_a_run_that_does_not_call_has_no_rate(reader: httpx.Client, live: Path, state: str):
    """It waits for the API, or is being published."""
    write_progress(live, LIVE, state, requests_per_second=6.97, seconds_left=5)
    said = reader.get(f"{CALLS}{live.parent.name}/{live.name}/progress").json()
    assert (said["rate"], said["left"]) == ("", "")
    assert said["state"] != state


def test_a_run_without_files_is_being_checked(reader: httpx.Client, live: Path):
    """Its file, before the first call."""
    url = f"{CALLS}{live.parent.name}/{run_folder(UNKNOWN_TO_FILES)}/"
    assert reader.get(f"{url}progress").json()["state"] == "Not calling yet: the file is being checked"
    assert "Not calling yet" in reader.get(url).text


def test_a_run_that_stopped_says_so(reader: httpx.Client, server: ApiServer, live: Path):
    """With what to look at, and the rows that its file was refused for."""
    url = f"{CALLS}{live.parent.name}/{live.name}/"
    write_progress(live, LIVE, "calling", rows=10, done=5)
    (live / "rejected.ndjson").write_text("{}\n")
    with server.client("admin") as client:
        patched = client.patch(f"/api/v2/dags/api_calls/dagRuns/{LIVE}", json={"state": "failed"})
        assert patched.status_code == 200
        html = reader.get(url).text
        client.patch(f"/api/v2/dags/api_calls/dagRuns/{LIVE}", json={"state": "queued"})
    assert "Stopped before its results were written" in html
    assert "The run is failed" in html
    assert 'href="rejected.ndjson"' in html
    assert "progress.js" not in html


def test_a_dry_run_has_no_page(reader: httpx.Client, server: ApiServer, live: Path):
    """And says where its requests are shown."""
    runs = "/api/v2/dags/api_calls/dagRuns"
    conf = {"recipe": "users", "path": "a.csv", "dry_run": True}
    with server.client("admin") as client:
        made = client.post(runs, json={"logical_date": None, "dag_run_id": "manual__dry", "conf": conf})
        client.patch(f"{runs}/manual__dry", json={"state": "success"})
        html = reader.get(f"{CALLS}{made.json()['run_after'][:10]}/{run_folder('manual__dry')}/").text
        client.delete(f"{runs}/manual__dry")
    assert "It was a dry run" in html
    assert "progress.js" not in html


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"run_id": 1}', '{"rows": -1}'])
def test_a_progress_that_is_none_is_passed_over(reader: httpx.Client, live: Path, broken: str):
    """The list and the page are there all the same."""
    (live / "progress.json").write_text(broken)
    assert reader.get(CALLS).status_code == 200
    assert reader.get(f"{CALLS}{live.parent.name}/{live.name}/").status_code == 200


def test_the_tab_of_a_run_leads_to_it(reader: httpx.Client, live: Path):
    """As soon as Airflow knows it; of a run that nobody knows there is none."""
    asked = {"dag_id": "api_calls", "run_id": UNKNOWN_TO_FILES}
    answer = reader.get("/stagehouse/runs/", params=asked)
    folder = run_folder(UNKNOWN_TO_FILES)
    assert answer.headers["location"] == f"../api-calls/{live.parent.name}/{folder}/"
    assert "No page of this run" in reader.get("/stagehouse/runs/", params=asked | {"run_id": "none"}).text


@pytest.mark.parametrize(
    "path",
    [
        *(f"{CALLED_ON}/0123456789abcdef/", f"2001-01-01/{CALLED}/", f"{CALLED_ON}/{CALLED}/progress.json"),
        *(f"{CALLED_ON}/{CALLED}/.progress.part", f"{CALLED_ON}/{CALLED}/results.csv%00", f"x/{CALLED}/"),
        *(f"{CALLED_ON}/{CALLED}/..%2fresults.csv", f"{CALLED_ON}/{CALLED}/%2e%2e/{CALLED}/results.csv"),
        *(f"2026-11-20%0a/{CALLED}/results.csv", "?until=yesterday"),
    ],
)
def test_a_trick_finds_nothing(reader: httpx.Client, path: str):
    """Answers 404 to all that is not a run and one of its files."""
    assert reader.get(CALLS + path).status_code == 404


@pytest.mark.parametrize("folder", ["..", "%2e%2e", CALLED.upper(), f"{CALLED}%0a", CALLED[:-1], "runs"])
def test_a_name_that_is_no_runs_is_refused(reader: httpx.Client, folder: str):
    """Before a disk is asked."""
    assert reader.get(f"{CALLS}{CALLED_ON}/{folder}/results.csv").status_code in (404, 422)


def test_a_link_that_leads_out(reader: httpx.Client, reports: Path):
    """Answers 404 to a link out of the section's folder."""
    secret, link = reports / "secret.csv", reports / "api_calls" / CALLED_ON / "0123456789abcdef"
    secret.write_text("what nobody may read")
    link.mkdir()
    (link / "results.csv").symlink_to(secret)
    try:
        answer = reader.get(f"{CALLS}{CALLED_ON}/{link.name}/results.csv")
    finally:
        shutil.rmtree(link)
        secret.unlink()
    assert answer.status_code == 404
