"""The phrase-views files of a day, and the page under its own policy in Chromium."""

import functools
import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By

from include.pages.phrase_views import render_phrase_views
from include.pages.policy import content_security_policy

DAY, AT = date(2025, 1, 1), datetime(2025, 1, 2, 0, 20, tzinfo=UTC)
HOSTILE = "</script><script>document.title='owned'</script>\"'"
QUIET = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"


class Asked(NamedTuple):
    """What was asked for."""

    day: date = DAY
    time_zone: str = "UTC"
    hour_rule: str = "sample"


class Gain(NamedTuple):
    """One row of the report."""

    campaign_id: int
    phrase: str
    hour: int
    hour_start: datetime
    views: int
    flags: tuple[str, ...] = ()


def gain(phrase: str, hour: int, views: int, campaign: int = 1111111, flags: tuple[str, ...] = ()) -> Gain:
    """Views gained in an hour of the day, UTC."""
    return Gain(campaign, phrase, hour, datetime(2025, 1, 1, hour, tzinfo=UTC), views, flags)


PHRASE = "платье"
EXAMPLE = [gain(PHRASE, hour, views) for hour, views in ((12, 1), (13, 4), (14, 6), (15, 4))]
render = functools.partial(render_phrase_views, run_id="manual", rendered_at=AT)


def test_writes_the_example_to_the_letter(tmp_path: Path) -> None:
    """The TSV is exactly the required one."""
    text = (render(tmp_path, Asked(), EXAMPLE) / "1111111.tsv").read_text()
    assert text == f"phrase\tviews_by_hour\n{PHRASE}\t[(15, 4), (14, 6), (13, 4), (12, 1)]\n"


def test_same_input_gives_same_bytes(tmp_path: Path) -> None:
    """Two renderings are byte for byte the same, whatever the order of the rows."""
    first, second = render(tmp_path / "a", Asked(), EXAMPLE), render(tmp_path / "b", Asked(), EXAMPLE[::-1])
    assert {f.name: f.read_bytes() for f in first.iterdir()} == {
        f.name: f.read_bytes() for f in second.iterdir()
    }


def test_carries_no_date_of_its_own(tmp_path: Path) -> None:
    """The chart brings no comment with today's date, and no script or style attribute."""
    html = (render(tmp_path, Asked(), EXAMPLE) / "1111111.html").read_text()
    assert "<svg" in html
    assert "<!--" not in html
    assert ' style="' not in html
    assert html.count("<script") == 1


def test_removes_campaigns_that_are_gone(tmp_path: Path) -> None:
    """A re-render leaves no file of a campaign that it does not list; an empty day has an empty index."""
    directory = render(tmp_path, Asked(), EXAMPLE)
    render(tmp_path, Asked(), [])
    assert sorted(file.name for file in directory.iterdir()) == ["index.json", "rows.csv"]
    assert json.loads((directory / "index.json").read_text())["campaigns"] == []


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    """Debian's Chromium, headless, with a profile of its own."""
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*QUIET.split(), f"user-data-dir={tmp_path}/profile"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=ChromeService("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


def test_works_under_its_own_policy(tmp_path: Path, browser: Chrome) -> None:
    """Sorts and filters, breaks no rule of its policy, and runs no script that came in as a phrase."""
    rows = [*EXAMPLE, gain(HOSTILE, 3, 99, flags=("gap",))]
    html = (render(tmp_path, Asked(), rows) / "1111111.html").read_bytes()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/page" else 204)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", content_security_policy(html))
            self.end_headers()
            self.wfile.write(html if self.path == "/page" else b"")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        browser.get(f"http://127.0.0.1:{server.server_port}/page")
        firsts = "#phrases tbody tr:not([hidden]) td:first-child"
        assert [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, firsts)] == [HOSTILE, "платье"]
        browser.find_element(By.CSS_SELECTOR, "#phrases th.n button").send_keys("\n")
        assert [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, firsts)] == ["платье", HOSTILE]
        browser.find_element(By.ID, "filter").send_keys("ПЛАТ")
        assert [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, firsts)] == ["платье"]
        assert browser.title == "Phrase views, campaign 1111111, 2025-01-01"
        violations = [e for e in browser.get_log("browser") if "Content Security Policy" in e["message"]]
        assert violations == []
    finally:
        server.shutdown()
        server.server_close()
