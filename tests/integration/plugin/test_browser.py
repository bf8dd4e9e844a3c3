"""A person in Airflow's UI, in headless Chromium: from the login form to the report and the file saved."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.integration.plugin.api_server import ApiServer
from tests.integration.plugin.reports import TSV
from tests.servers.chromium import WAITS_S, choose, chromium, enter_frame, open_page, see, severe, sign_in

RUN_ID = "ranked__2026-11-19T00:30:00+00:00"
RUN_PATH = f"/dags/github_top_repositories/runs/{RUN_ID}"
PLAN_ONLY, TO_COME = "manual__plan", "manual__all"


@pytest.fixture(scope="module")
def runs(server: ApiServer) -> None:
    """Runs of the main DAG: of one the page is rendered, two have none."""
    with server.client("admin") as client:
        for run_id, conf in {RUN_ID: {}, PLAN_ONLY: {"plan_only": True}, TO_COME: {"top": 3}}.items():
            url = "/api/v2/dags/github_top_repositories/dagRuns"
            made = client.post(url, json={"logical_date": None, "dag_run_id": run_id, "conf": conf})
            assert made.status_code == 200, made.text


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The browser's own directory; files are saved below downloads/."""
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def signed_in(server: ApiServer, downloads: Path) -> Iterator[Chrome]:
    """A browser in which a viewer has signed in."""
    with chromium(downloads) as browser:
        sign_in(browser, server.url, "viewer", "viewer")
        browser.get_log("browser")
        yield browser


@pytest.fixture
def browser(signed_in: Chrome) -> Iterator[Chrome]:
    """The same, at the top of the page; the console must show no error when the test ends."""
    signed_in.switch_to.default_content()
    yield signed_in
    assert severe(signed_in) == []


def report(browser: Chrome, title: str) -> str:
    """Return the heading of the report shown in place, after its own script has run."""
    enter_frame(browser, title)
    WebDriverWait(browser, WAITS_S).until(lambda _: see(browser, "#said").text == "the script ran")
    heading = see(browser, "h1").text
    browser.switch_to.parent_frame()
    return heading


def test_phrase_views_from_the_navigation(browser: Chrome):
    """Shows the newest report inside Airflow's UI; another campaign and another day at a choice."""
    open_page(browser, "Phrase views")
    assert report(browser, "Report") == "Campaign 1111111, 2026-11-20"
    choose(browser, "campaign", "2222222")
    assert report(browser, "Report") == "Campaign 2222222, 2026-11-20"
    choose(browser, "day", "2026-11-18")
    assert report(browser, "Report") == "Campaign 2222222, 2026-11-18"
    see(browser, "a[rel=next]").click()
    assert report(browser, "Report") == "Campaign 1111111, 2026-11-19"


def test_one_entry_of_the_navigation_leads_to_all_pages(browser: Chrome, server: ApiServer):
    """And is the first; the others keep their addresses in Airflow's UI."""
    browser.get(server.url)
    see(browser, 'a[aria-label="Data"]')
    entries = [each.get_attribute("aria-label") for each in browser.find_elements(By.TAG_NAME, "a")]
    assert not {"Phrase views", "Top repositories", "API calls", "Shop", "Events", "Inbox"} & set(entries)
    for name in ("Data", "Phrase views", "Top repositories", "API calls", "Shop", "Events", "Inbox"):
        browser.switch_to.default_content()
        open_page(browser, name)
    browser.get(f"{server.url}/plugin/inbox")
    enter_frame(browser, "Inbox")
    assert see(browser, "h1").text == "Inbox"


def test_a_file_is_saved(browser: Chrome, server: ApiServer, downloads: Path):
    """Saves the TSV, from inside Airflow's iframe, under its name and byte for byte."""
    browser.get(f"{server.url}/plugin/phrase-views")
    enter_frame(browser, "Phrase views")
    see(browser, 'a[href$=".tsv"]').click()
    saved = downloads / "downloads" / "phrase-views-2026-11-20-1111111.tsv"
    deadline = time.monotonic() + WAITS_S
    while not saved.exists():
        assert time.monotonic() < deadline, list(downloads.glob("downloads/*"))
        time.sleep(0.1)
    assert saved.read_bytes() == TSV.encode()


def test_top_repositories_from_the_navigation(browser: Chrome):
    """Shows the newest ranking inside Airflow's UI, and that of another day at a choice."""
    open_page(browser, "Top repositories")
    assert report(browser, "Top repositories") == "Ranking of 2026-11-20"
    choose(browser, "day", "2026-11-19")
    assert report(browser, "Top repositories") == "Ranking of 2026-11-19"


@pytest.mark.parametrize("path", [RUN_PATH, f"{RUN_PATH}/tasks/check"])
@pytest.mark.usefixtures("runs")
def test_a_run_leads_to_its_page(browser: Chrome, server: ApiServer, path: str):
    """Shows, in a tab of the run and of each of its tasks, the page that the run rendered."""
    browser.get(server.url + path)
    see(browser, 'a[href$="-page"]').click()
    enter_frame(browser, "Page")
    assert report(browser, "Top repositories") == "Ranking of 2026-11-19"


@pytest.mark.parametrize(
    ("run_id", "why"),
    [
        (PLAN_ONLY, "was asked for its plan only: see the log of its task plan, and the table runs."),
        (TO_COME, "has not rendered its page: its task render is still to come, or it failed."),
    ],
)
@pytest.mark.usefixtures("runs")
def test_a_run_without_page_says_why(browser: Chrome, server: ApiServer, run_id: str, why: str):
    """In the same tab: it was not meant to have one, or has none yet."""
    browser.get(f"{server.url}/dags/github_top_repositories/runs/{run_id}")
    see(browser, 'a[href$="-page"]').click()
    enter_frame(browser, "Page")
    assert see(browser, "main p").text == f"The run {run_id} {why}"


def test_a_report_cannot_act_as_its_reader(browser: Chrome, server: ApiServer):
    """Runs a report in an origin of its own: its script sees no cookie and reaches nothing of Airflow."""
    browser.get(f"{server.url}/stagehouse/phrase-views/2026-11-20/1111111.html")
    assert see(browser, "#said").text == "the script ran"
    assert browser.execute_script("return window.origin") == "null"
    reached = "try { return document.cookie } catch (refused) { return refused.name }"
    assert browser.execute_script(reached) == "SecurityError"
