"""The page of events and of sessions in Chromium: reports with their numbers, in any window and any light."""

import csv
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from include.kafka.reports import (
    Action,
    ActionHour,
    Day,
    Hour,
    Letter,
    Partition,
    Reason,
    TopicReports,
    Weekday,
)
from include.pages.events import render_events
from tests.integration.pages.colours import contrast, texts_on_paper
from tests.integration.pages.site import Site, medium, window

DAY = date(2026, 8, 20)
AT = datetime(2026, 8, 20, 5, 5, tzinfo=UTC)
HOUR = AT.replace(minute=0)
HOSTILE = "</td></script><script>document.title='run'</script><b>\u202e\x00\n\t=1+1"
SHOWN = r"</td></script><script>document.title='run'</script><b>\u202e\x00\n\t=1+1"
LONG = "x" * 300
HOURS = [Hour(HOUR - timedelta(hours=47 - n), 40 + n * 7 % 90, n % 20) for n in range(48)]
NAMES = ("click", "view", HOSTILE, LONG)
FULL = TopicReports(
    table="user_events",
    rows=1_234_567,
    newest=AT,
    planned_at=AT,
    hours=HOURS,
    days=[Day(DAY - timedelta(days=13 - n), 100 * n, 10 * n) for n in range(14)],
    actions=[Action(name, 1000 - n, 9) for n, name in enumerate(NAMES)],
    by_action=[ActionHour(each.hour, name, 10, 2) for each in HOURS for name in NAMES],
    weekdays=[],
    partitions=[
        Partition("user_events", 0, n, 5_000_000_000 + n, 900, 3, 2, 1, n % 2, 40 * n, n, AT)
        for n in range(12)
    ] + [Partition("other", 0, 0, 7, 7, 0, 0, 0, 0, None, None, AT)],
    reasons=[Reason("the value is no JSON", 40), Reason(HOSTILE, 1)],
    letters=[
        Letter(
            AT, "user_events", 0, 1, 77 + n, "the value is no JSON", HOSTILE, HOSTILE + LONG, 3_000_000,
            "utf8", "run",
        )
        for n in range(50)
    ],
)  # fmt: skip
SESSIONS = FULL._replace(
    table="user_sessions",
    actions=[],
    by_action=[],
    weekdays=[Weekday(n, 100 + n, 700, 50) for n in range(1, 8)],
)
EMPTY = TopicReports("user_events", 0, None, AT, [], [], [], [], [], [], [], [])
TITLES = [
    "Events by hour", "Events by action", "Events by hour and action", "Users by day", "Lag by partition",
    "Dead letters by reason", "The newest dead letters",
]  # fmt: skip


def show(browser: Chrome, site: Site, directory: Path, reports: TopicReports = FULL) -> Path:
    """Render the reports, open the page, and return the directory."""
    made = render_events(
        directory, reports, DAY, dag_id=reports.table, run_id="scheduled__1", published_at=AT
    )
    site.html = (made / "index.html").read_bytes()
    browser.get(site.url)
    return made


def open_all(browser: Chrome) -> None:
    """Open all tables."""
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")


