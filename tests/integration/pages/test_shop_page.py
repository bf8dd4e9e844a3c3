"""The page of the shop in Chromium: nine reports with their numbers, in any window and any light."""

import csv
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from include.pages.shop import render_shop
from include.quality.rules import Finding
from include.shop.reports import (
    Cart,
    CategoryRatings,
    CategorySales,
    DaySales,
    Freshness,
    Funnel,
    Seller,
    ShopReports,
    Users,
    Weekday,
)
from tests.integration.pages.colours import contrast, texts_on_paper
from tests.integration.pages.site import Site, medium, window

DAY = date(2026, 11, 20)
AT = datetime(2026, 11, 20, 13, 5, tzinfo=UTC)
HOSTILE = '</script><b>"Bob\'s" \t& 漢字'
LONG = "x" * 5_000
FAILED = Finding(
    "totals equal the sales", "daily_sales_aggregation", "error", "failed", 2, "2026-11-18", "50 hundredths",
    "51 hundredths", "start",
)  # fmt: skip
FULL = ShopReports(
    first=DAY - timedelta(days=41),
    last=DAY,
    by_day=[
        DaySales(DAY - timedelta(days=41 - n), n * 7 % 90, n * 9, Decimal(n * 12_345) / 100)
        for n in range(42)
    ],
    by_category=[
        CategorySales(n, f"Category {n}", 10 * n, 12 * n, Decimal(9_000_000 - n)) for n in range(1, 20)
    ]
    + [CategorySales(21, HOSTILE, 1, 1, Decimal("-0.01")), CategorySales(None, "", 3, 3, Decimal("1.50"))],
    sellers=[Seller(1, LONG, 5, Decimal("99.99"), 2, 4.5), Seller(2, HOSTILE, 0, Decimal(0), 0, 0.0)]
    + [Seller(n, f"Seller {n}", 1, Decimal(1), 1, 3.0) for n in range(3, 303)],
    carts=[Cart("purchased", 900, 1000, 80), Cart("active", 400, 500, 60), Cart("removed", 200, 210, 40)],
    weekdays=[Weekday(n, 100 + n, 700, 50) for n in range(1, 8)],
    ratings=[CategoryRatings(n, f"Category {n}", 30, 3.333333, 1, 2, 3, 4, 20) for n in range(1, 9)],
    purchases=[Users(0, 40), Users(1, 100), Users(7, 9), Users(25, 1)],
    first_purchase=[Users(0, 200), Users(5, 20), Users(90, 1)],
    funnel=Funnel(300, 200, 90, 100, 250, 120, 150),
    freshness=Freshness(AT, 4711, AT, AT),
    checked_at=AT,
    checks=[FAILED, Finding("sellers add up", "daily_sales_aggregation", "error", "ok")],
)
EMPTY = ShopReports(
    DAY, DAY, [], [], [], [], [], [], [], [], Funnel(), Freshness(None, 0, None, None), None, []
)  # fmt: skip
TITLES = [
    "Revenue by day", "Revenue by category", "Sellers with their ratings", "Carts by status",
    "Sessions by weekday", "Ratings by category", "Purchases per user", "Days to the first purchase",
    "Funnel", "Checks",
]  # fmt: skip


def rendered(directory: Path, reports: ShopReports = FULL) -> Path:
    """Render the reports and return their directory."""
    return render_shop(directory, reports, DAY, run_id="scheduled__1", published_at=AT)


def show(browser: Chrome, site: Site, directory: Path, reports: ShopReports = FULL) -> None:
    """Render the reports and open the page."""
    site.html = (rendered(directory, reports) / "index.html").read_bytes()
    browser.get(site.url)


