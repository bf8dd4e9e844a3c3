"""The page of the shop behind Airflow's API server: a day, its reports as files, and nothing beside them."""

import httpx
import pytest

from tests.integration.plugin.reports import SHOP_CSV, SHOP_RUN

SHOP = "/stagehouse/shop/"


def test_the_newest_day_with_its_files(reader: httpx.Client):
    """The page in a frame, and each report that the day has, by its name."""
    html = reader.get(SHOP).text
    assert '<iframe title="Shop, 2026-11-20" src="2026-11-20/index.html">' in html
    assert 'href="2026-11-20/revenue_by_day.csv">Revenue by day</a>' in html
    assert "Shop of 2026-11-20" in reader.get(f"{SHOP}2026-11-20/index.html").text


def test_a_report_is_a_download(reader: httpx.Client):
    """As CSV under a name of its own; so is the page."""
    csv = reader.get(f"{SHOP}2026-11-20/revenue_by_day.csv")
    assert csv.text == SHOP_CSV
    assert csv.headers["content-disposition"] == 'attachment; filename="shop-2026-11-20-revenue-by-day.csv"'
    page = reader.get(f"{SHOP}2026-11-20/index.html?keep=true")
    assert page.headers["content-disposition"] == 'attachment; filename="shop-2026-11-20.html"'


@pytest.mark.parametrize("name", ["funnel", "..%2Findex", "index", "x" * 300, "REVENUE_BY_DAY"])
def test_no_other_file(reader: httpx.Client, name: str):
    """Only reports that the day's index names."""
    answer = reader.get(f"{SHOP}2026-11-20/{name}.csv")
    assert answer.status_code == 404
    assert SHOP_CSV not in answer.text


def test_a_run_leads_to_its_page(reader: httpx.Client):
    """By the tab *Page*."""
    answer = reader.get(f"/stagehouse/runs/?dag_id=shop_sync&run_id={SHOP_RUN}", follow_redirects=False)
    assert answer.headers["location"] == "../shop/?day=2026-11-20"