def test_reports_of_events(browser: Chrome, site: Site, tmp_path: Path):
    """Each has a title, where it comes from, a chart or a table; above them is how new they are."""
    show(browser, site, tmp_path)
    assert [head.text for head in browser.find_elements(By.TAG_NAME, "h2")] == TITLES
    assert [link.text for link in browser.find_elements(By.CSS_SELECTOR, "header nav a")] == TITLES
    charts = browser.find_elements(By.CSS_SELECTOR, "svg.bars")
    assert len({chart.accessible_name for chart in charts}) == len(charts) == 4
    ids = browser.execute_script("return [...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(ids) == len(set(ids))
    head = browser.find_element(By.TAG_NAME, "header").text
    assert "1,234,567 rows in user_events, up to 2026-08-20 05:05:00 UTC." in head
    assert "2,640 offsets were left as of 2026-08-20 05:05:00 UTC. Rendered 2026-08-20 05:05:00 UTC" in head
    assert "36 dead letters, 6 lost offsets since the first run." in head
    open_all(browser)
    first = browser.find_element(By.CSS_SELECTOR, "#by_hour_and_action tbody tr").text
    assert first == "2026-08-20 05:00 click 10 2"
    rest = HOURS[-1].rows - 40
    others = [row.text for row in browser.find_elements(By.CSS_SELECTOR, "#by_hour_and_action tbody tr")]
    assert f"2026-08-20 05:00 (all other actions) {rest}" in others


def test_reports_of_sessions(browser: Chrome, site: Site, tmp_path: Path):
    """By weekday, and not by action."""
    show(browser, site, tmp_path, SESSIONS)
    titles = [head.text for head in browser.find_elements(By.TAG_NAME, "h2")]
    assert titles == ["Sessions by hour", "Sessions by weekday", *TITLES[3:]]


def test_messages_are_hostile(browser: Chrome, site: Site, tmp_path: Path):
    """Nothing of theirs runs or hides: each sign is shown, in the files too."""
    made = show(browser, site, tmp_path)
    open_all(browser)
    row = browser.find_element(By.CSS_SELECTOR, "#dead_letters tbody tr")
    cells = [each.text for each in row.find_elements(By.TAG_NAME, "td")]
    assert cells[:6] == ["2026-08-20 05:05:00", "user_events", "0", "1", "77", "the value is no JSON"]
    assert cells[6:] == [SHOWN, SHOWN + LONG, "3,000,000", "utf8", "run"]
    assert "from Kafka" in browser.execute_script("return document.title")
    assert not browser.find_elements(By.CSS_SELECTOR, "script, td b")
    with (made / "dead_letters.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1][6:9] == [SHOWN, SHOWN + LONG, "3000000"]
    assert len(rows) == 51


@pytest.mark.parametrize("width", [360, 1200])
def test_fits_the_screen(browser: Chrome, site: Site, tmp_path: Path, width: int):
    """The page is no wider than the window; tables scroll in their boxes, and no label is over another."""
    with window(browser, width):
        show(browser, site, tmp_path)
        open_all(browser)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        values = browser.execute_script("""return [...document.querySelectorAll("svg.bars")].map(svg =>
            [...svg.querySelectorAll(".value")].map(text => text.getBoundingClientRect())
            .map(box => [box.left, box.right]).sort((a, b) => a[0] - b[0]))""")
        for boxes in values:
            assert all(one[1] <= other[0] + 1 for one, other in pairwise(boxes))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_legible(browser: Chrome, site: Site, tmp_path: Path, scheme: str):
    """Text has a contrast of at least 4.5 to what is behind it."""
    with medium(browser, prefers_color_scheme=scheme):
        show(browser, site, tmp_path)
        colours = texts_on_paper(browser, "h2, td, th, a, .soft, .bars text")
        assert min(contrast(*pair) for pair in colours) >= 4.5
        assert (sum(colours[0][0]) > sum(colours[0][1])) == (scheme == "dark")


def test_before_the_first_row(browser: Chrome, site: Site, tmp_path: Path):
    """Each report says that there is none, and why."""
    show(browser, site, tmp_path, EMPTY)
    notices = [each.text for each in browser.find_elements(By.CSS_SELECTOR, "section .notice")]
    assert len(notices) == 7
    assert "The table user_events is empty" in notices[0]
    assert not browser.find_elements(By.CSS_SELECTOR, "svg.bars")


def test_the_same_bytes(tmp_path: Path):
    """Of the same reports, whenever they are rendered."""
    arguments = {"dag_id": "user_events", "run_id": "r", "published_at": AT}
    files = [
        {
            file.name: file.read_bytes()
            for file in render_events(tmp_path / at, FULL, DAY, **arguments).iterdir()
        }
        for at in "ab"
    ]
    assert files[0] == files[1]
