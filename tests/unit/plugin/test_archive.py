"""Reading what the DAGs rendered, on a disk and in an object store."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from fsspec import filesystem
from hypothesis import example, given
from hypothesis import strategies as st

from include.pages.run_note import run_note, write_run_note
from include.pages.top_repositories import render_top_repositories
from include.pages.top_repositories_data import Publication, TopRepositories
from stagehouse.ui.archive import (
    Archive,
    NotPublished,
    RenderedRanking,
    UnreadableIndex,
    chunks,
    read_campaign,
    read_day,
)
from stagehouse.ui.days import neighbours

DAY = date(2026, 11, 20)
FACTS = {"day": "2026-11-20", "run_id": "r", "published_at": "2026-11-21T00:00:00Z", "repositories": 3}


@pytest.fixture(params=["disk", "object store"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator:
    """A reports_root: a directory, and one in a store behind ObjectStoragePath."""
    if request.param == "disk":
        yield tmp_path
        return
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach

    attach("memory", fs=filesystem("memory"))
    store = ObjectStoragePath(f"memory://{uuid4().hex}/reports")
    yield store
    with suppress(FileNotFoundError):
        store.fs.rm(store.path, recursive=True)


def write(root, name: str, data: bytes) -> None:
    """Write a file of the section `top_repositories`."""
    path = root / "top_repositories" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_days_newest_first(root):
    """Lists the directories that are days and nothing else, newest first."""
    for name in ("2026-11-19/index.json", "2026-11-20/index.json", "2026-02-30/x", "latest/x", "20261120/x"):
        write(root, name, b"{}")
    assert Archive(root, "top_repositories").days() == [DAY, date(2026, 11, 19)]


def test_nothing_rendered_yet(root):
    """Lists no day where the section has no directory, and has no newest one."""
    if not isinstance(root, Path):
        write(root, "../other", b"x")  # a store knows a prefix only by what is below it
    assert Archive(root, "nothing").days() == []
    assert Archive(root, "nothing").newest(RenderedRanking) is None


def test_the_index_that_the_renderer_writes(root):
    """Reads it whole: the day, the run that published it and when, and how many repositories there are."""
    published = Publication("scheduled__2026-11-21", datetime(2026, 11, 21, 0, 31, tzinfo=UTC))
    render_top_repositories(root, TopRepositories(DAY, published, None, (), (), 0, 0, (), ()))
    index = Archive(root, "top_repositories").newest(RenderedRanking)
    assert index == RenderedRanking(day=DAY, **published._asdict(), repositories=0)


def test_the_newest_finished_day(root):
    """Passes over a day whose index is not written yet."""
    write(root, "2026-11-20/index.json", json.dumps(FACTS).encode())
    write(root, "2026-11-21/index.html", b"half a day")
    newest = Archive(root, "top_repositories").newest(RenderedRanking)
    assert newest is not None
    assert (newest.day, newest.repositories) == (DAY, 3)


def test_a_file_is_read_by_pieces(root):
    """Yields a large file in pieces, all of it, and closes it."""
    data = bytes(range(256)) * 4096
    write(root, "2026-11-20/index.json", b"{}")
    write(root, "2026-11-20/rows.csv", data)
    file = Archive(root, "top_repositories").open(DAY, "rows.csv")
    pieces = list(chunks(file))
    assert b"".join(pieces) == data
    assert file.closed or not isinstance(root, Path)  # a file in memory stays open
    assert max(map(len, pieces)) <= 256 * 1024


def test_a_day_that_is_not_finished(tmp_path: Path):
    """Is not offered, and none of its files is shown: they may be of two publications."""
    write(tmp_path, "2026-11-20/index.json", b"{}")
    write(tmp_path, "2026-11-21/index.html", b"half a day")
    archive = Archive(tmp_path, "top_repositories")
    assert archive.days() == [DAY]
    with pytest.raises(NotPublished, match="2026-11-21, or it is not finished"):
        archive.open(date(2026, 11, 21), "index.html")


def test_a_damaged_index_hides_its_own_day_only(root, caplog: pytest.LogCaptureFixture):
    """Is passed over by a line in the log; who asks for that day, or where no other is, gets the error."""
    damaged, archive = date(2026, 11, 21), Archive(root, "top_repositories")
    write(root, f"{damaged}/index.json", b'{"day": "2026-11-21"')
    with pytest.raises(UnreadableIndex, match=r"top_repositories/2026-11-21/index\.json: the file: Invalid"):
        archive.newest(RenderedRanking)
    write(root, "2026-11-20/index.json", json.dumps(FACTS).encode())
    newest = archive.newest(RenderedRanking)
    assert newest is not None
    assert newest.day == DAY
    assert "passed over: top_repositories/2026-11-21/index.json" in caplog.text
    with pytest.raises(UnreadableIndex):
        archive.index(damaged, RenderedRanking)


def test_an_unreadable_index_hides_its_own_day_only(tmp_path: Path):
    """Likewise: here a link that leads to itself."""
    archive = Archive(tmp_path, "top_repositories")
    write(tmp_path, "2026-11-20/index.json", json.dumps(FACTS).encode())
    loop = tmp_path / "top_repositories" / "2026-11-21" / "index.json"
    loop.parent.mkdir()
    loop.symlink_to(loop.name)
    newest = archive.newest(RenderedRanking)
    assert newest is not None
    assert newest.day == DAY
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        archive.index(date(2026, 11, 21), RenderedRanking)


@pytest.mark.parametrize("run_id", ["manual__2026-11-21T00:31:02+00:00", "../../x\n\0", "ф" * 250, ""])
def test_a_run_finds_its_day(root, run_id: str):
    """By a note of its own, whoever published the day before or since; a damaged one leads nowhere."""
    pages, archive = root / "top_repositories", Archive(root, "top_repositories")
    write_run_note(pages, "another", date(2026, 11, 19))
    assert archive.day_of_run(run_id) is None
    write_run_note(pages, run_id, DAY)
    assert (archive.day_of_run(run_id), archive.day_of_run("another")) == (DAY, date(2026, 11, 19))
    write(root, f"runs/{run_note(run_id)}", b'{"day": 1')
    assert archive.day_of_run(run_id) is None
    assert archive.day_of_run("another") == date(2026, 11, 19)


def test_a_file_that_is_not_there(root):
    """Says that there is no report, in words for the reader of a page."""
    write(root, "2026-11-20/index.json", b"{}")
    with pytest.raises(NotPublished, match="No report for 2026-11-20"):
        Archive(root, "top_repositories").open(DAY, "rows.csv")


@given(st.dates())
def test_a_day_is_read(day: date):
    """Reads every day as it is written."""
    assert read_day(day.isoformat()) == day


@given(st.text(alphabet="0123456789-W \n\x00٣", max_size=12))
def test_only_a_day_is_a_day(text: str):
    """Takes no text for a day but the one that the day is written as."""
    with suppress(NotPublished):
        assert read_day(text).isoformat() == text


@given(st.integers(-(2**31), 2**31 - 1))
def test_any_int32_is_a_campaign(number: int):
    """Reads every number as it is written."""
    assert read_campaign(str(number)) == number


@given(st.text(alphabet="0123456789+-_ \n\x00٣", max_size=12))
@example("-0")
@example("2147483648")
@example("-2147483649")
def test_only_a_number_is_a_campaign(text: str):
    """Takes no text for a campaign but the one that its number is written as."""
    try:
        assert str(read_campaign(text)) == text
    except NotPublished:
        with suppress(ValueError):
            assert str(int(text)) != text or not -(2**31) <= int(text) < 2**31


def test_neighbours_of_a_day():
    """Finds the nearest days on both sides in days of any order, None at the ends."""
    days = [date(2026, 11, 20), date(2026, 11, 1), date(2026, 11, 30)]
    assert neighbours(days, DAY) == (date(2026, 11, 1), date(2026, 11, 30))
    assert neighbours(days, date(2026, 11, 25)) == (DAY, date(2026, 11, 30))
    assert neighbours(days, date(2026, 11, 1)) == (None, DAY)
