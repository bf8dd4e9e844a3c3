"""The data of a day's page *Top repositories*, read from ClickHouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from include.clickhouse.client import ClickHouse
from include.clickhouse.errors import CLEAR_LOAD
from include.clickhouse.loads import recorded_load
from include.clickhouse.partitions import require_recorded
from include.github.errors import DayNotPublished
from include.github.movement import Movement, RankedList, Standing
from include.github.runs import RecordedRun, read_run
from include.github.tables import AUTHORS_COMMITS, OUTCOMES, POSITIONS

HISTORY_DAYS = 60  # with the day itself
AUTHORS_SHOWN = 10
AUTHORS_SHOWN_PER_REPOSITORY = 3
_HERE = Path(__file__).parent
_FIRST_DAY = date(1970, 1, 1)  # of ClickHouse's Date


class Publication(NamedTuple):
    """The run that published a day of a table. published_at is aware, UTC."""

    run_id: str
    published_at: datetime


class ActiveAuthor(NamedTuple):
    """An author's day. Attributes: repositories, in how many; busiest, the one with the most commits."""

    author: str
    commits: int
    repositories: int
    busiest: str


class RepositoryDay(NamedTuple):
    """One repository on the day.

    Attributes: repo, "owner/name" as ranked; position, stars: None where the day has no ranking of it;
    day_before, week_before: movement since; outcome, None if the day's run did not ask about it; commits;
    authors, how many; busiest, the first few of them (author, commits); positions, past_stars: one a day of
    TopRepositories.days, None where it was not in that day's list.
    """

    repo: str
    position: int | None
    stars: int | None
    day_before: Movement
    week_before: Movement
    outcome: str | None
    commits: int
    authors: int
    busiest: tuple[tuple[str, int], ...]
    positions: tuple[int | None, ...]
    past_stars: tuple[int | None, ...]


class TopRepositories(NamedTuple):
    """All that the page says.

    Attributes: published: the day's commits; ranked: the day's ranking, None where none is published;
    repositories: ranked ones by position, then those with commits but no position, most commits first;
    authors: the most active; author_count; commits; days: stored rankings of the last HISTORY_DAYS,
    oldest first; left: repos of the day before that are not in the list any more, by position; run: plan and
    cost of the run that published the commits, None where a version without plans did.
    """

    day: date
    published: Publication
    ranked: Publication | None
    repositories: tuple[RepositoryDay, ...]
    authors: tuple[ActiveAuthor, ...]
    author_count: int
    commits: int
    days: tuple[date, ...]
    left: tuple[str, ...]
    run: RecordedRun | None = None


def read_top_repositories(clickhouse: ClickHouse, day: date) -> TopRepositories:
    """Read the page's data of a day, having compared the day with what its publication recorded.

    Raises: DayNotPublished; DayMismatch; ClickHouseError.
    """
    loads = _publications(clickhouse, day)
    if AUTHORS_COMMITS.name not in loads:
        raise DayNotPublished(clickhouse.where, AUTHORS_COMMITS.name, day.isoformat())
    lists = _rankings(clickhouse, day)
    rows = _repository_days(clickhouse, day, lists)
    ((author_count,),) = clickhouse.execute(
        f"SELECT uniqExact(author) FROM {AUTHORS_COMMITS.name} WHERE date = toDate(%(day)s)", {"day": day}
    )
    before = lists.get(day - timedelta(days=1), RankedList())
    return TopRepositories(
        day=day,
        published=loads[AUTHORS_COMMITS.name],
        ranked=loads.get(POSITIONS.name) if day in lists else None,
        repositories=tuple(sorted(rows, key=_place)),
        authors=tuple(_most_active(clickhouse, day)),
        author_count=author_count,
        commits=sum(row.commits for row in rows),
        days=tuple(lists),
        left=lists[day].left_since(before) if day in lists else (),
        run=read_run(clickhouse, day, loads[AUTHORS_COMMITS.name].run_id),
    )


def _publications(clickhouse: ClickHouse, day: date) -> dict[str, Publication]:
    # A table without a row in `loads` has nothing to be compared with: an older day has no ranking.
    recorded = {
        table.name: require_recorded(clickhouse, table, day, CLEAR_LOAD)
        for table in (AUTHORS_COMMITS, POSITIONS, OUTCOMES)
        if recorded_load(clickhouse, table.name, day)
    }
    return {table: Publication(load.run_id, load.published_at) for table, load in recorded.items()}


def _rankings(clickhouse: ClickHouse, day: date) -> dict[date, RankedList]:
    first = max(day - timedelta(days=HISTORY_DAYS - 1), _FIRST_DAY)
    standings: dict[date, list[Standing]] = {}
    for of_day, position, repo, number, stars in _read(clickhouse, "positions", day, first=first):
        standings.setdefault(of_day, []).append(Standing(position, repo, number, stars))
    return {of_day: RankedList(own) for of_day, own in standings.items()}


def _repository_days(
    clickhouse: ClickHouse, day: date, lists: Mapping[date, RankedList]
) -> list[RepositoryDay]:
    outcomes = {repo: (outcome, commits) for repo, outcome, commits in _read(clickhouse, "outcomes", day)}
    shown = AUTHORS_SHOWN_PER_REPOSITORY
    authors = {
        repo: (count, _descending(busiest))
        for repo, count, busiest in _read(clickhouse, "repository_authors", day, shown=shown)
    }
    standings = {now.repo: now for now in lists.get(day, RankedList()).standings}
    return [
        RepositoryDay(
            repo,
            *_standing_and_movement(standings.get(repo), day, lists),
            *outcomes.get(repo, (None, 0)),
            *authors.get(repo, (0, ())),
            *_history(standings.get(repo), lists),
        )
        for repo in standings.keys() | outcomes.keys()
    ]


def _standing_and_movement(
    now: Standing | None, day: date, lists: Mapping[date, RankedList]
) -> tuple[int | None, int | None, Movement, Movement]:
    if now is None:
        return None, None, Movement("unknown"), Movement("unknown")
    day_before, week_before = (lists.get(day - timedelta(days=n), RankedList()) for n in (1, 7))
    return now.position, now.stars, day_before.movement(now), week_before.movement(now)


def _history(
    now: Standing | None, lists: Mapping[date, RankedList]
) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
    past = [ranked.find(now) if now else None for ranked in lists.values()]
    return tuple(then and then.position for then in past), tuple(then and then.stars for then in past)


def _place(row: RepositoryDay) -> tuple[bool, int, int, str]:
    return row.position is None, row.position or 0, -row.commits, row.repo


def _most_active(clickhouse: ClickHouse, day: date) -> list[ActiveAuthor]:
    found = _read(clickhouse, "authors", day, shown=AUTHORS_SHOWN)
    return [ActiveAuthor(author, commits, count, busiest) for author, commits, count, (_, busiest) in found]


def _descending(pairs: Sequence[tuple[int, str]]) -> tuple[tuple[str, int], ...]:
    return tuple((name, -negative) for negative, name in pairs)


def _read(clickhouse: ClickHouse, name: str, day: date, **bound: object) -> Any:
    return clickhouse.execute((_HERE / f"top_repositories_{name}.sql").read_text(), {"day": day, **bound})
