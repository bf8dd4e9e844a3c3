"""Counters from the inbox to the browser: imported, reported and shown by the stack that a user starts."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from include.local_stack.airflow_environment import ADMIN
from include.local_stack.phrase_views import REPORT
from tests.e2e.conftest import MAIN
from tests.e2e.reported_days import Reported
from tests.servers.chromium import (
    WAITS_S,
    choose,
    chromium,
    enter_frame,
    open_page,
    requested,
    see,
    severe,
    sign_in,
)

pytestmark = pytest.mark.e2e
EXAMPLE, CAMPAIGN = 1111111, 2000001
EXAMPLE_TSV = "phrase\tviews_by_hour\nплатье\t[(15, 4), (14, 6), (13, 4), (12, 1)]\n"  # noqa: RUF001


@pytest.fixture(scope="module")
def ranked(stack_of_all) -> dict:
    """What the newest ranking says of itself: day, run_id."""
    stack_of_all.run()
    (newest,) = sorted((stack_of_all.stack.state.reports / "top_repositories").glob("*/index.json"))[-1:]
    return json.loads(newest.read_text())


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The browser's own directory; files are saved below downloads/."""
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def signed_in(stack_of_all, downloads: Path) -> Iterator[Chrome]:
    """A browser in which the user that `make up` names has signed in."""
    with chromium(downloads) as browser:
        password = stack_of_all.stack.state.secrets().admin_password
        sign_in(browser, stack_of_all.airflow.url, ADMIN, password)
        see(browser, 'a[aria-label="Data"]')
        browser.get_log("browser")
        yield browser


@pytest.fixture
def browser(signed_in: Chrome) -> Iterator[Chrome]:
    """The same. At the end no error was in the console, no policy violated, no other host asked."""
    signed_in.switch_to.default_content()
    requested(signed_in)
    yield signed_in
    assert severe(signed_in) == []
    asked = requested(signed_in)
    assert any("/stagehouse/" in url for url in asked)
    assert {urlsplit(url).hostname for url in asked} == {"127.0.0.1"}


def from_the_navigation(browser: Chrome, running_stack, name: str) -> None:
    """Open a page from Airflow's first page."""
    browser.get(running_stack.airflow.url)
    open_page(browser, name)


def choices(browser: Chrome, name: str) -> list[str]:
    """The values of a list, from above."""
    options = Select(see(browser, f"select[name={name}]")).options
    return [str(option.get_attribute("value")) for option in options]


def column(browser: Chrome, name: str) -> WebElement:
    """The button that sorts by a column of the report's table."""
    buttons = browser.find_elements(By.CSS_SELECTOR, "table.phrases thead button")
    return next(button for button in buttons if button.text.startswith(name))


def phrases(browser: Chrome, count: int) -> list[str]:
    """The first phrases of the table, as one sees them."""
    script = """return [...document.querySelectorAll("table.phrases tbody tr")]
        .filter(row => getComputedStyle(row).display !== "none").slice(0, arguments[0])
        .map(row => row.cells[0].textContent)"""
    return browser.execute_script(script, count)


def saved(browser: Chrome, downloads: Path, link: str, name: str) -> bytes:
    """What is in the file that a link saves."""
    see(browser, f'nav[aria-label=Downloads] a[href*="{link}"]').click()
    file = downloads / "downloads" / name
    WebDriverWait(browser, WAITS_S).until(lambda _: file.exists(), f"no {name}")
    return file.read_bytes()


def assert_published(running_stack, reported: Reported, day: date, run_id: str) -> None:
    """Row by row what the files say, by this run."""
    columns, of_day = "campaign_id, phrase, hour, views, flags", f"WHERE date = '{day}'"
    rows = running_stack.rows(f"SELECT {columns} FROM phrases_views_by_hour {of_day}")
    assert Counter(rows) == Counter(reported.truth[day])
    table = f"loads FINAL {of_day} AND table = 'phrases_views_by_hour'"
    assert running_stack.rows(f"SELECT rows, run_id FROM {table}") == [(len(rows), run_id)]


def test_the_table_has_what_the_counters_say(running_stack, reported: Reported):
    """Row by row, a plain reading of the files; of a sample in two of them, the later file's value."""
    flags = {flag for truth in reported.truth.values() for row in truth for flag in row[4].split(",")}
    assert flags == {"", "gap", "partial", "reset"}
    assert_published(running_stack, reported, reported.first, reported.by_hand)
    assert_published(running_stack, reported, reported.last, reported.by_schedule)


def test_a_backfill_reports_the_day_that_had_none_and_leaves_the_others(running_stack, reported: Reported):
    """Of the days that had a report the files stay, byte for byte: what made them is in them."""
    before = {file: file.read_bytes() for file in reported.files.rglob("*") if file.is_file()}
    runs = running_stack.backfill(REPORT, reported.unreported, reported.last)
    assert {run["state"] for run in runs} == {"success"}
    made_by = {run["partition_key"]: run["dag_run_id"] for run in runs}
    assert set(made_by) == {str(day) for day in reported.truth}
    assert reported.truth[reported.unreported]
    assert_published(running_stack, reported, reported.unreported, made_by[str(reported.unreported)])
    assert before
    assert {file: file.read_bytes() for file in before} == before


