"""What a reader gets: pages of days and campaigns, downloads, and clear words where there is nothing."""

import re
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import pytest

from include.pages.run_note import write_run_note
from tests.integration.plugin.api_server import ApiServer
from tests.integration.plugin.reports import (
    CSV,
    DAYS,
    RANKING_CSV,
    RUN,
    TSV,
    UNFINISHED,
    write_index,
    write_phrase_views,
)

PHRASES, RANKING = "/stagehouse/phrase-views/", "/stagehouse/top-repositories/"


@pytest.fixture
def hidden(reports: Path, tmp_path: Path) -> Iterator[Path]:
    """The reports, moved away for the time of a test; reports_root is empty then."""
    moved = [folder.rename(tmp_path / folder.name) for folder in list(reports.iterdir())]
    yield reports
    for written in list(reports.iterdir()):
        shutil.rmtree(written)
    for folder in moved:
        folder.rename(reports / folder.name)


def options(html: str, name: str) -> list[str]:
    """Return the values of a select, in order."""
    (select,) = re.findall(rf'<select name="{name}">(.*?)</select>', html, re.DOTALL)
    return re.findall(r'<option value="([^"]*)"', select)


def chosen(html: str) -> list[str]:
    """Return the values that are selected."""
    return re.findall(r'<option value="([^"]*)" selected>', html)


def test_the_newest_day_comes_first(reader: httpx.Client):
    """Opens on the newest finished day and its first campaign, and lists finished days newest first."""
    html = reader.get(PHRASES).text
    assert options(html, "day") == [*reversed(DAYS)]
    assert options(html, "campaign") == ["all", "1111111", "2222222"]
    assert chosen(html) == ["2026-11-20", "1111111"]
    assert 'src="2026-11-20/1111111.html"' in html


def test_a_day_and_a_campaign_are_chosen(reader: httpx.Client):
    """Shows the day and the campaign asked for, and the ways on."""
    html = reader.get(PHRASES, params={"day": "2026-11-19", "campaign": "2222222"}).text
    assert chosen(html) == ["2026-11-19", "2222222"]
    assert 'src="2026-11-19/2222222.html"' in html
    assert re.findall(r'href="\./\?day=([^"]*)" rel="(\w+)"', html) == [
        ("2026-11-18", "prev"),
        ("2026-11-20", "next"),
    ]


def test_all_campaigns_of_a_day(reader: httpx.Client):
    """Lists them with what they gained, each a link to its report, and by which run they were published."""
    html = reader.get(PHRASES, params={"day": "2026-11-19", "campaign": "all"}).text
    assert chosen(html) == ["2026-11-19", "all"]
    links = re.findall(r'<a href="\./\?day=2026-11-19&amp;campaign=(\d+)">', html)
    assert links == ["1111111", "2222222"]
    assert "1 gap, 2 partial" in html
    assert f"{RUN[:-1]}1" in html
    assert "<iframe" not in html


def test_the_ranking_of_a_day(reader: httpx.Client):
    """Shows the newest ranking, or that of the day asked for."""
    assert 'src="2026-11-20/index.html"' in reader.get(RANKING).text
    assert 'src="2026-11-19/index.html"' in reader.get(RANKING, params={"day": "2026-11-19"}).text


def test_a_page_is_shown_as_rendered(reader: httpx.Client):
    """Sends the page as rendered, its script and style allowed by hash, in an origin of its own."""
    answer = reader.get(f"{PHRASES}2026-11-20/1111111.html")
    assert "<h1>Campaign 1111111, 2026-11-20</h1>" in answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "content-disposition" not in answer.headers
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert policy.count("'sha256-") == 2
    assert policy.endswith("sandbox allow-scripts")
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("path", "name", "kind", "text"),
    [
        ("2026-11-20/1111111.tsv", "phrase-views-2026-11-20-1111111.tsv", "text/tab-separated-values", TSV),
        ("2026-11-20/rows.csv", "phrase-views-2026-11-20.csv", "text/csv", CSV),
        ("2026-11-20/2222222.html?keep=true", "phrase-views-2026-11-20-2222222.html", "text/html", None),
    ],
)
def test_downloads(reader: httpx.Client, path: str, name: str, kind: str, text: str | None):
    """Sends files byte for byte, to be saved under a name that says what they are."""
    answer = reader.get(PHRASES + path)
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert text is None or answer.content == text.encode()


