"""The page of the top repositories in Chromium, served under its own policy as the plugin serves it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from include.github.movement import Movement
from include.github.runs import RecordedRun
from include.pages.top_repositories import render_top_repositories
from include.pages.top_repositories_data import ActiveAuthor, Publication, RepositoryDay, TopRepositories
from tests.integration.pages.site import Site, window
from tests.servers.chromium import see

DAY = date(2026, 11, 20)
DAYS = tuple(
    DAY - timedelta(days=ago) for ago in (9, 8, 4, 3, 2, 1, 0)
)  # none is stored from 7 to 5 days ago
PUBLISHED = Publication("scheduled__2026-11-21", datetime(2026, 11, 21, 0, 31, 2, tzinfo=UTC))
LONG_AUTHOR = "w" * 300


def ranked(position: int, stars: int, move: Movement, *, commits: int = 0) -> RepositoryDay:
    """A repository that was not in the list of the first day, and has one author or none."""
    busiest = ((LONG_AUTHOR, commits),) if commits else ()
    repo = f"owner-{position}/a-name-without-any-break-{'x' * 40}"
    history = (None, *[position] * 6), (None, *[stars - 10 * ago for ago in (8, 4, 3, 2, 1, 0)])
    return RepositoryDay(repo, position, stars, move, move, "ok", commits, len(busiest), busiest, *history)


REPOSITORIES = (
    ranked(1, 90_000, Movement("same", 0, 10), commits=3),
    ranked(2, 80_000, Movement("unknown")),
    ranked(3, 1_000, Movement("up", 9, 900), commits=20),
    ranked(4, 900, Movement("down", -2, -5)),
)
AUTHORS = (ActiveAuthor(LONG_AUTHOR, 23, 2, REPOSITORIES[2].repo),)
RUN = RecordedRun(
    dag_id="github_top_repositories",
    run_id=PUBLISHED.run_id,
    date=DAY,
    top=4,
    api="graphql",
    planned_at=PUBLISHED.published_at - timedelta(minutes=3),
    requests_planned=1_234_567,
    points_planned=4,
    seconds_planned=3_725,
    quota_left=4_441,
    fits=0,
    finished_at=PUBLISHED.published_at,
    requests=1_234_570,
    points=5,
    retries=2,
    unchanged=1,
    seconds=7_322,
    seconds_waited=3_540,
)
RANKED = TopRepositories(DAY, PUBLISHED, PUBLISHED, REPOSITORIES, AUTHORS, 1, 23, DAYS, (), RUN)
_UNRANKED = tuple(row._replace(position=None, stars=None) for row in REPOSITORIES)
BACKFILLED = RANKED._replace(ranked=None, days=DAYS[:-1], repositories=_UNRANKED)


def show(browser: Chrome, site: Site, directory: Path, data: TopRepositories = RANKED) -> None:
    """Render the data and open the page."""
    site.html = (render_top_repositories(directory, data) / "index.html").read_bytes()
    browser.get(site.url)


def owners(browser: Chrome) -> list[str]:
    """The owners of the repositories shown, from above; a chart is "chart"."""
    rows = browser.find_elements(By.CSS_SELECTOR, "#ranking > tbody > tr:not([hidden])")
    return [
        "chart" if row.get_attribute("class") == "detail" else see_name(row).split("/")[0] for row in rows
    ]


def see_name(row) -> str:
    """The name in a row."""
    return row.find_element(By.CSS_SELECTOR, "bdi").text


def button(browser: Chrome, name: str):
    """The button of a column or a repository."""
    found = browser.find_elements(By.CSS_SELECTOR, "#ranking button")
    return next(each for each in found if each.text.replace("\n", " ").startswith(name))


def test_the_first_chart_is_open(browser: Chrome, site: Site, tmp_path: Path):
    """So that one sees what there is; it tells its content to those who do not see it."""
    show(browser, site, tmp_path)
    assert owners(browser) == ["owner-1", "chart", "owner-2", "owner-3", "owner-4"]
    told = see(browser, ".detail svg").get_attribute("aria-label")
    assert "position 1 on 2026-11-12, 1 on 2026-11-20; stars 89,920 on 2026-11-12, 90,000 on" in told


def test_sorts_by_any_column(browser: Chrome, site: Site, tmp_path: Path):
    """By number, not by text; what is not known stays below; an open chart stays with its repository."""
    show(browser, site, tmp_path)
    button(browser, "Stars").click()
    assert owners(browser) == ["owner-1", "chart", "owner-2", "owner-3", "owner-4"]
    button(browser, "Stars").click()
    assert owners(browser) == ["owner-4", "owner-3", "owner-2", "owner-1", "chart"]
    button(browser, "Stars, 1 day").send_keys(Keys.ENTER)
    assert owners(browser) == ["owner-3", "owner-1", "chart", "owner-4", "owner-2"]
    button(browser, "Place, 7 days").send_keys(Keys.SPACE)
    assert owners(browser) == ["owner-3", "owner-1", "chart", "owner-4", "owner-2"]
    button(browser, "Commits").click()
    assert owners(browser)[:2] == ["owner-3", "owner-1"]
    sorted_by = browser.find_elements(By.CSS_SELECTOR, "#ranking [aria-sort]")
    assert [(head.text, head.get_attribute("aria-sort")) for head in sorted_by] == [("Commits", "descending")]


def test_filters_by_name(browser: Chrome, site: Site, tmp_path: Path):
    """Leaves the rows that match, with their charts, and says how many they are."""
    show(browser, site, tmp_path)
    field = see(browser, "#filter")
    field.send_keys("OWNER-3")
    assert owners(browser) == ["owner-3"]
    assert see(browser, "#shown").text == "1"
    field.send_keys(Keys.BACKSPACE, "1")
    assert owners(browser) == ["owner-1", "chart"]
    field.clear()
    field.send_keys("-")
    assert owners(browser) == ["owner-1", "chart", "owner-2", "owner-3", "owner-4"]


def test_choosing_a_repository_shows_its_chart(browser: Chrome, site: Site, tmp_path: Path):
    """By keyboard: opens under its row, draws a dot a day and no line over missing days; closes."""
    show(browser, site, tmp_path)
    button(browser, "owner-1").send_keys(Keys.ENTER)
    chosen = button(browser, "owner-3")
    chosen.send_keys(Keys.ENTER)
    assert owners(browser) == ["owner-1", "owner-2", "owner-3", "chart", "owner-4"]
    assert chosen.get_attribute("aria-expanded") == "true"
    assert len(browser.find_elements(By.CSS_SELECTOR, ".detail .dot")) == 2 * 6
    for line in browser.find_elements(By.CSS_SELECTOR, ".detail .line"):
        assert (line.get_attribute("d").count("M"), line.get_attribute("d").count("L")) == (2, 4)
    see(browser, ".detail summary").send_keys(Keys.ENTER)
    numbers = [row.text for row in browser.find_elements(By.CSS_SELECTOR, ".detail tbody tr")]
    assert numbers[0] == "2026-11-20 3 1,000"
    assert numbers[-1] == "2026-11-11 not in the list not in the list"
    chosen.send_keys(Keys.ENTER)
    assert owners(browser) == ["owner-1", "owner-2", "owner-3", "owner-4"]
    assert chosen.get_attribute("aria-expanded") == "false"


@pytest.mark.parametrize("width", [306, 360, 1200])  # 306: a phone of 390 px beside the navigation
@pytest.mark.parametrize("data", [RANKED, BACKFILLED], ids=["ranked", "backfilled"])
def test_fits_the_screen(browser: Chrome, site: Site, tmp_path: Path, width: int, data: TopRepositories):
    """The page is no wider than the window, with names and authors that nothing breaks."""
    with window(browser, width):
        show(browser, site, tmp_path, data)
        wide, inner = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert (wide <= width, inner) == (True, width)
        for chart in browser.find_elements(By.CSS_SELECTOR, ".detail svg"):
            assert chart.size["width"] <= width


def test_a_backfilled_day(browser: Chrome, site: Site, tmp_path: Path):
    """Has no chart to offer, and still sorts and filters."""
    show(browser, site, tmp_path, BACKFILLED)
    assert browser.find_elements(By.CSS_SELECTOR, "#ranking tbody button, svg") == []
    button(browser, "Commits").click()
    assert owners(browser) == ["owner-2", "owner-4", "owner-1", "owner-3"]
    see(browser, "#filter").send_keys("owner-2")
    assert owners(browser) == ["owner-2"]


PLANNED_AT = "Planned 2026-11-21 00:28:02 UTC"


def cost(browser: Chrome) -> list[str]:
    """The lines of what the run cost."""
    rows = browser.find_elements(By.CSS_SELECTOR, "#cost tbody tr, #cost p")
    return [row.text.replace("\xa0", " ") for row in rows]


def test_what_the_run_cost_is_beside_what_was_planned(browser: Chrome, site: Site, tmp_path: Path):
    """All that is known, above the ranking, however long that is; a run of GraphQL that had to wait."""
    show(browser, site, tmp_path)
    assert see(browser, "#cost").location["y"] < see(browser, "#ranking").location["y"]
    assert see(browser, "#cost thead").text == "By GraphQL Planned Actual"
    assert cost(browser) == [
        "Requests 1,234,567 1,234,570",
        "Points of GraphQL 4 5",
        "Unchanged answers, free 1",
        "Retries 2",
        "Time of the commits 1 h 2 min 2 h 2 min",
        "of it, waiting for limits 59 min",
        f"{PLANNED_AT} with a quota of 4,441 left, which was not enough: the run had to wait.",
    ]


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (
            RUN._replace(api="rest", points_planned=0, points=0, retries=0, unchanged=0, seconds_waited=0,
                         quota_left=-1, fits=1),
            ["Requests 1,234,567 1,234,570", "Time of the commits 1 h 2 min 2 h 2 min",
             f"{PLANNED_AT}; the server tells no quota."],
        ),
        (
            RecordedRun("a", "b", DAY, finished_at=PUBLISHED.published_at, requests=60, seconds=7),
            ["Requests \u2013 60", "Time of the commits \u2013 7 s"],
        ),
        (None, []),
    ],
    ids=["nothing to tell but what was done", "not planned", "of an older version"],
)  # fmt: skip
def test_what_is_not_known_of_a_run_is_not_shown(browser: Chrome, site: Site, tmp_path: Path, run, said):
    """A line that would say nothing is left out, on a day without repositories too."""
    for repositories in (REPOSITORIES, ()):
        show(browser, site, tmp_path, RANKED._replace(run=run, repositories=repositories))
        assert cost(browser) == said


def test_an_empty_day(browser: Chrome, site: Site, tmp_path: Path):
    """Says so, without an error."""
    show(browser, site, tmp_path, BACKFILLED._replace(repositories=(), authors=()))
    assert see(browser, ".notice").text == "No repository is stored for this day."


def test_a_saved_copy_works_without_a_server(browser: Chrome, tmp_path: Path):
    """Opened from the disk it is the same page."""
    page = render_top_repositories(tmp_path, RANKED) / "index.html"
    browser.get(page.as_uri())
    button(browser, "owner-2").click()
    assert owners(browser) == ["owner-1", "chart", "owner-2", "chart", "owner-3", "owner-4"]
