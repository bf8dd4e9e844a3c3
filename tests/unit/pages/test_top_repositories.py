"""The page of the top repositories: what it says, of whatever it is given."""

import csv
import hashlib
import json
import os
import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from include.github.movement import Movement
from include.pages.top_repositories import OUTCOMES, render_top_repositories, steps
from include.pages.top_repositories_data import ActiveAuthor, Publication, RepositoryDay, TopRepositories

DAY = date(2026, 11, 20)
PUBLISHED = Publication("scheduled__2026-11-21", datetime(2026, 11, 21, 0, 31, 2, tzinfo=UTC))
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
UNKNOWN = Movement("unknown")


def repository(repo: str, position: int | None = 1, **more: object) -> RepositoryDay:
    """A repository of the day, that stays where it was unless told."""
    stars = None if position is None else 1000 - position
    row = RepositoryDay(repo, position, stars, UNKNOWN, UNKNOWN, "ok", 0, 0, (), (position,), (stars,))
    return row._replace(**more)


def page_of(*repositories: RepositoryDay, **more: object) -> TopRepositories:
    """A day with these repositories, ranked that day only unless told."""
    commits = sum(row.commits for row in repositories)
    data = TopRepositories(DAY, PUBLISHED, PUBLISHED, repositories, (), 0, commits, (DAY,), ())
    return data._replace(**more)


class Cells(HTMLParser):
    """Reads the text of each row of a page's table with the id `ranking`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        table = re.search(r'<table id="ranking".*?</table>', html, re.DOTALL)
        self.feed(table[0] if table else "")
        self.close()

    def handle_starttag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        """Begin a row or a cell."""
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        """Add to the cell."""
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data

    def close(self) -> None:
        """Read on to the end; white space counts as one blank."""
        super().close()
        self.rows = [[" ".join(cell.split()) for cell in row] for row in self.rows]


def html_of(directory: Path) -> str:
    """The page as text."""
    return (directory / "index.html").read_text()


def text_of(html: str) -> str:
    """The page's words in one line, without tags, style and script."""
    bare = re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", "", html, flags=re.DOTALL)
    return " ".join(bare.split())


def test_the_ranking_and_its_movement(tmp_path: Path):
    """Shows position, stars, new, up, down, same and unknown in the words of the legend."""
    moved = [
        repository("a/same", 1, day_before=Movement("same", 0, 5), week_before=Movement("up", 2, 1234)),
        repository("b/down", 2, day_before=Movement("down", -3, -40), week_before=Movement("same", 0, 0)),
        repository("c/new", 3, day_before=Movement("new"), commits=12, authors=5, busiest=(("ann", 9),)),
    ]
    html = html_of(render_top_repositories(tmp_path, page_of(*moved)))
    assert Cells(html).rows[1:] == [
        ["1", "a/same", "999", "=", "▲ 2", "+5", "+1,234", "0", ""],
        ["2", "b/down", "998", "▼ 3", "=", "−40", "0", "0", ""],  # noqa: RUF001 - a minus, not a hyphen
        ["3", "c/new", "997", "new", "?", "?", "?", "12", "ann 9 and 4 more"],
    ]
    assert "Published 2026-11-21 00:31:02 UTC by run scheduled__2026-11-21." in text_of(html)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_commits_and_outcomes(tmp_path: Path, outcome: str | None):
    """Never shows 0 where the number is not known, and says in words why there are none."""
    html = html_of(render_top_repositories(tmp_path, page_of(repository("a/a", outcome=outcome))))
    shown = {
        "ok": "0", "moved": "moved 0", "unpushed": "no push 0", "empty": "empty 0",
        "gone": "gone ?", "blocked": "blocked ?", "forbidden": "forbidden ?", None: "not asked ?",
    }  # fmt: skip
    assert Cells(html).rows[1][7] == shown[outcome]
    assert not OUTCOMES[outcome].note or OUTCOMES[outcome].meaning in text_of(html)


def test_thousands_are_set_apart(tmp_path: Path):
    """In whatever number of the page; years are none."""
    moved, busy = Movement("up", 1100, 5000), {"commits": 2000, "authors": 3000, "busiest": (("ann", 2000),)}
    changes = {"day_before": moved, "week_before": moved, "outcome": "moved", **busy}
    rows = [repository("a/a", n, **changes) for n in range(1, 1201)]
    more = {"authors": (ActiveAuthor("ann", 2000, 1500, "a/a"),), "left": ("b/b",) * 1200}
    text = text_of(html_of(render_top_repositories(tmp_path, page_of(*rows, **more))))
    assert re.findall(r"(?<![\d,])\d{4,}(?!-)", text) == []
    assert "1,200 shown." in text


def test_a_day_before_that_is_not_stored(tmp_path: Path):
    """Says that movement is unknown, naming the day."""
    days = (DAY - timedelta(days=7), DAY)
    text = text_of(html_of(render_top_repositories(tmp_path, page_of(repository("a/a"), days=days))))
    assert "No ranking is stored for 2026-11-19: movement against the day before is not known." in text
    assert "No ranking is stored for 2026-11-13" not in text


def test_a_backfilled_day(tmp_path: Path):
    """Says that there is no ranking, shows the commits, and offers neither stars nor charts."""
    busy = repository("b/b", None, commits=7, authors=1, busiest=(("ann", 7),))
    html = html_of(render_top_repositories(tmp_path, page_of(busy, days=(), ranked=None)))
    assert Cells(html).rows == [
        ["Repository", "Commits", "Most active authors"],
        ["b/b", "7", "ann 7"],
    ]
    assert "No ranking is stored for this day" in html
    assert "data-places" not in html
    assert "Movement" not in text_of(html)