def test_phrase_views_from_the_navigation(browser: Chrome, running_stack, reported: Reported):
    """Days newest first, each campaign of a day, the documentation's example with its numbers."""
    from_the_navigation(browser, running_stack, "Phrase views")
    days = sorted((index.parent.name for index in reported.files.glob("*/index.json")), reverse=True)
    assert choices(browser, "day") == days
    assert {str(reported.first), str(reported.last)} <= set(days)
    assert choices(browser, "campaign") == ["all", "1111111", "2000001", "2000002"]
    choose(browser, "day", str(reported.first))
    enter_frame(browser, f"Report of campaign {EXAMPLE}, {reported.first}")
    row = see(browser, "table.phrases tbody tr").text.split()
    assert " ".join(row).startswith("платье 15 15: 4 · 14: 6 · 13: 4 · 12: 1 · ")
    browser.switch_to.parent_frame()
    choose(browser, "campaign", "all")
    see(browser, f'a[href$="campaign={CAMPAIGN}"]').click()
    enter_frame(browser, f"Report of campaign {CAMPAIGN}, {reported.first}")
    assert see(browser, "h1").text.startswith(f"Campaign {CAMPAIGN}, ")


def test_the_report_is_sorted_and_filtered_in_place(browser: Chrome, running_stack, reported: Reported):
    """By views, by name and by a word, as the counters say."""
    views: Counter[str] = Counter()
    for campaign, phrase, _, gained, _ in reported.truth[reported.last]:
        if campaign == CAMPAIGN:
            views[phrase] += gained
    from_the_navigation(browser, running_stack, "Phrase views")
    choose(browser, "campaign", str(CAMPAIGN))
    enter_frame(browser, "Report")
    assert phrases(browser, 20) == sorted(views, key=lambda phrase: (-views[phrase], phrase))[:20]
    column(browser, "Phrase").click()
    assert phrases(browser, 20) == sorted(views)[:20]
    see(browser, "#filter").send_keys("RAINCOAT")
    matching = [phrase for phrase in sorted(views) if "raincoat" in phrase]
    assert phrases(browser, 999) == matching
    assert see(browser, "#shown").text == str(len(matching))


def test_the_report_is_saved(browser: Chrome, running_stack, reported: Reported, downloads: Path):
    """The TSV to the letter, the CSV of the day's rows, the page as it was rendered."""
    day = reported.first
    from_the_navigation(browser, running_stack, "Phrase views")
    choose(browser, "day", str(day))
    name = f"phrase-views-{day}-{EXAMPLE}"
    assert saved(browser, downloads, ".tsv", f"{name}.tsv").decode() == EXAMPLE_TSV
    page = (reported.files / str(day) / f"{EXAMPLE}.html").read_bytes()
    assert saved(browser, downloads, f"{EXAMPLE}.html", f"{name}.html") == page
    text = saved(browser, downloads, "rows.csv", f"phrase-views-{day}.csv").decode()
    rows = [
        (int(row["campaign_id"]), row["phrase"], int(row["hour"]), int(row["views"]), row["flags"])
        for row in csv.DictReader(text.splitlines())
    ]
    assert Counter(rows) == Counter(reported.truth[day])


def test_top_repositories_from_the_navigation(browser: Chrome, running_stack, ranked: dict):
    """The newest ranking, with a repository's course over time at a click."""
    from_the_navigation(browser, running_stack, "Top repositories")
    assert choices(browser, "day")[0] == ranked["day"]
    enter_frame(browser, f"Top repositories, {ranked['day']}")
    assert f"run {ranked['run_id']}" in see(browser, "header").text
    table = f"repositories_positions WHERE date = '{ranked['day']}' AND position < 11"
    names = [repo for (repo,) in running_stack.rows(f"SELECT repo FROM {table} ORDER BY position")]
    # Where there are two days by now, the first repository's history is open, with a table of its own.
    rows = browser.find_elements(By.CSS_SELECTOR, "#ranking > tbody > tr:not(.detail) > th")[:10]
    assert [row.text for row in rows] == names
    rows[1].find_element(By.TAG_NAME, "button").click()
    assert "Stars" in see(browser, "#ranking tr:has([aria-expanded=true]) + tr svg").text


@pytest.mark.parametrize("made", ["by schedule", "by hand", "ranking"])
@pytest.mark.parametrize("of_task", [False, True], ids=["run", "task"])
def test_a_run_leads_to_its_page(
    browser: Chrome, running_stack, reported: Reported, ranked: dict, made: str, of_task: bool
):
    """A tab of each finished run and of its tasks shows the day that the run published."""
    dag_id, run_id, title = {
        "by schedule": (REPORT, reported.by_schedule, f"Report of campaign {EXAMPLE}, {reported.last}"),
        "by hand": (REPORT, reported.by_hand, f"Report of campaign {EXAMPLE}, {reported.first}"),
        "ranking": (MAIN, ranked["run_id"], f"Top repositories, {ranked['day']}"),
    }[made]
    task = "/tasks/render" if of_task else ""
    browser.get(f"{running_stack.airflow.url}/dags/{dag_id}/runs/{run_id}{task}")
    see(browser, 'a[href$="-page"]').click()
    enter_frame(browser, "Page")
    enter_frame(browser, title)
    assert f"run {run_id}" in see(browser, "header").text
