"""The project's own data."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from include.github_stand_in.dataset import Standing
from include.github_stand_in.sample import (
    BUSY_RANKS,
    MIDNIGHT_RANK,
    NAMESAKE,
    ODD_AUTHORS,
    ODD_AUTHORS_RANK,
    SAME_NAME_RANKS,
    STANDINGS,
    TIED_RANKS,
    Sample,
)

DAYS = [date(2025, 2, 28), date(2026, 8, 20), date(2026, 11, 20)]
SAMPLE = Sample()
EVERYTHING = slice(0, 10_000)


def at_rank(rank):
    """Return the repository at a rank, counted from 1."""
    return SAMPLE.repositories[rank - 1]


def commits_of(repository, day):
    """Return all commits of a repository on a UTC day, newest first."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return SAMPLE.commits(repository, start, start + timedelta(seconds=86_399), EVERYTHING)[0]


def test_ranks_300_repositories_with_one_tie():
    """Stars fall from rank to rank but for one tie, whose ids are against the order of the search."""
    stars = [repository.stars for repository in SAMPLE.repositories]
    assert len(stars) == 300
    assert [rank for rank, (a, b) in enumerate(pairwise(stars), start=1) if a <= b] == [TIED_RANKS[0]]
    assert at_rank(TIED_RANKS[0]).id > at_rank(TIED_RANKS[1]).id


def test_names_collide_only_where_they_are_meant_to():
    """Two repositories of the first hundred share a name under different owners; full names are unique."""
    first, second = (at_rank(rank) for rank in SAME_NAME_RANKS)
    assert first.name == second.name
    assert first.owner != second.owner
    assert len({repository.full_name.lower() for repository in SAMPLE.repositories}) == 300
    assert len({repository.name for repository in SAMPLE.repositories}) == 299


def test_first_hundred_have_every_standing():
    """An ordinary run of the first hundred meets an empty, a gone, a blocked and a moved repository."""
    standings = [repository.standing for repository in SAMPLE.repositories[:100]]
    for standing in (Standing.EMPTY, Standing.GONE, Standing.BLOCKED, Standing.MOVED):
        assert standings.count(standing) == 1


def test_two_samples_are_equal_in_another_process():
    """Neither the process nor its hash seed changes a single commit."""
    program = (
        "from tests.unit.github_stand_in import test_sample as t;"
        "print(*(c.sha for r in t.SAMPLE.repositories[:30] for c in t.commits_of(r, t.DAYS[1])))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    here = [
        commit.sha for repository in SAMPLE.repositories[:30] for commit in commits_of(repository, DAYS[1])
    ]
    assert ran.stdout.split() == here


@pytest.mark.parametrize("day", DAYS)
def test_about_58_of_the_first_hundred_are_asked_for_a_day(day):
    """Half an hour after a day, neither all nor none of the repositories were pushed to since it began."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    as_of = start + timedelta(days=1, minutes=30)
    pushed = sum(SAMPLE.pushed_at(repository, as_of) >= start for repository in SAMPLE.repositories[:100])
    assert 53 <= pushed <= 66


@pytest.mark.parametrize("day", DAYS)
def test_busy_repositories_need_several_pages(day):
    """Each busy repository has more commits than fit on one page; one has more than 200."""
    for rank, least in BUSY_RANKS.items():
        assert least <= len(commits_of(at_rank(rank), day)) <= least * 1.2
    assert max(BUSY_RANKS.values()) > 200


@pytest.mark.parametrize("day", DAYS)
def test_both_ends_of_a_day_have_a_commit(day):
    """One repository commits in the first and in the last second of each day."""
    times = [commit.committer.at for commit in commits_of(at_rank(MIDNIGHT_RANK), day)]
    assert times[0].strftime("%H:%M:%S") == "23:59:59"
    assert times[-1].strftime("%H:%M:%S") == "00:00:00"


@pytest.mark.parametrize("day", DAYS)
def test_odd_authors_commit_every_day(day):
    """Blank names, no author at all, strange letters and two people of one name are there on each day."""
    oldest_first = commits_of(at_rank(ODD_AUTHORS_RANK), day)[::-1]
    names = [commit.author and commit.author.name for commit in oldest_first[: len(ODD_AUTHORS)]]
    assert names == [person and person.name for person in ODD_AUTHORS]
    with_login, without = (
        commit for commit in oldest_first if commit.author and commit.author.name == NAMESAKE
    )
    assert with_login.author_account
    assert without.author_account is None
    assert any(
        commit.author and not commit.author.name and not commit.author.email for commit in oldest_first
    )


def test_committer_date_is_not_the_author_date():
    """Some commits were written days before the day they are counted on."""
    days = {
        commit.committer.at.date() - commit.author.at.date() for commit in commits_of(at_rank(20), DAYS[2])
    }
    assert {timedelta(0), timedelta(1), timedelta(2)} <= days


def test_commits_are_newest_first_and_chained():
    """Each commit names the one before it as its parent, across the edge of the day too."""
    repository = at_rank(12)
    history = commits_of(repository, DAYS[1]) + commits_of(repository, DAYS[1] - timedelta(1))
    assert all(a.committer.at >= b.committer.at for a, b in pairwise(history))
    assert all(a.parents == (b.sha,) for a, b in pairwise(history))
    assert len({commit.sha for commit in history}) == len(history)


def test_pages_are_cut_from_one_list():
    """Pages put together are the whole list, and each knows the total."""
    repository, until = at_rank(20), datetime(2026, 8, 20, 23, 59, 59, tzinfo=UTC)
    since = until - timedelta(days=1)
    whole, total = SAMPLE.commits(repository, since, until, EVERYTHING)
    pages = [
        SAMPLE.commits(repository, since, until, slice(at, at + 100)) for at in range(0, total + 100, 100)
    ]
    assert [commit for page, _ in pages for commit in page] == whole
    assert {total} == {count for _, count in pages}


@pytest.mark.parametrize("rank", [1, 4, 7, 20, 50, 51, 64, 99, 300])
@pytest.mark.parametrize("hour", [0, 13])
def test_last_push_is_the_last_commit(rank, hour):
    """No commit is younger than the last push, and there is one at that second."""
    repository, as_of = at_rank(rank), datetime(2026, 11, 21, hour, 30, tzinfo=UTC)
    pushed_at = SAMPLE.pushed_at(repository, as_of)
    newest, _ = SAMPLE.commits(repository, None, as_of, slice(0, 1))
    assert newest[0].committer.at == pushed_at <= as_of


def test_history_begins_with_the_repository():
    """The first commit is as old as the repository, has no parent, and nothing is before it."""
    repository = at_rank(300)
    until = repository.created_at + timedelta(days=30)
    history, _ = SAMPLE.commits(repository, None, until, EVERYTHING)
    assert history[-1].committer.at == repository.created_at
    assert history[-1].parents == ()
    before = repository.created_at - timedelta(seconds=1)
    assert SAMPLE.commits(repository, None, before, EVERYTHING) == ([], 0)
    assert SAMPLE.pushed_at(repository, before) == repository.created_at


def test_repositories_that_refuse_look_pushed_to():
    """A client that asks only where something was pushed asks them on every day."""
    as_of = datetime(2026, 11, 21, tzinfo=UTC)
    for rank in STANDINGS:
        assert as_of - SAMPLE.pushed_at(at_rank(rank), as_of) < timedelta(days=1)
