"""The page of a run of calls in Chromium, served under its own policy as the plugin serves it."""

from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from include.api_calls.outcomes import OUTCOMES
from include.api_calls.request import CallsRequest
from include.api_calls.results import Published
from include.api_calls.staging import StagedFile, stage_file
from include.pages.api_calls import PAGE, ROWS_OF_AN_OUTCOME, OpenRows, write_calls_page
from tests.clock import DAY, now
from tests.integration.pages.site import Site, medium, window
from tests.servers.chromium import see

SCRIPT = "<script>document.title='ran'</script>"
RECIPE = "".join(
    ['method = "GET"\npath = "/users"\n[columns]\n', *(f"column_{number} = {{}}\n" for number in range(7))]
)


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> StagedFile:
    """A staged file of 1,400 rows; cells of the first are hostile, long, or missing."""
    root = tmp_path_factory.mktemp("staged")
    (root / "users.toml").write_text(RECIPE)
    first = f'"{SCRIPT}",{"x" * 5000},"gpj.\u202efdp",=1+1,"two\nlines",5,6\n'
    rows = "".join(f"{row},b,c,d,e,f,g\n" for row in range(2, 1401))
    (root / "file.csv").write_text(",".join(f"column_{n}" for n in range(7)) + "\n" + first + rows)
    run = {"dag_id": "d", "run_id": "r", "day": DAY, "host": "h", "now": now, "tell_rejected": lambda _: None}
    return stage_file(root, root, CallsRequest(path="file.csv", recipe="users"), root / "staging", **run)


def rendered(staged: StagedFile, directory: Path, **of_outcome: int) -> bytes:
    """Render a run of which the first rows came to these outcomes, in order, and the rest is ok."""
    outcomes = [name for name, rows in of_outcome.items() for _ in range(rows)]
    outcomes += ["ok"] * (staged.rows - len(outcomes))
    rows = OpenRows(staged)
    for row, outcome in zip(staged, outcomes, strict=True):
        rows.take(row, Published(row.row, outcome, 404 if outcome == "failed" else 0, SCRIPT, 1, ""))
    counts = {name: outcomes.count(name) for name in OUTCOMES}
    write_calls_page(directory, staged, DAY, f"manual__{SCRIPT}", counts, rows)
    return (directory / PAGE).read_bytes()


def test_outcomes_and_what_to_do(staged: StagedFile, tmp_path: Path, site: Site, browser: Chrome):
    """Of each that there is: rows, meaning, the next step; then the rows that are not done."""
    site.html = rendered(staged, tmp_path, unknown=1, failed=20, not_sent=3)
    browser.get(site.url)
    said = [row.text for row in browser.find_elements(By.CSS_SELECTOR, ".outcomes tbody tr")]
    assert [line.split()[:2] for line in said] == [
        ["ok", "1,376"],
        ["failed", "20"],
        ["unknown", "1"],
        ["not_sent", "3"],
    ]
    assert "look in the API" in said[2]
    assert len(browser.find_elements(By.CSS_SELECTOR, ".rows tbody tr")) == 24
    see(browser, "#filter").send_keys("unknown")
    assert see(browser, "#shown").text == "1"


def test_what_is_in_a_cell_is_a_text(staged: StagedFile, tmp_path: Path, site: Site, browser: Chrome):
    """No script of a cell, a reason or a run's name runs; nothing turns a line around or is endless."""
    site.html = rendered(staged, tmp_path, unknown=1)
    browser.get(site.url)
    cells = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, ".rows tbody td bdi")]
    assert cells[0] == SCRIPT
    assert cells[1:] == [SCRIPT, "x" * 100 + "…", r"gpj.\u202efdp", "=1+1", r"two\nlines"]
    assert browser.title == f"API calls: users, {DAY}"


def test_a_run_that_is_all_done_has_no_rows_to_look_at(
    staged: StagedFile, tmp_path: Path, site: Site, browser: Chrome
):
    """Nor a script."""
    site.html = rendered(staged, tmp_path, skipped=4)
    browser.get(site.url)
    assert browser.find_elements(By.CSS_SELECTOR, "#rows, script") == []


def test_many_rows_are_cut(staged: StagedFile, tmp_path: Path, site: Site, browser: Chrome):
    """The first of each outcome are there, a screen of them at once; the same run gives the same bytes."""
    site.html = rendered(staged, tmp_path, failed=800, not_sent=590)
    assert site.html == rendered(staged, tmp_path, failed=800, not_sent=590)
    assert len(site.html) < 600_000
    browser.get(site.url)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".rows tbody tr")) == 2 * ROWS_OF_AN_OUTCOME
    assert "The first 1,000 of 1,390" in see(browser, "#rows").text
    shown = "return [...document.querySelectorAll('.rows tbody tr')].filter(row => row.offsetHeight).length"
    assert browser.execute_script(shown) == 200
    see(browser, "#more").click()
    assert browser.execute_script(shown) == 1000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_every_screen(
    staged: StagedFile, tmp_path: Path, site: Site, browser: Chrome, width: int, scheme: str
):
    """A phone's too: what is wide scrolls by itself, the page does not; letters differ from their paper."""
    site.html = rendered(staged, tmp_path, unknown=1, failed=20)
    with window(browser, width), medium(browser, prefers_color_scheme=scheme):
        browser.get(site.url)
        page = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert browser.execute_script(page) == 0
        colours = "const of = getComputedStyle(document.body); return [of.color, of.backgroundColor]"
        assert len(set(browser.execute_script(colours))) == 2
