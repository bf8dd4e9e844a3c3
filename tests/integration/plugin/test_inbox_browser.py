"""A person with a file, in headless Chromium: from the upload to the form of a run, and to how far it is."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from tests.integration.plugin.api_server import ApiServer
from tests.integration.plugin.reports import CALLED_ON, write_calls, write_progress
from tests.servers.chromium import WAITS_S, chromium, enter_frame, open_page, see, severe, sign_in

RUNS, RUN_ID = "/api/v2/dags/api_calls/dagRuns", "manual__seen"
CHOSEN = 'мой <img src=x onerror="document.title=1">.csv'
TEXT = "id,name\n007,<script>document.title = 'ran'</script>\n"


@pytest.fixture(scope="module")
def signed_in(server: ApiServer, inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser of somebody who may start runs; uploads are on."""
    with chromium(tmp_path_factory.mktemp("browser")) as browser, server.client("admin") as admin:
        admin.post("/api/v2/variables", json={"key": "inbox_uploads", "value": "on"})
        sign_in(browser, server.url, "op", "op")
        browser.get_log("browser")
        yield browser
        admin.delete("/api/v2/variables/inbox_uploads")
    shutil.rmtree(inbox / "uploads", ignore_errors=True)


@pytest.fixture
def browser(signed_in: Chrome) -> Iterator[Chrome]:
    """The same, at the top of the page; the console must show no error when the test ends."""
    signed_in.switch_to.default_content()
    yield signed_in
    assert severe(signed_in) == []


def text_of(browser: Chrome, selector: str, expected: str) -> None:
    """Wait until an element says that."""
    WebDriverWait(browser, WAITS_S).until(lambda _: expected in see(browser, selector).text, selector)


def new_run(client, before: set[str]):
    """Return the run that is there since."""
    runs = client.get(RUNS).json()["dag_runs"]
    return next((run for run in runs if run["dag_run_id"] not in before), None)


def test_a_file_is_sent_and_a_run_of_it_started(
    browser: Chrome, server: ApiServer, inbox: Path, tmp_path: Path
):
    """From Airflow's navigation to its form, with the path pasted; nothing of name or content is in force."""
    own = tmp_path / CHOSEN
    own.write_text(TEXT)
    open_page(browser, "Inbox")
    see(browser, "#file").send_keys(str(own))
    assert see(browser, "pre").text == TEXT.rstrip()
    assert see(browser, "#name").text == CHOSEN
    assert browser.execute_script("return document.title") == "Inbox - Stagehouse"
    (kept,) = (path for path in (inbox / "uploads").iterdir() if path.suffix == ".csv")
    assert kept.read_text() == TEXT
    see(browser, "button[data-copy=path]").click()
    text_of(browser, "button[data-copy=path]", "Copied")
    see(browser, 'a[href$="/dags/api_calls"]').click()
    browser.switch_to.default_content()
    see(browser, "[data-testid=trigger-dag-button]").click()
    field = see(browser, "#element_path")
    field.send_keys("\ue009v\ue000")  # Ctrl+V
    assert field.get_attribute("value") == f"uploads/{kept.name}"
    see(browser, "#element_recipe").send_keys("posts")
    with server.client("op") as client:
        before = {run["dag_run_id"] for run in client.get(RUNS).json()["dag_runs"]}  # of other tests
        see(browser, "[data-testid=trigger-dag-submit]").click()
        run = WebDriverWait(client, WAITS_S).until(lambda client: new_run(client, before), "no run")
        assert run["conf"]["path"] == f"uploads/{kept.name}"
        client.delete(f"{RUNS}/{run['dag_run_id']}")


def test_a_file_that_is_too_large_is_not_sent(browser: Chrome, server: ApiServer, tmp_path: Path):
    """The page says so at once."""
    with (tmp_path / "large.csv").open("wb") as file:
        file.truncate(101 * 2**20)
    browser.get(f"{server.url}/stagehouse/inbox/")
    see(browser, "#file").send_keys(str(tmp_path / "large.csv"))
    text_of(browser, "#said", "large.csv is larger than 100 MiB. Next:")


