"""Recorded data."""

import gzip
import pickle
from datetime import UTC, date, datetime

import pytest

from include.github_stand_in.recorded import read_recording
from include.github_stand_in.recording_rows import RecordingError

REPOSITORIES = """\
owner,name,stars,forks,open_issues,language,pushed_at
amber,kit,30,3,1,Python,2026-08-21T23:00:00Z
Birch,kit,20,2,0,,2026-08-22T04:05:57Z
"""
SHAS = [f"{number:040x}" for number in range(4)]
COMMITS = f"""\
owner,name,sha,committed_at,author_login,author_name
amber,kit,{SHAS[0]},2026-08-21T23:59:59Z,anouk,Anouk A
amber,kit,{SHAS[1]},2026-08-21T00:00:00Z,,Müslüm
amber,kit,{SHAS[2]},2026-08-21T00:00:00Z,,
AMBER,Kit,{SHAS[3]},2026-08-20T23:59:59Z,anouk,Anouk A
"""
DAY = datetime(2026, 8, 21, tzinfo=UTC), datetime(2026, 8, 21, 23, 59, 59, tzinfo=UTC)


@pytest.fixture
def record(tmp_path):
    """Write a recording and return its directory."""

    def write(repositories=REPOSITORIES, commits=COMMITS):
        (tmp_path / "repositories.csv").write_text(repositories, encoding="utf-8")
        (tmp_path / "commits.csv.gz").write_bytes(gzip.compress(commits.encode()))
        return tmp_path

    return write


def shas(recorded, number, since, until, page=slice(0, 100)):
    """Return the numbers of the commits on a page, and the total."""
    commits, total = recorded.commits(recorded.repositories[number], since, until, page)
    return [SHAS.index(commit.sha) for commit in commits], total


def test_repositories_are_numbered_by_row(record):
    """Ids follow the order of the file; a blank language is none."""
    first, second = read_recording(record()).repositories
    assert (
        first.id,
        first.full_name,
        first.stars,
        first.forks,
        first.open_issues,
        first.language,
    ) == (1000, "amber/kit", 30, 3, 1, "Python")
    assert (second.id, second.full_name, second.language) == (1001, "Birch/kit", None)


def test_both_ends_of_a_range_are_included(record):
    """A commit in the first and one in the last second are found; the neighbour of either is not."""
    recorded = read_recording(record())
    assert shas(recorded, 0, *DAY) == ([0, 1, 2], 3)
    assert shas(recorded, 0, None, DAY[1]) == ([0, 1, 2, 3], 4)
    assert shas(recorded, 0, DAY[0], DAY[0]) == ([1, 2], 2)
    assert shas(recorded, 0, DAY[1], DAY[0]) == ([], 0)
    assert shas(recorded, 1, *DAY) == ([], 0)


def test_pages_are_cut_from_the_newest_on(record):
    """Pages follow each other; past the end there is nothing."""
    recorded = read_recording(record())
    pages = [shas(recorded, 0, *DAY, slice(at, at + 2)) for at in (0, 2, 4)]
    assert pages == [([0, 1], 3), ([2], 3), ([], 3)]


def test_accounts_are_told_from_names(record):
    """A commit without a login has no account; its name is kept as it is, blank or not."""
    recorded = read_recording(record())
    newest, second, third = recorded.commits(recorded.repositories[0], *DAY, slice(0, 9))[0]
    assert newest.author_account.login == "anouk"
    assert second.author_account is None
    assert [commit.author.name for commit in (newest, second, third)] == ["Anouk A", "Müslüm", ""]


def test_shift_moves_everything_by_whole_days(record):
    """Commits and pushes keep their time of day and their distance; the last commit falls on the day."""
    recorded = read_recording(record()).shift_to(date(2026, 11, 20))
    assert recorded.last_day == date(2026, 11, 20)
    day = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
    assert shas(recorded, 0, *day) == ([0, 1, 2], 3)
    as_of = datetime(2026, 11, 21, tzinfo=UTC)
    first, second = recorded.repositories
    assert recorded.pushed_at(first, as_of) == datetime(2026, 11, 20, 23, tzinfo=UTC)
    assert recorded.pushed_at(second, as_of) == datetime(2026, 11, 21, 4, 5, 57, tzinfo=UTC)


def test_recording_without_commits_is_not_moved(record):
    """There is no last day to move."""
    recorded = read_recording(record(commits=COMMITS.splitlines()[0] + "\n"))
    assert recorded.last_day is None
    assert recorded.shift_to(date(2026, 11, 20)) is recorded


def replaced(text, old, new):
    """Return the text with one thing changed; fails when it is not there."""
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "line", "column"),
    [
        (",30,", ",many,", 2, "stars"),
        (",20,", ",-1,", 3, "stars"),
        (",3,1,", ",٣,1,", 2, "forks"),
        (",3,1,", ",3,,", 2, "open_issues"),
        ("2026-08-22T04:05:57Z", "2026-08-22T04:05:57", 3, "pushed_at"),
        ("2026-08-22T04:05:57Z", "yesterday", 3, "pushed_at"),
        ("amber,kit", "../etc,kit", 2, "owner"),
        ("amber,kit", "amber,", 2, "name"),
        ("Birch,kit", "Amber,KIT", 3, "name"),
        ("stars,", "likes,", 1, "stars"),
        (",Python,", ",Python,extra,", 2, ""),
    ],
)
def test_names_what_is_wrong_with_a_repository(record, old, new, line, column):
    """The error leads to the file, the line and the column."""
    with pytest.raises(RecordingError) as failed:
        read_recording(record(repositories=replaced(REPOSITORIES, old, new)))
    assert failed.value.file.endswith("repositories.csv")
    assert (line, column) == (failed.value.line, failed.value.column)


@pytest.mark.parametrize(
    ("old", "new", "line", "column"),
    [
        (SHAS[1], "xyz", 3, "sha"),
        (SHAS[3], SHAS[0], 5, "sha"),
        ("2026-08-20T23:59:59Z", "2026-13-01T00:00:00Z", 5, "committed_at"),
        ("AMBER,Kit", "amber,unknown", 5, "name"),
    ],
)
def test_names_what_is_wrong_with_a_commit(record, old, new, line, column):
    """The error leads to the file, the line and the column."""
    with pytest.raises(RecordingError) as failed:
        read_recording(record(commits=replaced(COMMITS, old, new)))
    assert failed.value.file.endswith("commits.csv.gz")
    assert (line, column) == (failed.value.line, failed.value.column)


@pytest.mark.parametrize("broken", ["missing", "not packed", "cut off", "not UTF-8"])
def test_names_a_file_that_cannot_be_read(record, broken):
    """A file that is missing or damaged as a whole is named with the reason."""
    directory = record()
    file = directory / "commits.csv.gz"
    content = file.read_bytes()
    file.unlink()
    if broken != "missing":
        contents = {
            "not packed": b"owner,name",
            "cut off": content[:-12],
            "not UTF-8": gzip.compress(COMMITS.encode("latin-1")),
        }
        file.write_bytes(contents[broken])
    with pytest.raises(RecordingError, match=r"commits\.csv\.gz: cannot be read: \S"):
        read_recording(directory)


def test_error_survives_the_way_to_another_process():
    """Its text and facts are the same after pickling."""
    error = RecordingError("a.csv", 3, "stars", "'x' is not a whole number")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert str(copy).startswith("a.csv, line 3, column stars: 'x' is not a whole number. Next: correct")
    assert copy.line == 3
