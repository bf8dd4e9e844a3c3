"""Reading what the DAGs rendered, on a disk and in an object store."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from fsspec import filesystem
from hypothesis import given
from hypothesis import strategies as st

from include.github.page_data import Publication, TopRepositories
from include.pages.top_repositories import render_top_repositories
from pages.archive import Archive, NotPublished, RenderedRanking, chunks, read_campaign, read_day
from pages.days import neighbours

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
    write(root, "2026-11-20/rows.csv", data)
    file = Archive(root, "top_repositories").open(DAY, "rows.csv")
    pieces = list(chunks(file))
    assert b"".join(pieces) == data
    assert file.closed or not isinstance(root, Path)  # a file in memory stays open
    assert max(map(len, pieces)) <= 256 * 1024


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


@given(st.text(alphabet="0123456789+-_ \n\x00٣", max_size=12))
def test_only_a_number_is_a_campaign(text: str):
    """Takes no text for a campaign but the one that its number is written as."""
    try:
        assert str(read_campaign(text)) == text
    except NotPublished:
        assert not (text.isascii() and text.isdigit() and 1 <= int(text) <= 9_999_999_999 and text[0] != "0")


def test_neighbours_of_a_day():
    """Finds the nearest days on both sides in days of any order, None at the ends."""
    days = [date(2026, 11, 20), date(2026, 11, 1), date(2026, 11, 30)]
    assert neighbours(days, DAY) == (date(2026, 11, 1), date(2026, 11, 30))
    assert neighbours(days, date(2026, 11, 25)) == (DAY, date(2026, 11, 30))
    assert neighbours(days, date(2026, 11, 1)) == (None, DAY)
