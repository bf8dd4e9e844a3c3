"""The project's own data: 300 invented repositories with a history for every day, all from one fixed seed.

The rarities of the real API sit at fixed ranks within the first hundred: an ordinary run meets them all.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from hashlib import shake_128

from include.github_stand_in.dataset import Account, Commit, Repository, Signature, Standing
from include.github_stand_in.sample_history import (
    ONE_DAY,
    Rhythm,
    last_moment,
    last_position,
    moment,
    second_of_day,
    seconds_of_day,
)
from include.github_stand_in.sample_names import (
    OWNERS,
    PEOPLE,
    SEED,
    Person,
    draw,
    owner,
    person,
    project_language,
    project_name,
)

REPOSITORIES = 300

# Ranks, counted from 1.
BUSY_RANKS = {4: 120, 12: 150, 20: 220}  # at least so many commits a day: two pages, two, three
ODD_AUTHORS_RANK = 4
MIDNIGHT_RANK = 7
SAME_NAME_RANKS = (9, 35)
TIED_RANKS = (50, 51)
STANDINGS = {31: Standing.EMPTY, 44: Standing.GONE, 57: Standing.BLOCKED, 68: Standing.MOVED}
MOVED_TO_OWNER = "Harborline-Assembly"

# Chances in 1000 that a day has commits. Half an hour after a day, about 58 of the first 100 look pushed to.
MOODS = (970,) * 19 + (300,) * 12 + (12,) * 19

MERGER = Person("Merge Desk", "merges@mail.example", Account("merge-desk[bot]", 2_900_000, "Bot"))
NAMESAKE = "Runa Tellgren"
ODD_AUTHORS: tuple[Person | None, ...] = (
    Person(NAMESAKE, "runa@mail.example", Account("runatellgren", 2_900_001)),
    Person(NAMESAKE, "runa.tellgren@work.example", None),
    Person("", "nameless@mail.example", None),
    Person("", "", None),
    None,
    Person("\u05e2\u05d3\u05d9 \U0001f9f5\u200d\U0001f30a  Stein ", "adi@mail.example", None),
    Person("A" * 300, "long@mail.example", None),
    Person(
        "sweeper[bot]",
        "2900002+sweeper[bot]@users.noreply.github.com",
        Account("sweeper[bot]", 2_900_002, "Bot"),
    ),
)


class Sample:
    """The sample as a data set; two of them are equal in every answer."""

    def __init__(self) -> None:
        self.repositories: Sequence[Repository] = tuple(
            _repository(rank) for rank in range(1, REPOSITORIES + 1)
        )
        self._rank = {repository.id: rank for rank, repository in enumerate(self.repositories, start=1)}

    def pushed_at(self, repository: Repository, as_of: datetime) -> datetime:
        """Return the time of the last commit up to `as_of`."""
        return last_moment(_rhythm(self._rank[repository.id]), as_of) or repository.created_at

    def commits(
        self, repository: Repository, since: datetime | None, until: datetime, page: slice
    ) -> tuple[Sequence[Commit], int]:
        """Return a page of the commits in [since, until], newest first, and how many there are in all."""
        rank = self._rank[repository.id]
        rhythm = _rhythm(rank)
        since = max(since or repository.created_at, repository.created_at)
        found: list[Commit] = []
        total, day = 0, until.date()
        while day >= since.date():
            seconds = seconds_of_day(rhythm, day)
            first = bisect_left(seconds, second_of_day(since)) if day == since.date() else 0
            end = bisect_right(seconds, second_of_day(until)) if day == until.date() else len(seconds)
            newest_first = range(end - 1, first - 1, -1)
            on_page = newest_first[max(0, page.start - total) : max(0, page.stop - total)]
            found += [_commit(rank, day, position) for position in on_page]
            total += len(newest_first)
            day -= ONE_DAY
        return found, total


@lru_cache(maxsize=REPOSITORIES)
def _rhythm(rank: int) -> Rhythm:
    """Half of the repositories live every day, some now and then, the rest hardly ever."""
    mood, typical, age = draw("rhythm", rank, count=3)
    begins = date(2016, 1, 1) + timedelta(days=age % 2500)
    if rank in BUSY_RANKS:
        return Rhythm(rank, begins, 1000, BUSY_RANKS[rank], steady=True)
    if rank in STANDINGS or rank == MIDNIGHT_RANK:
        return Rhythm(rank, begins, 1000, 6, at_midnights=rank == MIDNIGHT_RANK)
    active_per_mille = MOODS[mood % len(MOODS)]
    return Rhythm(rank, begins, active_per_mille, 1 + typical % 9)


def _repository(rank: int) -> Repository:
    tied = min(TIED_RANKS) if rank in TIED_RANKS else rank
    named = min(SAME_NAME_RANKS) if rank in SAME_NAME_RANKS else rank
    noise, forks, issues, owned = draw("repository", tied, count=4)
    stars = int(430_000 * tied**-0.62) - noise % 7
    rhythm, name = _rhythm(rank), project_name(named)
    standing = STANDINGS.get(rank, Standing.PRESENT)
    return Repository(
        # Scattered, so that neither the ids nor their order give the ranking away.
        id=10_000_000 + rank * 7919 % 100_003,
        owner=owner((owned + rank) % OWNERS),
        name=name,
        stars=stars,
        forks=stars // (4 + forks % 9),
        open_issues=issues % 2000,
        language=project_language(rank),
        created_at=moment(rhythm.begins, seconds_of_day(rhythm, rhythm.begins)[0]),
        description=f"{name.replace('-', ' ').capitalize()}, number {rank} of the sample.",
        standing=standing,
        moved_to=f"{MOVED_TO_OWNER}/{name}" if standing is Standing.MOVED else None,
    )


@lru_cache(maxsize=16_384)
def _commit(rank: int, day: date, position: int) -> Commit:
    """Build the commit at a position of a day, counted from the oldest."""
    rhythm = _rhythm(rank)
    at = moment(day, seconds_of_day(rhythm, day)[position])
    merged, rebased_s, topic = draw("commit", rank, day, position, count=3)
    author = _author(rank, rhythm, day, position)
    committer = author or MERGER
    authored_at = at
    if merged % 6 == 0:
        committer, authored_at = MERGER, at - timedelta(seconds=rebased_s % 250_000)
    parent = (day, position - 1) if position else last_position(rhythm, day)
    return Commit(
        sha=_sha(rank, day, position),
        message=f"Rework {project_name(topic % 400).replace('-', ' ')}",
        author=Signature(author.name, author.email, authored_at) if author else None,
        committer=Signature(committer.name, committer.email, at),
        author_account=author.account if author else None,
        committer_account=committer.account,
        parents=(_sha(rank, *parent),) if parent else (),
    )


def _author(rank: int, rhythm: Rhythm, day: date, position: int) -> Person | None:
    """Choose who wrote a commit: a few people write most of a repository's."""
    if rank == ODD_AUTHORS_RANK and position < len(ODD_AUTHORS):
        return ODD_AUTHORS[position]
    (luck,) = draw("author", rank, day, position)
    contributors = 3 + 2 * rhythm.typical
    # The square favours low numbers: a repository has its regulars.
    contributor = int((luck / 2**32) ** 2 * contributors)
    (number,) = draw("contributor", rank, contributor)
    return person(number % PEOPLE)


def _sha(rank: int, day: date, position: int) -> str:
    return shake_128(f"{SEED}:sha:{rank}:{day}:{position}".encode()).hexdigest(20)