def test_a_ranking_of_another_run(tmp_path: Path):
    """Names both runs, and both repositories that only one of them has."""
    nightly = Publication("nightly", datetime(2026, 11, 21, tzinfo=UTC))
    both = [repository("a/a", outcome=None), repository("b/b", None, commits=1)]
    html = html_of(render_top_repositories(tmp_path, page_of(*both, ranked=nightly)))
    assert "by run scheduled__2026-11-21; the ranking 2026-11-21 00:00:00 UTC by run nightly." in text_of(
        html
    )
    assert [row[:3] for row in Cells(html).rows[1:]] == [["1", "a/a", "999"], ["–", "b/b", "–"]]  # noqa: RUF001


def test_an_empty_day(tmp_path: Path):
    """Says so, and has no table."""
    directory = render_top_repositories(tmp_path, page_of(days=(), ranked=None))
    assert "No repository is stored for this day." in text_of(html_of(directory))
    assert "<table" not in html_of(directory)
    assert json.loads((directory / "index.json").read_text())["repositories"] == 0


def test_what_came_from_outside_stays_text(tmp_path: Path):
    """Repositories, authors and the run's id can name no element and close none."""
    hostile = repository(f"x/{HOSTILE}", outcome="ok", authors=1, busiest=((HOSTILE, 1),), commits=1)
    author = ActiveAuthor(HOSTILE, 1, 1, f"x/{HOSTILE}")
    run = Publication(HOSTILE, PUBLISHED.published_at)
    data = page_of(hostile, authors=(author,), published=run, left=(HOSTILE,))
    html = html_of(render_top_repositories(tmp_path, data))
    assert html.count("<script") == 1
    assert "<img" not in html
    assert Cells(html).rows[1][1] == f"x/{HOSTILE}"


def test_the_same_data_give_the_same_bytes(tmp_path: Path):
    """Rendered again, also over what is there, every file is as before."""
    data = page_of(repository("a/a"), repository("b/b", 2, outcome="gone"))
    once = render_top_repositories(tmp_path / "one", data)
    for root in ("two", "one"):
        again = render_top_repositories(tmp_path / root, data)
        assert {file.name: file.read_bytes() for file in again.iterdir()} == {
            file.name: file.read_bytes() for file in once.iterdir()
        }


def test_nothing_is_asked_of_other_places(tmp_path: Path):
    """Names no address, loads no file, and has no style or script in an attribute."""
    html = html_of(render_top_repositories(tmp_path, page_of(repository("a/a"), repository("b/b", 2))))
    addresses = set(re.findall(r"[a-z]+://[^\s\"'<>]+", html))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<[^>]+\s(style|src|href|on\w+)=", html)
    assert html.count("<style>") == html.count("<script>") == 1


def test_the_index(tmp_path: Path):
    """Says the day, who published it and when, how many repositories there are, and which page it is of."""
    directory = render_top_repositories(tmp_path, page_of(repository("a/a"), repository("b/b", 2)))
    assert directory == tmp_path / "top_repositories" / "2026-11-20"
    assert json.loads((directory / "index.json").read_text()) == {
        "day": "2026-11-20",
        "run_id": "scheduled__2026-11-21",
        "published_at": "2026-11-21T00:31:02+00:00",
        "repositories": 2,
        "sha256": hashlib.sha256((directory / "index.html").read_bytes()).hexdigest(),
    }


def test_who_may_no_longer_write_changes_nothing(tmp_path: Path):
    """A lease lost before the first change leaves the day in sight; later, it leaves no index."""
    directory = render_top_repositories(tmp_path, page_of(repository("a/a")))
    before = {file.name: file.read_bytes() for file in directory.iterdir()}
    for allowed in range(2):
        left = iter(range(allowed))
        with pytest.raises(StopIteration):
            render_top_repositories(tmp_path, page_of(), check_lease=lambda left=left: next(left))
        found = {file.name: file.read_bytes() for file in directory.iterdir()}
        assert (found == before, "index.json" in found) == ((not allowed,) * 2)


def test_other_users_may_read_the_files(tmp_path: Path):
    """As the umask has it: the API server that shows them need not be the worker's user."""
    before = os.umask(0o022)
    try:
        directory = render_top_repositories(tmp_path, page_of(repository("a/a")))
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in directory.iterdir()} == {0o644}


def test_the_csv(tmp_path: Path):
    """Has a line a repository, and nothing where the page says that it is not known."""
    rows = [
        repository("a/a", day_before=Movement("down", -1, 3), commits=2, authors=1),
        repository("b/b", 2, day_before=Movement("new"), outcome="gone"),
    ]
    directory = render_top_repositories(tmp_path, page_of(*rows))
    with (directory / "repositories.csv").open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header[:6] == ["date", "position", "repo", "stars", "day_before", "places_since_day_before"]
    assert header[10:] == ["outcome", "commits", "authors"]
    assert lines == [
        ["2026-11-20", "1", "a/a", "999", "down", "-1", "3", "unknown", "", "", "ok", "2", "1"],
        ["2026-11-20", "2", "b/b", "998", "new", "", "", "unknown", "", "", "gone", "", ""],
    ]


@pytest.mark.parametrize(
    ("values", "text"),
    [((5, 7, None, 4), "5,2,,-3"), ((None, 5), ",5"), ((0, 0), "0,0"), ((), "")],
)
def test_steps(values: tuple[int | None, ...], text: str):
    """The first value, then differences; a day without one is empty and changes nothing."""
    assert steps(values) == text
