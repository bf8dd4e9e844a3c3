"""The phrase-views files of a day: what they say, of whatever they are given."""

import csv
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fsspec import filesystem
from hypothesis import given
from hypothesis import strategies as st

from include.pages.campaign_page import FALLS, HEAT_MAP_PHRASES, HOUR_RULES, ROWS_AT_ONCE, short
from include.pages.phrase_views import RowsOutOfOrder, render_phrase_views
from include.phrase_views.hours import hours
from include.phrase_views.report_row import ReportRow
from include.phrase_views.request import PhraseViewsRequest

DAY = date(2025, 1, 1)
REQUEST = PhraseViewsRequest(day=DAY)
RUN = {"run_id": "manual__<b>1", "published_at": datetime(2025, 1, 2, 0, 20, 5, tzinfo=UTC)}
PHRASE = "платье"
HOSTILE = [
    "</script><script>document.title='owned'</script>\"'&",
    "</td></tr></table><img src=x onerror=alert(1)>",
    "=cmd|'/C calc'!A0",
    "\u202ereversed, and never ended",
    "two\nlines\tand a tab",
    "x" * 10_000,
]


def row(
    phrase: str, hour: int, views: int, *flags: str, campaign: int = 1111111, **more: object
) -> ReportRow:
    """Views gained in an hour of the day, UTC unless told."""
    start = datetime(2025, 1, 1, hour, tzinfo=UTC)
    return ReportRow(campaign, phrase, hour, views, flags, start, "UTC", "sample", "correct")._replace(**more)


EXAMPLE = [row(PHRASE, hour, views) for hour, views in ((12, 1), (13, 4), (14, 6), (15, 4))]


def render(root: Path, rows: list[ReportRow], request: PhraseViewsRequest = REQUEST) -> Path:
    """Render a day and return its directory."""
    return render_phrase_views(root, request, rows, **RUN)


def page(root: Path, rows: list[ReportRow], request: PhraseViewsRequest = REQUEST) -> str:
    """Render a day and return the page of its first campaign."""
    return (render(root, rows, request) / f"{rows[0].campaign_id}.html").read_text()


def files(directory: Path) -> dict[str, bytes]:
    """Names and contents."""
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def text_of(html: str) -> str:
    """The page's words in one line, without tags, style and script."""
    bare = re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)
    return " ".join(bare.split())