@pytest.mark.parametrize(
    ("path", "kind"), [("index.html?keep=true", "html"), ("repositories.csv", "csv")], ids=["html", "csv"]
)
def test_the_ranking_is_a_download_too(reader: httpx.Client, path: str, kind: str):
    """Sends the ranking to be saved, as its page offers it."""
    answer = reader.get(f"{RANKING}2026-11-20/{path}")
    name = f"top-repositories-2026-11-20.{kind}"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["content-type"] == f"text/{kind}; charset=utf-8"
    assert kind == "html" or answer.text == RANKING_CSV
    assert f'href="2026-11-20/{path}"' in reader.get(RANKING).text


@pytest.mark.parametrize("path", [PHRASES, f"{PHRASES}2026-11-20/1111111.tsv", "/stagehouse/nowhere"])
def test_every_answer_is_fenced_in(reader: httpx.Client, server: ApiServer, path: str):
    """Sends a strict policy, nosniff, no-store and no-referrer with answers, refusals and downloads."""
    for answer in (reader.get(path), httpx.get(server.url + path)):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("?day=2026-11-17", "No report for 2026-11-17, or it is not finished"),
        (f"?day={UNFINISHED}", f"No report for {UNFINISHED}, or it is not finished"),
        ("?day=yesterday", "days are written YYYY-MM-DD"),
        ("?day=2026-02-30", "days are written YYYY-MM-DD"),
        ("?day=2026-11-20%0A", "days are written YYYY-MM-DD"),
        ("?day=%D9%A2%D9%A0%D9%A2%D9%A6-11-20", "days are written YYYY-MM-DD"),  # arabic digits
        (f"{UNFINISHED}/index.html", f"No report for {UNFINISHED}, or it is not finished"),
        ("2026-11-20/3333333.tsv", "No report for 2026-11-20"),
        ("?day=2026-11-20&campaign=-0", "a campaign is a number"),
        ("?day=2026-11-20&campaign=2147483648", "a campaign is a number"),
        ("?day=2026-11-20&campaign=1111111%0A", "a campaign is a number"),
        ("?day=2026-11-20&campaign=%3Cscript%3E", "a campaign is a number"),
    ],
)
def test_what_is_not_there(reader: httpx.Client, path: str, said: str):
    """Answers 404 with the reason to a day and a campaign that have no report, or are none."""
    answer = reader.get(PHRASES + path)
    assert (answer.status_code, said in answer.text) == (404, True), answer.text


def test_a_campaign_that_the_day_does_not_have(reader: httpx.Client):
    """Says so above the list of those that have a report; the next choice of a day is without it."""
    answer = reader.get(PHRASES, params={"day": "2026-11-19", "campaign": "3333333"})
    assert (answer.status_code, chosen(answer.text)) == (200, ["2026-11-19", "all"])
    assert "Campaign 3333333 has no report for 2026-11-19. These have:" in answer.text
    assert options(answer.text, "campaign") == ["all", "1111111", "2222222"]
    assert re.findall(r"<a href=.*campaign=(\d+)", answer.text) == ["1111111", "2222222"]


def test_campaigns_of_any_number(reader: httpx.Client, hidden: Path):
    """Shows and sends reports of every Int32: other systems number the campaigns."""
    numbers = (-(2**31), -5, 0, 2**31 - 1)
    write_phrase_views(hidden, "2026-11-20", RUN, numbers)
    html = reader.get(PHRASES).text
    assert options(html, "campaign") == ["all", *map(str, numbers)]
    for number in numbers:
        html = reader.get(PHRASES, params={"campaign": number}).text
        assert chosen(html) == ["2026-11-20", str(number)]
        assert f'src="2026-11-20/{number}.html"' in html
        assert f"Campaign {number}, " in reader.get(f"{PHRASES}2026-11-20/{number}.html").text
        assert reader.get(f"{PHRASES}2026-11-20/{number}.tsv").text == TSV