def test_what_the_server_refuses_is_said(browser: Chrome, server: ApiServer, tmp_path: Path):
    """With its reason, and the next file can be chosen."""
    (tmp_path / "empty.csv").write_text("")
    browser.get(f"{server.url}/stagehouse/inbox/")
    see(browser, "#file").send_keys(str(tmp_path / "empty.csv"))
    text_of(browser, "#said", "nothing was kept: the file is empty. Next:")
    assert see(browser, "#file").is_enabled()
    assert "400" in severe(browser)[0]  # the browser's own word for it


def test_a_page_of_another_site_sends_nothing(browser: Chrome, server: ApiServer, inbox: Path):
    """Its script may try with the cookie of who looks at it: `localhost` is another site than 127.0.0.1."""
    before = sorted(inbox.rglob("*"))
    browser.get(f"http://localhost:{server.port}/stagehouse/inbox/")  # a page without our session
    tried = f"""
        const done = arguments[0], headers = {{"X-Stagehouse-Upload": "1"}};
        fetch("{server.url}/stagehouse/inbox/uploads?name=a.csv",
              {{method: "PUT", body: "x", credentials: "include", headers}})
          .then(answer => done(answer.status), refused => done(refused.name));
    """
    assert browser.execute_async_script(tried) in ("TypeError", 401, 403)
    assert sorted(inbox.rglob("*")) == before
    severe(browser)  # what the browser says of it


def test_a_run_is_seen_live_until_its_page_is_there(browser: Chrome, server: ApiServer, reports: Path):
    """In the tab of the run numbers change by themselves; what it renders then takes their place."""
    with server.client("admin") as admin:
        conf = {"recipe": "posts", "path": "august/users.csv"}
        made = admin.post(RUNS, json={"logical_date": None, "dag_run_id": RUN_ID, "conf": conf}).json()
        day = made["run_after"][:10]
        try:
            browser.get(f"{server.url}/dags/api_calls/runs/{RUN_ID}")
            see(browser, 'a[href$="-page"]').click()
            enter_frame(browser, "Page")
            text_of(browser, "#state", "Not calling yet")
            news = {"rows": 2000, "updated_at": datetime.now(UTC).isoformat(), "requests_per_second": 7.0}
            directory = write_calls(reports, day, RUN_ID, "calling", done=10, ok=10, **news)
            text_of(browser, "#done", "10")
            text_of(browser, "#state", "Calling")
            write_progress(
                directory, RUN_ID, "calling", done=1500, ok=1493, failed=7, seconds_left=71, **news
            )
            text_of(browser, "#of-failed", "7")
            assert see(browser, "#of-ok").text == "1,493"
            assert see(browser, "#rate").text.endswith("7.0 requests a second")
            assert see(browser, "#left").text.endswith("about 1 min left")
            write_calls(reports, day, RUN_ID, "finished", done=2000, ok=1993, failed=7, **news)
            enter_frame(browser, "Calls of run")
            text_of(browser, "#said", "the script ran")
            browser.switch_to.parent_frame()
            assert see(browser, 'a[href="todo.csv"]').is_displayed()
        finally:
            admin.delete(f"{RUNS}/{RUN_ID}")
            shutil.rmtree(reports / "api_calls" / day, ignore_errors=True)


def test_the_list_of_runs_leads_to_the_rows_that_are_not_done(browser: Chrome, server: ApiServer):
    """From the navigation: the runs, one of them, and the part of its page that lists those rows."""
    browser.get(server.url)
    open_page(browser, "API calls")
    see(browser, f'tbody a[href^="{CALLED_ON}/"]').click()  # other tests leave runs without a page
    see(browser, 'a[target="report"]').click()
    enter_frame(browser, "Calls of run")
    text_of(browser, "#said", "the script ran")
    WebDriverWait(browser, WAITS_S).until(
        lambda _: browser.execute_script("return location.hash") == "#rows", "not there"
    )