class Cells(HTMLParser):
    """Reads the texts of the cells of the table whose class is `name`, row by row."""

    def __init__(self, html: str, name: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._within, self._name = False, name
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a table, a row or a cell."""
        if tag == "table":
            self._within = ("class", self._name) in attrs
        elif self._within and tag == "tr":
            self.rows.append([])
        elif self._within and tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        """Add to the cell."""
        if self._within and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data if data.strip() else ""

    def handle_endtag(self, tag: str) -> None:
        """End the table."""
        self._within = self._within and tag != "table"


def test_the_example_to_the_letter(tmp_path: Path):
    """The TSV is exactly the required one."""
    text = (render(tmp_path, EXAMPLE) / "1111111.tsv").read_text()
    assert text == f"phrase\tviews_by_hour\n{PHRASE}\t[(15, 4), (14, 6), (13, 4), (12, 1)]\n"


def test_the_example_as_a_page(tmp_path: Path):
    """Says totals, time zone, hour rule, and by which run it was published, all escaped."""
    html = page(tmp_path, EXAMPLE)
    hours_text = "15:_4_· 14:_6_· 13:_4_· 12:_1".replace("_", "\N{NO-BREAK SPACE}")
    assert Cells(html, "phrases").rows[1] == [PHRASE, "15", hours_text, ""]
    heat = Cells(html, "heat").rows
    assert heat[0] == ["Phrase", *(f"{hour:02}" for hour in range(24)), "Day"]
    assert heat[1] == [PHRASE, *[""] * 12, "1", "4", "6", "4", *[""] * 8, "15"]
    assert heat[2][0] == "All phrases"
    said = text_of(html)
    assert "15 views of 1 phrase, most in hour 14: 6." in said
    assert f"Hours of UTC; {HOUR_RULES['sample']}." in said
    assert "Published 2025-01-02 00:20:05 UTC by run manual__&lt;b&gt;1 ." in said


def test_flags_are_marked_hour_by_hour(tmp_path: Path):
    """In the heat map and in the table, with a legend; an hour that is only flagged shows its 0."""
    flagged = [row("a", 1, 0, "partial"), row("a", 2, 7, "gap", "reset"), row("b", 2, 1, "corrected")]
    html = page(tmp_path, flagged)
    assert Cells(html, "heat").rows[1][:4] == ["a", "", "0‡", "7†§"]
    assert Cells(html, "phrases").rows[1] == ["a", "7", "02:\xa07†§\xa0· 01:\xa00‡", "gap, partial, reset"]
    said = text_of(html)
    assert Cells(html, "heat").rows[2][3] == "1¶"
    assert "Flags: 1 corrected, 1 gap, 1 partial, 1 reset." in said
    assert "corrected ¶ the counter fell, to half its value or more: it gains nothing until" in said
    assert "gap † no sample for an hour or more" in said
    assert "reset § the counter fell" in said


def test_thousands_are_separated(tmp_path: Path):
    """Shows large numbers in full in the table, shortened in the heat map; the script sorts by the number."""
    html = page(tmp_path, [row("a", 3, 1_234_567)])
    assert Cells(html, "phrases").rows[1] == ["a", "1,234,567", "03:\xa01,234,567", ""]
    assert Cells(html, "heat").rows[1][4] == "1.2M"
    assert 'title="1,234,567"' in html
    assert 'data-sort="1234567"' in html


@pytest.mark.parametrize(
    ("views", "text"),
    [
        (0, "0"), (999, "999"), (1000, "1.0k"), (9949, "9.9k"), (9950, "10k"), (999_499, "999k"),
        (999_500, "1.0M"), (12_345_678, "12M"), (999_500_000, "1.0G"), (2_000_000_000_000, "2000G"),
    ],
)  # fmt: skip
def test_short_numbers(views: int, text: str):
    """Takes four signs, and never says 1000 of a unit that has a larger one."""
    assert short(views) == text


@given(st.integers(0, 999_499_999_999))
def test_short_numbers_are_short(views: int):
    """Is at most four signs and off by less than a twentieth."""
    text = short(views)
    size = {"k": 10**3, "M": 10**6, "G": 10**9}.get(text[-1], 1)
    assert len(text) <= 4
    assert abs(float(text.rstrip("kMG")) * size - views) <= views / 20


@pytest.mark.parametrize(
    ("day", "zone", "count", "twice"),
    [
        (date(2025, 10, 26), "Europe/Berlin", 25, ["02+02:00", "02+01:00"]),
        (date(2025, 3, 30), "Europe/Berlin", 23, []),
        (date(2025, 4, 6), "Australia/Lord_Howe", 25, ["01+11:00", "01+10:30"]),
    ],
)
def test_the_day_of_a_clock_change(tmp_path: Path, day: date, zone: str, count: int, twice: list[str]):
    """Has a column an hour; two of one name show their offset from UTC, in every place."""
    rows = [
        ReportRow(7, "a", hour.hour, 1 + at, (), hour.start, zone, "closing", "correct")
        for at, hour in enumerate(hours(day, zone))
    ]
    html = page(tmp_path, rows, PhraseViewsRequest(day=day))
    heat = Cells(html, "heat").rows
    assert len(heat[0]) == count + 2
    assert [name for name in heat[0] if "+" in name] == twice
    labels = [f"{name[:2]} {name[2:]}" for name in twice]
    assert all(f">{label}</text>" in html for label in labels)
    hours_text = Cells(html, "phrases").rows[1][2].replace("\xa0", " ")
    assert [part.rpartition(":")[0] for part in hours_text.split(" · ") if "+" in part] == labels[::-1]
    assert f"Clocks changed on this day: it has {count} hours" in text_of(html)
    assert f"Hours of {zone}; {HOUR_RULES['closing']}." in text_of(html)


def test_a_campaign_has_its_own_time_zone(tmp_path: Path):
    """Each page and each entry of the index takes zone and rule from its rows, whatever this run asked."""
    berlin = row("b", 13, 2, campaign=2222222, time_zone="Europe/Berlin", hour_rule="closing", falls="reset")
    directory = render(tmp_path, [*EXAMPLE, berlin._replace(hour_start=datetime(2025, 1, 1, 12, tzinfo=UTC))])
    assert "Hours of UTC" in (directory / "1111111.html").read_text()
    assert "Hours of Europe/Berlin" in (directory / "2222222.html").read_text()
    for campaign, falls in ((1111111, "correct"), (2222222, "reset")):
        assert f"Counters that fall: {FALLS[falls]}." in text_of((directory / f"{campaign}.html").read_text())
    assert json.loads((directory / "index.json").read_text()) == {
        "day": "2025-01-01",
        "run_id": "manual__<b>1",
        "published_at": "2025-01-02T00:20:05+00:00",
        "asked_for": [],
        "time_zone": "UTC",
        "hour_rule": "sample",
        "falls": "correct",
        "campaigns": [
            {
                "campaign_id": 1111111, "phrases": 1, "views": 15, "flags": {},
                "time_zone": "UTC", "hour_rule": "sample", "falls": "correct",
            },
            {
                "campaign_id": 2222222, "phrases": 1, "views": 2, "flags": {},
                "time_zone": "Europe/Berlin", "hour_rule": "closing", "falls": "reset",
            },
        ],
    }  # fmt: skip


def test_the_list_of_campaigns(tmp_path: Path):
    """Leads to the page of each, beside it on the disk."""
    directory = render(tmp_path, [*EXAMPLE, row("b", 1, 1500, "reset", campaign=2222222)])
    html = (directory / "index.html").read_text()
    assert re.findall(r'href="([^"]*)"', html) == ["1111111.html", "2222222.html"]
    assert all((directory / name).exists() for name in re.findall(r'href="([^"]*)"', html))
    assert "1,515 views of 2 phrases in 2 campaigns." in text_of(html)


def test_a_report_of_some_campaigns_says_so(tmp_path: Path):
    """As far as it is known: what the run was asked for, and that others may never have been reported."""
    some = PhraseViewsRequest(day=DAY, campaign_ids=(1111111, 7))
    directory = render(tmp_path, EXAMPLE, some)
    assert json.loads((directory / "index.json").read_text())["asked_for"] == [7, 1111111]
    said = "The run that rendered this was asked for 2 campaigns only: 7, 1111111. Others are here as far as"
    assert said in text_of((directory / "index.html").read_text())
    assert "only:" not in text_of((render(tmp_path, EXAMPLE) / "index.html").read_text())
    assert "No phrase of these campaigns gained" in (render(tmp_path, [], some) / "index.html").read_text()


def test_any_int32_is_a_campaign(tmp_path: Path):
    """Other systems number them: 0 and less have their files, which go like any other's."""
    numbers = [-(2**31), -5, 0, 2**31 - 1]
    directory = render(tmp_path, [row("a", 1, 1, campaign=number) for number in numbers])
    pages = {f"{number}.html" for number in numbers}
    assert {name for name in files(directory) if name.endswith(".html")} == {"index.html", *pages}
    assert set(re.findall(r'href="([^"]*)"', (directory / "index.html").read_text())) == pages
    assert sorted(files(render(tmp_path, []))) == ["index.html", "index.json", "rows.csv"]


def test_who_may_no_longer_write_changes_nothing(tmp_path: Path):
    """A lease lost before the first change leaves the day in sight; later, it leaves no index."""
    directory = render(tmp_path, EXAMPLE)
    before = files(directory)
    for allowed in range(4):
        left = iter(range(allowed))
        with pytest.raises(StopIteration):
            render_phrase_views(
                tmp_path, REQUEST, EXAMPLE, run_id="other", published_at=RUN["published_at"],
                check_lease=lambda left=left: next(left),
            )  # fmt: skip
        assert (files(directory) == before, "index.json" in files(directory)) == ((not allowed,) * 2)


def test_other_users_may_read_the_files(tmp_path: Path):
    """As the umask has it: the API server that shows them need not be the worker's user."""
    before = os.umask(0o022)
    try:
        directory = render(tmp_path, EXAMPLE)
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in directory.iterdir()} == {0o644}