def test_a_report_of_some_campaigns_says_so(reader: httpx.Client, hidden: Path):
    """Names those that the run was asked for, and claims no more than that the others were reported."""
    write_phrase_views(hidden, "2026-11-20", RUN, (5, 7))
    index = hidden / "phrase_views" / "2026-11-20" / "index.json"
    html = reader.get(PHRASES, params={"campaign": "all"}).text
    assert "was asked for" not in html
    assert "All 2 reported" in html
    index.write_text(index.read_text().replace('"asked_for": []', '"asked_for": [5, 7]'))
    html = " ".join(reader.get(PHRASES, params={"campaign": "all"}).text.split())
    assert (
        "The run that rendered this was asked for 2 campaigns only: 5, 7. Others are here as far as" in html
    )


def test_what_a_spreadsheet_may_do_is_said_beside_the_downloads(reader: httpx.Client):
    """The files are exact, whatever a phrase begins with."""
    assert "Import as text" in reader.get(PHRASES).text


@pytest.mark.parametrize("path", [PHRASES, RANKING])
def test_no_report_yet(reader: httpx.Client, hidden: Path, path: str):
    """Says which DAG to trigger where nothing was rendered yet."""
    answer = reader.get(path)
    assert answer.status_code == 200
    dag_id = {PHRASES: "phrase_views_report", RANKING: "github_top_repositories"}[path]
    assert "No report yet. What the DAG" in answer.text
    assert dag_id in answer.text


def test_an_empty_day_says_so(reader: httpx.Client, hidden: Path):
    """Shows, of a day whose report has no campaign, the page that its renderer made for it."""
    write_phrase_views(hidden, "2026-11-20", RUN, ())
    for query in ("", "?campaign=all"):
        assert 'src="2026-11-20/index.html"' in reader.get(PHRASES + query).text
    answer = reader.get(f"{PHRASES}2026-11-20/index.html")
    assert "<h1>Phrase views of 2026-11-20</h1>" in answer.text
    assert answer.headers["content-security-policy"].endswith("sandbox allow-scripts")


def test_an_index_cannot_smuggle_markup(reader: httpx.Client, hidden: Path):
    """Escapes everything that index.json says."""
    evil = "<img src=x onerror=alert(1)>"
    directory = hidden / "phrase_views" / "2026-11-20"
    directory.mkdir(parents=True)
    cut = {"time_zone": evil, "hour_rule": f'"{evil}', "falls": evil}
    campaign = {"campaign_id": 1, "phrases": 1, "views": 1, "flags": {evil: 1}, **cut}
    write_index(directory, "2026-11-20", evil, asked_for=[1], **cut, campaigns=[campaign])
    html = reader.get(PHRASES, params={"campaign": "all"}).text
    assert "<img" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;") == 5
    ranking = hidden / "top_repositories" / "2026-11-20"
    ranking.mkdir(parents=True)
    write_index(ranking, "2026-11-20", evil, repositories=1)
    assert "<img" not in reader.get(RANKING).text


def test_a_damaged_index_hides_its_own_day_only(reader: httpx.Client, hidden: Path):
    """Names, to who asks for that day, the file, the field and the next step; other days are as they were."""
    write_phrase_views(hidden, "2026-11-19", RUN, (1,))
    write_phrase_views(hidden, "2026-11-20", "another", ("<script>",))
    assert 'src="2026-11-19/1.html"' in reader.get(PHRASES).text
    assert reader.get(PHRASES, params={"day": "2026-11-19"}).status_code == 200
    run = {"dag_id": "phrase_views_report", "run_id": RUN}
    assert reader.get("/stagehouse/runs/", params=run, follow_redirects=True).status_code == 200
    answer = reader.get(PHRASES, params={"day": "2026-11-20"})
    assert answer.status_code == 503
    assert "phrase_views/2026-11-20/index.json: campaigns.0.campaign_id" in answer.text
    assert "Next: clear the task `render`" in answer.text
    assert "<script>" not in answer.text.replace('<script src="/stagehouse/static/frame.js" defer>', "")


