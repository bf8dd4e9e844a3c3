"""The page of a campaign in Chromium, under its own policy as the plugin serves it, and from a disk."""

from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from include.pages.campaign_page import ROWS_AT_ONCE
from include.pages.phrase_views import render_phrase_views
from include.phrase_views.hours import hours
from include.phrase_views.report_row import ReportRow
from include.phrase_views.request import PhraseViewsRequest
from tests.integration.pages.colours import contrast
from tests.integration.pages.site import Site, medium, window
from tests.servers.chromium import see

DAY = date(2026, 10, 25)  # clocks go back in Berlin
AT = datetime(2026, 10, 26, 0, 16, tzinfo=UTC)
HOSTILE = "</script><script>document.title='owned'</script>\"'"
LONG = "x" * 10_000


def row(phrase: str, hour: int, views: int, *flags: str, zone: str = "UTC", campaign: int = 1) -> ReportRow:
    """Views gained in the hour of that number, counted from midnight."""
    start, name = hours(DAY, zone)[hour]
    return ReportRow(campaign, phrase, name, views, flags, start, zone, "sample", "correct")


SMALL = [
    row(HOSTILE, 3, 99, "gap"),
    row("dress", 0, 1_234_567),
    row("dress", 23, 1_500, "reset"),
    row(LONG, 11, 0, "partial"),
    row("платье", 12, 1),
    row("платье", 14, 9),
]
LARGE = [row(f"phrase {number:04}", number % 24, 1 + number * 7919 % 5003) for number in range(5001)]
BERLIN = [
    row(f"phrase {number:02}", hour, 99_999, "gap", zone="Europe/Berlin")
    for number in range(60)
    for hour in range(25)
]
FIRST_STOPS = [
    "Bar chart of views by hour", "The numbers of the chart", "Heat map of phrases by hour", "filter",
    "All phrases", "Phrase", "Views", "Flags",
]  # fmt: skip


def rendered(directory: Path, rows: list[ReportRow], name: str = "1.html") -> Path:
    """Render the rows and return a page."""
    request = PhraseViewsRequest(day=DAY)
    return render_phrase_views(directory, request, rows, run_id="scheduled__1", published_at=AT) / name


def show(browser: Chrome, site: Site, directory: Path, rows: list[ReportRow], name: str = "1.html") -> None:
    """Render the rows and open a page."""
    site.html = rendered(directory, rows, name).read_bytes()
    browser.get(site.url)


def shown(browser: Chrome) -> list[str]:
    """The phrases in the rows that one sees, from above."""
    script = """return [...document.querySelectorAll("table.phrases tbody tr")]
        .filter(row => getComputedStyle(row).display !== "none").map(row => row.cells[0].textContent)"""
    return browser.execute_script(script)


def head(browser: Chrome, name: str):
    """The button of a column of the table."""
    found = browser.find_elements(By.CSS_SELECTOR, "table.phrases thead button")
    return next(button for button in found if button.text.startswith(name))


def sorted_by(browser: Chrome) -> list[tuple[str, str]]:
    """What the table tells of its order."""
    heads = browser.find_elements(By.CSS_SELECTOR, "[aria-sort]")
    return [(each.text, each.get_attribute("aria-sort")) for each in heads]


@pytest.fixture(params=["served", "from a disk"])
def opened(request: pytest.FixtureRequest, browser: Chrome, site: Site, tmp_path: Path) -> Chrome:
    """The browser, showing a page of four phrases."""
    if request.param == "served":
        show(browser, site, tmp_path, SMALL)
    else:
        browser.get(rendered(tmp_path, SMALL).as_uri())
    return browser


def test_sorts_by_click_and_by_key(opened: Chrome):
    """By number, not by text; a column's first order is the useful one, its second the reverse."""
    assert shown(opened) == ["dress", HOSTILE, "платье", LONG]
    assert sorted_by(opened) == [("Views", "descending")]
    head(opened, "Views").click()
    assert shown(opened) == [LONG, "платье", HOSTILE, "dress"]
    assert sorted_by(opened) == [("Views", "ascending")]
    head(opened, "Phrase").send_keys(Keys.ENTER)
    assert shown(opened) == [HOSTILE, "dress", LONG, "платье"]
    head(opened, "Phrase").send_keys(Keys.SPACE)
    assert shown(opened) == ["платье", LONG, "dress", HOSTILE]
    head(opened, "Flags").click()
    assert shown(opened) == [HOSTILE, LONG, "dress", "платье"]  # none stays below
    assert opened.switch_to.active_element == head(opened, "Flags")