def test_an_empty_day(tmp_path: Path):
    """Has a page that says so, a CSV of its header, and no file of a campaign that was there before."""
    render(tmp_path, EXAMPLE)
    directory = render(tmp_path, [])
    assert sorted(files(directory)) == ["index.html", "index.json", "rows.csv"]
    said = text_of((directory / "index.html").read_text())
    assert "No phrase of any campaign gained a view on this day: the report is empty." in said
    assert "Published 2025-01-02 00:20:05 UTC by run manual__&lt;b&gt;1 ." in said
    assert json.loads((directory / "index.json").read_text())["campaigns"] == []
    header = b"date,campaign_id,phrase,hour,views,flags,hour_start,time_zone,hour_rule,falls\r\n"
    assert (directory / "rows.csv").read_bytes() == header


def test_a_campaign_that_only_has_flags(tmp_path: Path):
    """Says that nothing was gained, and shows the flags."""
    html = page(tmp_path, [row("a", 1, 0, "partial")])
    assert "No phrase gained a view on this day." in text_of(html)
    assert Cells(html, "heat").rows[1][2] == "0‡"


def test_the_csv_gives_the_rows_back(tmp_path: Path):
    """Phrases unchanged, whatever a spreadsheet would make of them."""
    rows = [row(phrase, 3, 2, "gap", "reset") for phrase in sorted(HOSTILE)]
    with (render(tmp_path, rows) / "rows.csv").open(newline="") as file:
        header, *lines = csv.reader(file)
    assert [line[header.index("phrase")] for line in lines] == sorted(HOSTILE)
    assert {tuple(line[3:]) for line in lines} == {
        ("3", "2", "gap,reset", "2025-01-01T03:00:00+00:00", "UTC", "sample", "correct")
    }


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda phrase: phrase[:12])
def test_a_phrase_stays_text(tmp_path: Path, hostile: str):
    """Names no element and closes none; it is in the table whole, isolated from its surroundings."""
    html = page(tmp_path, [row(hostile, 3, 2)])
    assert html.count("<script") == html.count("</script") == 1
    assert "<img" not in html
    assert Cells(html, "phrases").rows[1][0] == hostile
    assert len(re.findall(r"<bdi>[^<]*</bdi>", html)) == html.count("<bdi>") == 2


