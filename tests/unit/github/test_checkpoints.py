"""A run that another version began: its files are read as they are, and ours are the same to the byte."""

import asyncio
from datetime import date
from pathlib import Path

from include.github.api.models import Repository
from include.github.commits.checkpoint import CommitCheckpoint
from include.github.commits.source import FetchedRepository
from include.github.search.checkpoint import CheckpointedSearch
from include.github.search.source import PageRequest, PageResult
from include.http.request_cost import RequestCost

DAY = date(2026, 8, 20)
API, ASKED = "https://api.github.com by RestSearch", [PageRequest("stars:>1")]
# As version 0.1.0 wrote them.
FETCHED = """\
{"position":1,"id":7,"repo":"octo/repo-7","day":"2026-08-20","outcome":"ok","commits":1,"outside":0,"cleaned":0,\
"requests":2,"retries":0,"points":0,"unchanged":0,"authors":{"zoë":1}}
{"position":2,"id":8,"repo":"octo/repo-8","day":"2026-08-20","outcome":"gone","commits":0,"outside":0,"cleaned":0,\
"requests":1,"retries":0,"points":0,"unchanged":0,"authors":{}}
"""
SEARCHED = """\
{"api":"https://api.github.com by RestSearch","asked":[["stars:>1",100,"",false]],"found":[{"total_count":2,\
"next":"","incomplete":false,"repositories":2}],"cost":{"requests":1,"retries":0,"points":0,"unchanged":0}}
{"id":7,"owner":{"login":"octo"},"name":"repo-7","stargazers_count":9,"watchers_count":9,"forks_count":1,\
"language":"","updated_at":"2026-08-20T10:00:00Z","pushed_at":"2026-08-20T10:00:00Z"}
{"id":8,"owner":{"login":"octo"},"name":"repo-8","stargazers_count":9,"watchers_count":9,"forks_count":1,\
"language":"","updated_at":"2026-08-20T10:00:00Z","pushed_at":"2026-08-20T10:00:00Z"}
"""
REPOSITORIES = tuple(Repository.model_validate_json(line) for line in SEARCHED.splitlines()[1:])
RECORDS = [FetchedRepository.model_validate_json(line) for line in FETCHED.splitlines()]


class Ranked(list):
    """The repositories of a day."""

    day = DAY


class OnePage:
    """A search with one page of results. Attributes: asked, what was."""

    capacity = wanted = 1000
    width = 1

    def __init__(self) -> None:
        self.asked = []

    async def read(self, pages, cost):
        """Answer."""
        self.asked += pages
        cost.requests += 1
        return [PageResult(2, REPOSITORIES) for _ in pages]


def put(directory: Path, name: str, text: str) -> Path:
    """Write a file as another version did."""
    path = directory / name
    path.parent.mkdir()
    path.write_text(text)
    return path


async def search(directory: Path) -> tuple[OnePage, list[PageResult], RequestCost]:
    """Ask as a run does."""
    page, cost = OnePage(), RequestCost()
    kept = CheckpointedSearch(page, directory, API, check_lease=lambda: None, spend=print)
    return page, await kept.read(ASKED, cost), cost


async def test_what_another_version_asked_is_not_asked_again(tmp_path):
    """Neither pages of a search nor commits."""
    put(tmp_path, "searched/000001.ndjson", SEARCHED)
    put(tmp_path, "fetched/1-7.ndjson", FETCHED)
    page, found, cost = await search(tmp_path)
    assert (page.asked, found, cost.requests) == ([], [PageResult(2, REPOSITORIES)], 1)
    commits = CommitCheckpoint(tmp_path, Ranked(REPOSITORIES))
    assert list(commits) == RECORDS
    assert list(commits.left()) == []


async def test_another_version_finds_what_it_would_have_written(tmp_path):
    """The same names, the same bytes."""
    await search(tmp_path)
    CommitCheckpoint(tmp_path, Ranked(REPOSITORIES)).save(RECORDS)
    files = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*.*")}
    assert files == {"searched/000001.ndjson": SEARCHED, "fetched/1-7.ndjson": FETCHED}


async def test_what_was_left_out_of_a_page_is_still_known(tmp_path):
    """A later try that reads it from the file counts it too: else the list would seem to be cut short."""
    page = OnePage()
    left_out = PageResult(3, REPOSITORIES, odd=("'x/y': owner: is null",))
    page.read = lambda _pages, _cost: asyncio.sleep(0, [left_out])
    kept = CheckpointedSearch(page, tmp_path, API, check_lease=lambda: None, spend=print)
    await kept.read(ASKED, RequestCost())
    _, found, _ = await search(tmp_path)
    assert found == [left_out]


def test_what_was_not_found_is_asked_again_without_the_rest(tmp_path):
    """The batch stays, less what was not found."""
    path = put(tmp_path, "fetched/1-7.ndjson", FETCHED)
    CommitCheckpoint(tmp_path, Ranked(REPOSITORIES)).forget_unseen()
    assert path.read_text() == FETCHED.splitlines(keepends=True)[0]