@pytest.mark.parametrize("path", ["", "?day=2026-11-20", "2026-11-20/index.html"])
def test_reports_that_cannot_be_read(reader: httpx.Client, server: ApiServer, hidden: Path, path: str):
    """Names the variable and the next step, fenced in like any answer; the file is in the log only."""
    (hidden / "phrase_views").symlink_to("phrase_views")  # leads to itself: not even root can read it
    try:
        answer = reader.get(PHRASES + path)
    finally:
        (hidden / "phrase_views").unlink()
    assert answer.status_code == 503
    assert "reports_root" in answer.text
    assert "may read all of it" in answer.text
    assert str(hidden) not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert f"Too many levels of symbolic links: '{hidden}" in server.log.read_text()


def test_a_file_in_place_of_the_reports(reader: httpx.Client, hidden: Path):
    """Is no report, and no crash."""
    (hidden / "phrase_views").write_text("not a directory")
    try:
        answers = [reader.get(PHRASES + path) for path in ("", "?day=2026-11-20")]
    finally:
        (hidden / "phrase_views").unlink()
    assert [answer.status_code for answer in answers] == [503, 404]


def test_the_page_of_a_run(reader: httpx.Client):
    """Leads a run of either DAG to the day that it rendered."""
    ranked = "ranked__2026-11-20T00:30:00+00:00"
    for dag_id, run_id, page in [
        ("phrase_views_report", f"{RUN[:-1]}1", "/stagehouse/phrase-views/?day=2026-11-19"),
        ("github_top_repositories", ranked, "/stagehouse/top-repositories/?day=2026-11-20"),
    ]:
        answer = reader.get(
            "/stagehouse/runs/", params={"dag_id": dag_id, "run_id": run_id}, follow_redirects=True
        )
        assert (answer.status_code, answer.url.raw_path.decode()) == (200, page)


def test_every_run_of_a_day_has_its_page(reader: httpx.Client, hidden: Path):
    """Also one that found the day published as it is, and one whose day was published again later."""
    pages = hidden / "phrase_views"
    write_phrase_views(hidden, "2026-11-20", "first", (1,))
    write_run_note(pages, "found it so", date(2026, 11, 20))
    write_phrase_views(hidden, "2026-11-20", "later", (1,))
    for run_id in ("first", "found it so", "later"):
        asked = {"dag_id": "phrase_views_report", "run_id": run_id}
        answer = reader.get("/stagehouse/runs/", params=asked)
        assert (answer.status_code, answer.headers["location"]) == (303, "../phrase-views/?day=2026-11-20")


def test_a_run_without_page(reader: httpx.Client):
    """Says why a run has no page: not rendered yet, or a DAG that makes none."""
    params = {"dag_id": "phrase_views_report", "run_id": "manual__<b>"}
    html = reader.get("/stagehouse/runs/", params=params).text
    assert "<code>manual__&lt;b&gt;</code> has not rendered its page" in html
    assert 'href="/stagehouse/phrase-views/"' in html
    html = reader.get("/stagehouse/runs/", params={"dag_id": "postgres_health", "run_id": "x"}).text
    assert "The DAG postgres_health makes no page" in html


def test_a_day_rendered_anew(reader: httpx.Client, hidden: Path):
    """Shows what is there now, without a restart."""
    campaigns = {"campaign": "all"}
    write_phrase_views(hidden, "2026-11-19", "first", (1,))
    assert "first" in reader.get(PHRASES, params=campaigns).text
    write_phrase_views(hidden, "2026-11-20", "second", (1,))
    write_phrase_views(hidden, "2026-11-19", "third", (1,))
    assert "second" in reader.get(PHRASES, params=campaigns).text
    assert "third" in reader.get(PHRASES, params={"day": "2026-11-19", **campaigns}).text