def test_filters_while_one_types(opened: Chrome):
    """Whatever the case, keeping the order, with a count that is told to those who do not see it."""
    head(opened, "Views").click()
    field, count = see(opened, "#filter"), see(opened, "#shown")
    field.send_keys("ПЛАТ")
    assert (shown(opened), count.text) == (["платье"], "1")
    field.send_keys("<")
    assert (shown(opened), count.text) == ([], "0")
    field.clear()
    field.send_keys("S")
    assert (shown(opened), count.text) == ([HOSTILE, "dress"], "2")
    assert count.get_attribute("role") == "status"


def test_everything_is_reached_by_keyboard(opened: Chrome):
    """Tab goes through the boxes that scroll, the field and the columns, and each shows where one is."""
    reached, outlines = [], []
    opened.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    for _ in FIRST_STOPS:
        opened.switch_to.active_element.send_keys(Keys.TAB)
        now = opened.switch_to.active_element
        reached.append(now.get_attribute("aria-label") or now.get_attribute("id") or now.text.split("\n")[0])
        outlines.append(now.value_of_css_property("outline-style"))
    assert reached == FIRST_STOPS
    assert "none" not in outlines


def test_no_phrase_is_a_program(opened: Chrome):
    """Shows what looks like markup as text, a very long phrase in three lines, each once in the heat map."""
    assert opened.title == "Phrase views, campaign 1, 2026-10-25"
    lines = opened.execute_script("""const name = [...document.querySelectorAll("table.phrases bdi")].at(-1);
        return name.getBoundingClientRect().height / parseFloat(getComputedStyle(name).lineHeight)""")
    assert round(lines) == 3
    heat = opened.find_elements(By.CSS_SELECTOR, ".heat tbody th")
    assert [cell.text[:5] for cell in heat] == ["dress", HOSTILE[:5], "плать", LONG[:5]]


def test_thousands_of_phrases(browser: Chrome, site: Site, tmp_path: Path):
    """Shows the first rows of any order and filter, all of them at a press; paper gets all."""
    show(browser, site, tmp_path, LARGE)
    views = {phrase: views for _, phrase, _, views, *_ in LARGE}
    by_views = sorted(views, key=lambda phrase: (-views[phrase], phrase))
    assert shown(browser) == by_views[:ROWS_AT_ONCE]
    head(browser, "Phrase").click()
    assert shown(browser) == sorted(views)[:ROWS_AT_ONCE]
    see(browser, "#filter").send_keys("1")
    matching = [phrase for phrase in sorted(views) if "1" in phrase]
    assert (shown(browser), see(browser, "#shown").text) == (matching[:ROWS_AT_ONCE], f"{len(matching):,}")
    assert see(browser, "#more").text == f"Show all {len(matching):,}"
    with medium(browser, "print"):
        assert shown(browser) == matching
    see(browser, "#more").send_keys(Keys.ENTER)
    assert shown(browser) == matching
    assert not browser.find_element(By.ID, "more").is_displayed()
    see(browser, "#filter").send_keys("23")
    assert shown(browser) == [phrase for phrase in matching if "123" in phrase]


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("rows", [SMALL, BERLIN], ids=["small", "25 full hours"])
def test_fits_the_screen(browser: Chrome, site: Site, tmp_path: Path, width: int, rows: list[ReportRow]):
    """The page is no wider than the window; on a phone the heat map scrolls in its box, phrases in sight."""
    with window(browser, width):
        show(browser, site, tmp_path, rows)
        wide, inner = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert (wide <= width, inner) == (True, width)
        moved = """const box = document.querySelector(".heat").parentElement; box.scrollLeft = 400;
            return [box.scrollLeft, document.querySelector(".heat tbody th").getBoundingClientRect().left
            - box.getBoundingClientRect().left]"""
        scrolled, phrase_left = browser.execute_script(moved)
        assert (scrolled == 400, abs(phrase_left) < 1) == (width == 360, True)


def test_both_hours_of_a_clock_change(browser: Chrome, site: Site, tmp_path: Path):
    """Labels every hour, the two of one name with their offset; no number of the heat map is cut."""
    show(browser, site, tmp_path, BERLIN)
    labels = browser.find_elements(By.CSS_SELECTOR, ".bars .x text")
    names = [f"{hour:02}" for hour in range(24)]
    names[2:3] = ["02 +02:00", "02 +01:00"]
    assert [label.text for label in labels] == names
    heads = [
        cell.text.replace("\n", " ") for cell in browser.find_elements(By.CSS_SELECTOR, ".heat thead th.n")
    ]
    assert heads == [*names, "Day"]
    overflowing = """return [...document.querySelectorAll(".heat tbody td, .heat tfoot td")]
        .filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent)"""
    assert browser.execute_script(overflowing) == []


