"""The tables that a run stages, and their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from include.github.commits.source import FetchedRepository
from include.github.rank import Ranking
from include.staging.files import StagingPath
from include.staging.parts import write_table
from include.staging.tables import Row, StagedTable, TableParts

# A repository that was never pushed to, or whose push GitHub does not tell: the column has no NULL.
NEVER_PUSHED = datetime(1970, 1, 1, tzinfo=UTC)

REPOSITORIES = StagedTable(
    name="repositories",
    columns={
        "id": "UInt64",
        "owner": "String",
        "name": "String",
        "stars": "Int32",
        "watchers": "Int32",
        "forks": "Int32",
        "language": "String",
        "updated": "DateTime('UTC')",
        "pushed_at": "DateTime('UTC')",
        "fetched_at": "DateTime('UTC')",
    },
    key=("owner", "name"),
    day_column=None,
)
POSITIONS = StagedTable(
    name="repositories_positions",
    columns={"date": "Date", "repo": "String", "position": "UInt32", "id": "UInt64", "stars": "Int32"},
    key=("repo",),
)
AUTHORS_COMMITS = StagedTable(
    name="repositories_authors_commits",
    columns={"date": "Date", "repo": "String", "author": "String", "commits_num": "Int32"},
    key=("repo", "author"),
)
OUTCOMES = StagedTable(
    name="repositories_outcomes",
    columns={
        "date": "Date",
        "repo": "String",
        "outcome": "String",
        "commits": "UInt32",
        "requests": "UInt32",
    },
    key=("repo",),
)


def write_tables(
    directory: StagingPath, ranking: Ranking, records: Iterable[FetchedRepository]
) -> dict[str, TableParts]:
    """Stage every table of the run; stars and positions only where they are of the day (see is_current).

    Whether they are is decided by when the stars were read, not by when the run ends. Both arguments are
    gone through once for each table.

    Raises: BadRow; OSError.
    """
    staged = [(AUTHORS_COMMITS, author_rows(records)), (OUTCOMES, outcome_rows(records))]
    if ranking.request.is_current(ranking.fetched_at.astimezone(UTC).date()):
        staged += [(REPOSITORIES, repository_rows(ranking)), (POSITIONS, position_rows(ranking))]
    return {table.name: write_table(directory, table, rows) for table, rows in staged}


def repository_rows(ranking: Ranking) -> Iterator[Row]:
    """Yield a row of `repositories` for each ranked repository."""
    fetched_at = ranking.fetched_at.replace(microsecond=0)
    for r in ranking:
        pushed_at = r.pushed_at or NEVER_PUSHED
        numbers = (r.stars, r.watchers, r.forks)
        yield (r.id, r.owner.login, r.name, *numbers, r.language, r.updated_at, pushed_at, fetched_at)


def position_rows(ranking: Ranking) -> Iterator[Row]:
    """Yield a row of `repositories_positions` for each ranked repository, from 1."""
    for position, r in enumerate(ranking, start=1):
        yield (ranking.request.day, r.full_name, position, r.id, r.stars)


def author_rows(records: Iterable[FetchedRepository]) -> Iterator[Row]:
    """Yield a row of `repositories_authors_commits` for each author, the busiest of a repository first."""
    for record in records:
        for author, commits in sorted(record.authors.items(), key=lambda item: (-item[1], item[0])):
            yield (record.day, record.repo, author, commits)


def outcome_rows(records: Iterable[FetchedRepository]) -> Iterator[Row]:
    """Yield a row of `repositories_outcomes` for each ranked repository."""
    for record in records:
        yield (record.day, record.repo, record.outcome, record.commits, record.requests)
