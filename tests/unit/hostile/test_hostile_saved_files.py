"""Files that a run left for a later one, and recordings: read as they were written, or told and left out."""

import csv
import gzip
import io
import json
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.github.api.models import Repository
from include.github.api.page_cache import CachedPage, PageCache
from include.github.commits.checkpoint import CommitCheckpoint
from include.github.commits.source import FetchedRepository
from include.github.rank import RANKING, RankingHeader, save_ranking, saved_ranking
from include.github.request import TopRepositoriesRequest
from include.github_stand_in.recorded import read_recording
from include.github_stand_in.recording_rows import RecordingError
from include.http.cooldown_store import CooldownStore
from include.params import BadParam
from include.run_day import run_day
from tests.unit.hostile.values import OFTEN, any_text, anything, assert_names, damaged, json_text

DAY, NOW = date(2026, 8, 20), datetime(2026, 8, 21, 1, tzinfo=UTC)
REPOSITORY = {
    "id": 1, "owner": {"login": "a"}, "name": "b", "stargazers_count": 1, "watchers_count": 1,
    "forks_count": 1, "updated_at": "2026-08-20T10:00:00Z", "pushed_at": "2026-08-20T10:00:00Z",
}  # fmt: skip
HEADER = RankingHeader(
    request=TopRepositoriesRequest(top=1, query="stars:>1", day=DAY), fetched_at=NOW, requests=1, count=1
)
RANKED = (Repository.model_validate(REPOSITORY),)
RECORD = FetchedRepository(position=1, id=1, repo="a/b", day=DAY, outcome="ok", commits=1, authors={"c": 1})
CLOSURE = {"until": "2026-08-20T10:00:00Z", "reason": "x", "strikes": 1}
saved = (anything.map(json_text) | any_text).map(lambda text: text.encode("utf-8", "surrogatepass"))


def damaged_file(good: dict) -> st.SearchStrategy[bytes]:
    """Make files like a good one."""
    return saved | damaged(good).map(json_text).map(str.encode)


@OFTEN
@given(damaged_file(json.loads(HEADER.model_dump_json())), damaged_file(REPOSITORY))
@example(HEADER.model_dump_json().encode(), json.dumps(REPOSITORY).encode())
def test_a_saved_ranking(header, repository):
    """Is one, or GitHub is asked again."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / RANKING).write_bytes(header + b"\n" + repository + b"\n")
        read = saved_ranking(Path(directory))
        assert read is None or len(list(read)) == len(read)


@OFTEN
@given(damaged_file(json.loads(RECORD.model_dump_json())))
def test_a_saved_repository(data):
    """Is of this run, or it is asked for again."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        ranking = save_ranking(directory / RANKING, HEADER, RANKED)
        CommitCheckpoint(directory, ranking).save([RECORD])
        (path,) = (directory / "fetched").iterdir()
        path.write_bytes(data + b"\n")
        records = CommitCheckpoint(directory, ranking)
        read = list(records) if records.finished else []
    for record in read:
        assert (record.id, record.repo, record.day) == (1, "a/b", DAY)
        assert record.commits == sum(record.authors.values())


KEPT = {"account": "github:api:1", "url": "https://api/x", "etag": "e", "next_url": ""}


@OFTEN
@given(damaged_file({"core": CLOSURE}) | damaged(CLOSURE).map(lambda c: json_text({"core": c}).encode()))
def test_remembered_limits(data):
    """Are closures, or as if none were known."""
    with tempfile.TemporaryDirectory() as directory:
        memory = CooldownStore(Path(directory))
        memory.write("github:api:1", {})
        (path,) = Path(directory).iterdir()
        path.write_bytes(data)
        closures = memory.read("github:api:1")
        memory.write("github:api:1", closures)
        assert memory.read("github:api:1") == closures
    assert all(closure.until.tzinfo for closure in closures.values())


@OFTEN
@given(damaged_file(KEPT) | st.builds(gzip.compress, damaged_file(KEPT)))
def test_kept_pages(data):
    """Are answers to just that request, or as if they were not there."""
    with tempfile.TemporaryDirectory() as directory:
        kept = PageCache(Path(directory), lambda: NOW)
        kept.keep(CachedPage.model_validate(KEPT))
        (file,) = (Path(directory) / NOW.date().isoformat()).iterdir()
        file.write_bytes(data)
        found = kept.find("github:api:1", "https://api/x")
    assert found is None or (found.account, found.url) == ("github:api:1", "https://api/x")
    assert found is None or (found.etag.isascii() and found.etag.isprintable())  # it is sent


@OFTEN
@given(any_text)
@example("20260820")
@example("2026-W34-4")
@example("2026-08-20\n")
def test_a_partition_key(key):
    """Is a day as it is written everywhere, or named."""
    try:
        day = run_day(key, NOW)
    except BadParam as refusal:
        assert_names(refusal, "partition_key")
    else:
        assert key == "" or day.isoformat() == key


REPOSITORIES = {
    "owner": "a", "name": "b", "stars": "5", "forks": "1", "open_issues": "0", "language": "",
    "pushed_at": "2026-08-20T10:00:00Z",
}  # fmt: skip
COMMITS = {
    "owner": "a", "name": "b", "sha": "a" * 40, "committed_at": "2026-08-20T10:00:00Z", "author_login": "c",
    "author_name": "C",
}  # fmt: skip
cells = st.text(max_size=10) | any_text.filter(lambda text: len(text) < 20_000)


def table(row: dict) -> bytes:
    """Write a CSV of one row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row))
    writer.writeheader()
    writer.writerow({name: str(value) for name, value in row.items()})
    return text.getvalue().encode("utf-8", "surrogatepass")


def recording(directory: Path, repositories: bytes, commits: bytes) -> Path:
    """Write the files of a recording."""
    (directory / "repositories.csv").write_bytes(repositories)
    (directory / "commits.csv.gz").write_bytes(commits)
    return directory


@OFTEN
@given(damaged(REPOSITORIES, cells), damaged(COMMITS, cells))
def test_a_recording(repositories, commits):
    """Is served, also moved to another day; or file, line and column are named."""
    with tempfile.TemporaryDirectory() as directory:
        path = recording(Path(directory), table(repositories), gzip.compress(table(commits)))
        try:
            moved = read_recording(path).shift_to(date(2099, 12, 31))
        except RecordingError as refusal:
            assert_names(refusal, "repositories.csv", "commits.csv.gz")
        else:
            assert moved.last_day == date(2099, 12, 31)


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\x1f\x8b",
        gzip.compress(b"x" * 99)[:-9],
        gzip.compress(b"x" * 99)[:12] + b"\xff" * 20,
        gzip.compress(b"owner\n\xff"),
        gzip.compress(b'"' + b"x" * 200_000),
    ],
    ids=["empty", "begun", "cut", "damaged", "no UTF-8", "open quote"],
)
def test_a_recording_that_cannot_be_unpacked(tmp_path, packed):
    """Cut, damaged, no UTF-8, or a value without an end: the file is named."""
    with pytest.raises(RecordingError, match=r"commits\.csv\.gz"):
        read_recording(recording(tmp_path, table(REPOSITORIES), packed))