def test_the_chart_tells_its_numbers(browser: Chrome, site: Site, tmp_path: Path):
    """To those who do not see it: a name, what stands out, and a table."""
    show(browser, site, tmp_path, SMALL)
    chart = browser.find_element(By.CSS_SELECTOR, "svg.bars")
    assert chart.aria_role in ("img", "image")
    assert (
        chart.accessible_name
        == "Views by local hour Most in hour 00: 1,234,567. The numbers are in the table below."
    )
    see(browser, "summary").send_keys(Keys.ENTER)
    numbers = [each.text for each in browser.find_elements(By.CSS_SELECTOR, "figure tbody tr")]
    assert len(numbers) == 24
    assert numbers[3] == "03 2026-10-25 03:00 99 1 gap"


@pytest.mark.parametrize("width", [360, 1200])
def test_every_hour_of_the_chart_can_be_read(browser: Chrome, site: Site, tmp_path: Path, width: int):
    """Labels and values are large enough and none is over another, on a phone too."""
    with window(browser, width):
        show(browser, site, tmp_path, [row("a", hour, 888_888) for hour in range(24)])
        boxes = browser.execute_script("""return [".x text", ".value"].map(what =>
            [...document.querySelectorAll(".bars " + what)].map(text => text.getBoundingClientRect())
            .map(box => [box.left, box.right, box.height]))""")
        for row_of_texts in boxes:
            assert len(row_of_texts) == 24
            assert min(height for _, _, height in row_of_texts) >= 9
            assert all(left[1] <= right[0] for left, right in pairwise(row_of_texts))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_legible(browser: Chrome, site: Site, tmp_path: Path, scheme: str):
    """Text has a contrast of at least 4.5 to what is behind it, in every shade of the heat map."""
    rows = [row(f"{views:02}", views, views**2) for views in range(1, 24)]
    with medium(browser, prefers_color_scheme=scheme):
        show(browser, site, tmp_path, rows)
        colours = browser.execute_script("""
            const parts = text => text.match(/[\\d.]+/g).map(Number);
            const paper = parts(getComputedStyle(document.body).backgroundColor).slice(0, 3);
            return [...document.querySelectorAll(".heat td[class*=' h'], .soft, .heat th, a")].map(cell => {
              const [r, g, b, a = 1] = parts(getComputedStyle(cell).backgroundColor);
              const behind = [r, g, b].map((part, at) => part * a + paper[at] * (1 - a));
              return [parts(getComputedStyle(cell).color).slice(0, 3), behind];
            })""")
        assert len(colours) > 23
        assert min(contrast(*pair) for pair in colours) >= 4.5
        assert (sum(colours[0][0]) > sum(colours[0][1])) == (scheme == "dark")


def test_on_paper(browser: Chrome, site: Site, tmp_path: Path):
    """Prints no control, long phrases whole, and nothing in a box that would have to be scrolled."""
    show(browser, site, tmp_path, SMALL)
    with medium(browser, "print"):
        controls = browser.find_elements(By.CSS_SELECTOR, "#filter, #more, label, summary")
        assert [each.is_displayed() for each in controls] == [False] * 4
        cut = """return [...document.querySelectorAll(".scroll, table.phrases bdi")]
            .filter(box => getComputedStyle(box).overflow !== "visible").length"""
        assert browser.execute_script(cut) == 0


def test_the_list_of_campaigns(browser: Chrome, tmp_path: Path):
    """Opened from a disk: sorts, filters by number, and leads to each campaign's page."""
    rows = [row("a", 1, 5, campaign=7), row("b", 1, 1500, "gap", campaign=81), row("c", 1, 20, campaign=82)]
    browser.get(rendered(tmp_path, rows, "index.html").as_uri())

    def campaigns() -> list[str]:
        return [each.text for each in browser.find_elements(By.CSS_SELECTOR, "tbody tr:not([hidden]) a")]

    assert campaigns() == ["7", "81", "82"]
    browser.find_elements(By.CSS_SELECTOR, "thead button")[1].click()
    assert campaigns() == ["81", "82", "7"]
    see(browser, "#filter").send_keys("8")
    assert campaigns() == ["81", "82"]
    see(browser, "a").click()
    assert see(browser, "h1").text == "Campaign 81, Sunday 2026-10-25"


def test_an_empty_day(browser: Chrome, site: Site, tmp_path: Path):
    """Says so, without an error."""
    show(browser, site, tmp_path, [], "index.html")
    assert "the report is empty" in see(browser, ".notice").text