def test_nine_reports(browser: Chrome, site: Site, tmp_path: Path):
    """Each has a title, where it comes from, a chart and a table; above them is how new they are."""
    show(browser, site, tmp_path)
    assert [head.text for head in browser.find_elements(By.TAG_NAME, "h2")] == TITLES
    charts = browser.find_elements(By.CSS_SELECTOR, "svg.bars")
    assert len(charts) == 9
    assert len({chart.accessible_name for chart in charts}) == 9
    ids = browser.execute_script("return [...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(ids) == len(set(ids))
    assert len(browser.find_elements(By.CSS_SELECTOR, "p.source")) == 10
    head = browser.find_element(By.TAG_NAME, "header").text
    assert "The source as it was 2026-11-20 13:05:00 UTC, version 4711." in head
    assert "Aggregates of 2026-11-20 13:05:00 UTC. Sessions up to 2026-11-20 13:05:00 UTC." in head
    assert "by run scheduled__1" in head
    assert "1 check failed" in head
    assert "Conversion, buyers among viewers: 33.3%." in browser.find_element(By.ID, "funnel").text


def test_the_links_above_lead_to_the_reports(browser: Chrome, site: Site, tmp_path: Path):
    """By their names, and back to what failed."""
    show(browser, site, tmp_path)
    links = browser.find_elements(By.CSS_SELECTOR, "header nav a")
    assert [link.text for link in links] == TITLES
    for link in links:
        target = link.get_attribute("href").partition("#")[2]
        assert browser.find_element(By.ID, target).tag_name == "section"


def test_names_are_texts(browser: Chrome, site: Site, tmp_path: Path):
    """What looks like markup is shown, a name of any length fits, what is in no category is told so."""
    with window(browser, 360):
        show(browser, site, tmp_path)
        browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
        names = [
            " ".join(each.text.split())
            for each in browser.find_elements(By.CSS_SELECTOR, "#revenue_by_category bdi")
        ]
        assert names[-2:] == [" ".join(HOSTILE.split()), "(no category)"]
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= 360


@pytest.mark.parametrize("width", [360, 1200])
def test_fits_the_screen(browser: Chrome, site: Site, tmp_path: Path, width: int):
    """The page is no wider than the window; charts scroll in their boxes, and no label is over another."""
    with window(browser, width):
        show(browser, site, tmp_path)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        cut = browser.execute_script("""return [...document.querySelectorAll("svg.bars")].flatMap(svg => {
            const box = svg.getBoundingClientRect();
            const cut = at => at.left < box.left - 1 || at.right > box.right + 1
                || at.bottom > box.bottom + 1;
            return [...svg.querySelectorAll("text")].filter(text => text.textContent.trim()
                && cut(text.getBoundingClientRect())).map(text => text.textContent)})""")
        assert cut == []
        values = browser.execute_script("""return [...document.querySelectorAll("svg.bars")].map(svg =>
            [...svg.querySelectorAll(".value")].map(text => text.getBoundingClientRect())
            .map(box => [box.left, box.right]).sort((a, b) => a[0] - b[0]))""")
        for boxes in values:
            assert all(one[1] <= other[0] + 1 for one, other in pairwise(boxes))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_legible(browser: Chrome, site: Site, tmp_path: Path, scheme: str):
    """Text has a contrast of at least 4.5 to what is behind it, on bars and in notices too."""
    with medium(browser, prefers_color_scheme=scheme):
        show(browser, site, tmp_path)
        colours = texts_on_paper(browser, "h2, td, th, a, .soft, .failed, .bars text")
        assert len(colours) > 300
        assert min(contrast(*pair) for pair in colours) >= 4.5
        assert (sum(colours[0][0]) > sum(colours[0][1])) == (scheme == "dark")


def test_long_tables_are_cut_and_the_files_are_not(browser: Chrome, site: Site, tmp_path: Path):
    """The page says so; the CSV has each row, names exactly as they are, money to the cent."""
    show(browser, site, tmp_path)
    said = browser.find_element(By.CSS_SELECTOR, "#sellers summary").text
    assert said == "The first 200 of 302 rows; the CSV has all"
    directory = tmp_path / "shop" / str(DAY)
    with (directory / "sellers.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", "seller", "sales", "revenue", "ratings", "rating"]
    assert rows[1:3] == [["1", LONG, "5", "99.99", "2", "4.5"], ["2", HOSTILE, "0", "0", "0", ""]]
    assert len(rows) == 303
    index = json.loads((directory / "index.json").read_text())
    assert (index["day"], len(index["reports"])) == ("2026-11-20", 9)
    assert {f"{name}.csv" for name in index["reports"]} == {file.name for file in directory.glob("*.csv")}


def test_the_same_bytes(tmp_path: Path):
    """Of the same reports, whenever they are rendered."""
    files = [
        {file.name: file.read_bytes() for file in rendered(tmp_path / place).iterdir()} for place in "ab"
    ]
    assert files[0] == files[1]


def test_a_shop_without_rows(browser: Chrome, site: Site, tmp_path: Path):
    """Each report says that there is none yet, and sessions why."""
    show(browser, site, tmp_path, EMPTY)
    notices = [each.text for each in browser.find_elements(By.CSS_SELECTOR, ".notice")]
    assert len(notices) == 10
    assert "the table user_sessions is empty" in notices[4]
    assert notices[9] == "No run has checked yet."
    assert not browser.find_elements(By.CSS_SELECTOR, "svg.bars")


def test_on_paper(browser: Chrome, site: Site, tmp_path: Path):
    """Prints all charts, nothing in a box that would have to be scrolled, and no links to itself."""
    show(browser, site, tmp_path)
    with medium(browser, "print"):
        assert not browser.find_element(By.CSS_SELECTOR, "header nav").is_displayed()
        cut = """return [...document.querySelectorAll(".scroll")]
            .filter(box => getComputedStyle(box).overflow !== "visible").length"""
        assert browser.execute_script(cut) == 0