def test_nothing_is_asked_of_other_places(tmp_path: Path):
    """Names no address, loads no file, and has no style or script in an attribute."""
    directory = render(tmp_path, [*EXAMPLE, row("b", 1, 1, campaign=2222222)])
    for name in ("1111111.html", "index.html"):
        html = (directory / name).read_text()
        assert set(re.findall(r"[a-z]+://[^\s\"'<>]+", html)) <= {"http://www.w3.org/2000/svg"}
        assert not re.search(r"<[^>]+\s(style|src|on\w+)=", html)
        assert html.count("<style>") == html.count("<script>") == 1
        assert "<!--" not in html


def test_the_same_rows_give_the_same_bytes(tmp_path: Path):
    """Rendered again, also over what is there, every file is as before."""
    rows = [*EXAMPLE, row("b", 1, 1, "gap", campaign=2222222)]
    once = files(render(tmp_path / "one", rows))
    assert files(render(tmp_path / "two", rows)) == once
    assert files(render(tmp_path / "one", rows)) == once


@pytest.mark.parametrize(
    "second", [row("a", 1, 1), row(PHRASE, 15, 4), row(PHRASE, 14, 9), row("z", 1, 1, campaign=1)]
)
def test_rows_out_of_order_are_refused(tmp_path: Path, second: ReportRow):
    """Names both rows and leaves the index that was there, instead of writing half a campaign."""
    before = files(render(tmp_path, EXAMPLE))
    with pytest.raises(RowsOutOfOrder) as refused:
        render(tmp_path, [*EXAMPLE, second])
    assert (refused.value.row, refused.value.before) == (second, EXAMPLE[-1])
    assert files(tmp_path / "phrase_views" / "2025-01-01") == before


def test_rows_are_read_once_and_campaign_by_campaign(tmp_path: Path):
    """Writes the page of a campaign before it reads on: memory is bounded by one of them."""
    directory = tmp_path / "phrase_views" / "2025-01-01"

    def rows() -> Iterator[ReportRow]:
        for campaign in (1, 2, 3):
            yield row("a", 1, 1, campaign=campaign)
            assert not (directory / f"{campaign}.html").exists()
            assert campaign < 3 or (directory / "1.html").exists()

    render_phrase_views(directory.parent.parent, REQUEST, rows(), **RUN)
    assert (directory / "3.html").exists()


def test_thousands_of_phrases(tmp_path: Path):
    """Has all in the table, the most viewed in the heat map, and leaves rows to be laid out when asked."""
    html = page(tmp_path, [row(f"phrase {number:04}", number % 24, number + 1) for number in range(1000)])
    assert len(Cells(html, "phrases").rows) == 1 + 1000
    heat = Cells(html, "heat").rows[1:-1]
    assert [cells[0] for cells in heat] == [f"phrase {999 - at:04}" for at in range(HEAT_MAP_PHRASES)]
    assert html.count('<tr class="later">') == 1000 - ROWS_AT_ONCE
    assert "Top 40 of 1,000 phrases by hour" in text_of(html)


def test_an_object_store(tmp_path: Path):
    """Gets the same files, byte for byte."""
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach

    attach("memory", fs=filesystem("memory"))
    store = ObjectStoragePath("memory://phrase-views-pages/reports")
    on_disk = files(render(tmp_path, EXAMPLE))
    render(store, [*EXAMPLE, row("b", 1, 1, campaign=2222222)])
    directory = render(store, EXAMPLE)
    try:
        assert {file.name: file.read_bytes() for file in directory.iterdir()} == on_disk
    finally:
        store.fs.rm(store.path, recursive=True)


def test_an_hour_that_the_zone_no_longer_has(tmp_path: Path):
    """Shows every row, also one whose hour the zone's rules of today would begin elsewhere."""
    odd = row("a", 5, 3, hour_start=datetime(2025, 1, 1, 5, tzinfo=UTC) + timedelta(minutes=30))
    heat = Cells(page(tmp_path, [odd]), "heat").rows
    assert len(heat[0]) == 25 + 2
    assert heat[1][-1] == "3"
    assert heat[1].count("3") == 2
