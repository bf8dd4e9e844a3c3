"""What the page of a day reads, on both engines."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from include.clickhouse.client import insert_rows
from include.clickhouse.errors import DayMismatch
from include.clickhouse.fingerprint import Fingerprint, fingerprint
from include.clickhouse.loads import record_load
from include.github.errors import DayNotPublished
from include.github.movement import Movement
from include.github.runs import RUNS, RecordedRun
from include.github.tables import AUTHORS_COMMITS, OUTCOMES
from include.github.tables import POSITIONS as RANKING
from include.pages.top_repositories_data import (
    AUTHORS_SHOWN,
    HISTORY_DAYS,
    RepositoryDay,
    TopRepositories,
    read_top_repositories,
)
from include.staging.units import Unit

DAY, AT = date(2026, 11, 20), datetime(2026, 11, 21, 0, 31, 2, tzinfo=UTC)
COMMITS, POSITIONS = AUTHORS_COMMITS.name, RANKING.name
TABLES = {table.name: table for table in (AUTHORS_COMMITS, RANKING, OUTCOMES)}
IDS = {"a/a": 1, "b/b": 2, "c/c": 3, "d/d": 4}


def rank(clickhouse, days_ago: int, stars: Mapping[str, int]) -> None:
    """Store the ranking of a day: these repositories, best first."""
    day = DAY - timedelta(days=days_ago)
    rows = [(day, repo, n, IDS[repo], count) for n, (repo, count) in enumerate(stars.items(), start=1)]
    insert_rows(clickhouse, POSITIONS, ("date", "repo", "position", "id", "stars"), [rows])


def commit(clickhouse, commits: Mapping[str, Mapping[str, int]], outcomes: Mapping[str, str]) -> None:
    """Store the commits of the day by repository and author, and what became of each request."""
    rows = [(DAY, repo, author, n) for repo, own in commits.items() for author, n in own.items()]
    insert_rows(clickhouse, COMMITS, ("date", "repo", "author", "commits_num"), [rows])
    found = [(DAY, repo, was, sum(commits.get(repo, {}).values()), 1) for repo, was in outcomes.items()]
    columns = ("date", "repo", "outcome", "commits", "requests")
    insert_rows(clickhouse, "repositories_outcomes", columns, [found])


def record(clickhouse, run_id: str, at: datetime = AT, tables: Sequence[str] = (COMMITS, POSITIONS)) -> None:
    """Say in `loads` who published the day, and what it holds."""
    for table in tables:
        found = fingerprint(clickhouse, TABLES[table], str(DAY))
        record_load(clickhouse, table, Unit.of_day(DAY), found, run_id, at)


def by_name(data: TopRepositories) -> dict[str, RepositoryDay]:
    """The repositories of the page."""
    return {row.repo: row for row in data.repositories}


def test_movement_against_the_day_before_and_seven_days_before(clickhouse):
    """Compares positions and stars with exactly those two days, whatever lies between."""
    rank(clickhouse, 7, {"b/b": 90, "a/a": 80, "c/c": 70})
    rank(clickhouse, 4, {"d/d": 900, "c/c": 800, "b/b": 1, "a/a": 1})
    rank(clickhouse, 1, {"a/a": 95, "c/c": 94, "b/b": 93})
    rank(clickhouse, 0, {"a/a": 100, "b/b": 99, "d/d": 98, "c/c": 90})
    record(clickhouse, "run")
    data = read_top_repositories(clickhouse, DAY)
    assert [(row.position, row.repo, row.stars) for row in data.repositories] == [
        (1, "a/a", 100), (2, "b/b", 99), (3, "d/d", 98), (4, "c/c", 90),
    ]  # fmt: skip
    assert {repo: (row.day_before, row.week_before) for repo, row in by_name(data).items()} == {
        "a/a": (Movement("same", 0, 5), Movement("up", 1, 20)),
        "b/b": (Movement("up", 1, 6), Movement("down", -1, 9)),
        "d/d": (Movement("new"), Movement("new")),
        "c/c": (Movement("down", -2, -4), Movement("down", -1, 20)),
    }


def test_an_earlier_day_that_is_not_stored(clickhouse):
    """Says that it is unknown, not that all are new; the day between is not taken for it."""
    rank(clickhouse, 2, {"a/a": 9})
    rank(clickhouse, 0, {"a/a": 10})
    record(clickhouse, "run")
    (row,) = read_top_repositories(clickhouse, DAY).repositories
    assert (row.day_before, row.week_before) == (Movement("unknown"), Movement("unknown"))


def test_an_earlier_list_that_is_shorter(clickhouse):
    """Is unknown for positions beyond its end, and nobody left a list that has grown."""
    rank(clickhouse, 1, {"a/a": 9})
    rank(clickhouse, 0, {"a/a": 10, "b/b": 9})
    record(clickhouse, "run")
    data = read_top_repositories(clickhouse, DAY)
    assert by_name(data)["b/b"].day_before == Movement("unknown")
    assert data.left == ()


def test_who_left_the_list(clickhouse):
    """Names those of the day before whom others have pushed out."""
    rank(clickhouse, 1, {"a/a": 9, "b/b": 8})
    rank(clickhouse, 0, {"a/a": 10, "c/c": 9})
    record(clickhouse, "run")
    assert read_top_repositories(clickhouse, DAY).left == ("b/b",)


def test_history_is_of_the_last_60_days_up_to_the_day(clickhouse):
    """Holds one value for each stored day, None where the repository was not in that day's list."""
    for days_ago, stars in ((HISTORY_DAYS, 1), (HISTORY_DAYS - 1, 2), (3, 5), (0, 9), (-1, 11)):
        rank(clickhouse, days_ago, {"b/b": 50} if days_ago == 3 else {"b/b": 50, "a/a": stars})
    record(clickhouse, "run")
    data = read_top_repositories(clickhouse, DAY)
    assert data.days == (date(2026, 9, 22), date(2026, 11, 17), DAY)
    assert by_name(data)["a/a"].positions == (2, None, 2)
    assert by_name(data)["a/a"].past_stars == (2, None, 9)
    assert by_name(data)["b/b"].positions == (1, 1, 1)


def test_commits_and_their_authors(clickhouse):
    """Counts commits by author, over all and in each repository, ties by name; tells why there are none."""
    rank(clickhouse, 0, {"a/a": 10, "b/b": 9, "c/c": 8, "d/d": 7})
    commits = {"a/a": {"zoe": 3, "bob": 3, "ann": 1, "cy": 2}, "b/b": {"ann": 9, "זוהר%s": 1}}
    commit(clickhouse, commits, {"a/a": "ok", "b/b": "moved", "c/c": "unpushed"})
    record(clickhouse, "run")
    data = read_top_repositories(clickhouse, DAY)
    rows = {repo: row[5:9] for repo, row in by_name(data).items()}
    assert rows == {
        "a/a": ("ok", 9, 4, (("bob", 3), ("zoe", 3), ("cy", 2))),
        "b/b": ("moved", 10, 2, (("ann", 9), ("זוהר%s", 1))),
        "c/c": ("unpushed", 0, 0, ()),
        "d/d": (None, 0, 0, ()),
    }
    assert (data.commits, data.author_count) == (19, 5)
    assert [tuple(author) for author in data.authors] == [
        ("ann", 10, 2, "b/b"),
        ("bob", 3, 1, "a/a"),
        ("zoe", 3, 1, "a/a"),
        ("cy", 2, 1, "a/a"),
        ("זוהר%s", 1, 1, "b/b"),
    ]


def test_the_list_of_authors_is_bounded(clickhouse):
    """Shows the first of them and counts them all."""
    commit(clickhouse, {"a/a": {f"author {n:03}": 1 for n in range(300)}}, {"a/a": "ok"})
    record(clickhouse, "run", tables=[COMMITS])
    data = read_top_repositories(clickhouse, DAY)
    assert data.author_count == 300
    assert [author.author for author in data.authors] == [f"author {n:03}" for n in range(AUTHORS_SHOWN)]


def test_a_backfilled_day(clickhouse):
    """Has commits and no ranking: no position, no star, no movement; the busiest repository first."""
    rank(clickhouse, 1, {"a/a": 10, "b/b": 9})
    commit(clickhouse, {"b/b": {"ann": 2}}, {"a/a": "gone", "b/b": "ok"})
    record(clickhouse, "backfill", tables=[COMMITS])
    data = read_top_repositories(clickhouse, DAY)
    assert (data.published.run_id, data.ranked, data.left) == ("backfill", None, ())
    unknown = (None, None, Movement("unknown"), Movement("unknown"))
    assert [row[:7] for row in data.repositories] == [
        ("b/b", *unknown, "ok", 2),
        ("a/a", *unknown, "gone", 0),
    ]
    assert {row.positions for row in data.repositories} == {(None,)}


def test_a_ranking_kept_under_a_backfill(clickhouse):
    """Names the run of the commits and that of the ranking; what is only in one of them is there too."""
    rank(clickhouse, 0, {"b/b": 10, "a/a": 9})
    commit(clickhouse, {"c/c": {"ann": 2}}, {"a/a": "ok", "c/c": "ok", "d/d": "empty"})
    record(clickhouse, "nightly")
    record(clickhouse, "backfill", AT + timedelta(days=90), [COMMITS])
    data = read_top_repositories(clickhouse, DAY)
    assert data.published == ("backfill", AT + timedelta(days=90))
    assert data.ranked == ("nightly", AT)
    assert [(row.repo, row.position, row.outcome) for row in data.repositories] == [
        ("b/b", 1, None), ("a/a", 2, "ok"), ("c/c", None, "ok"), ("d/d", None, "empty"),
    ]  # fmt: skip


def test_an_empty_day(clickhouse):
    """A day that is published and holds nothing is no error."""
    record(clickhouse, "run")
    data = read_top_repositories(clickhouse, DAY)
    assert (data.repositories, data.authors, data.days, data.ranked) == ((), (), (), None)


def test_the_first_days_of_the_calendar(clickhouse):
    """Looks back no further than ClickHouse's first day."""
    first = date(1970, 1, 2)
    record_load(clickhouse, COMMITS, Unit.of_day(first), Fingerprint(rows=0, keys=0, checksum=0), "run", AT)
    assert read_top_repositories(clickhouse, first).days == ()


def test_a_day_that_nobody_published(clickhouse):
    """Names the connection, the table, the day and the next step."""
    rank(clickhouse, 0, {"a/a": 10})
    with pytest.raises(DayNotPublished, match=r"connection '.*loads.*2026-11-20.*clear task publish"):
        read_top_repositories(clickhouse, DAY)


@pytest.mark.parametrize("table", TABLES)
def test_a_day_that_is_not_as_it_was_published(clickhouse, table: str):
    """Shows nothing of it: names the table, the day and the task to clear, whichever table was altered."""
    rank(clickhouse, 0, {"a/a": 10})
    commit(clickhouse, {"a/a": {"ann": 2}}, {"a/a": "ok"})
    record(clickhouse, "run", tables=list(TABLES))
    assert read_top_repositories(clickhouse, DAY).commits == 2
    clickhouse.execute(f"INSERT INTO {table} (date, repo) SELECT toDate(%(day)s), 'b/b'", {"day": str(DAY)})
    told = rf"table {table}, day {DAY}: it holds rows=2 .* Next: clear task load with all after it"
    with pytest.raises(DayMismatch, match=told):
        read_top_repositories(clickhouse, DAY)


def test_the_run_that_published_the_day(clickhouse):
    """Its plan and cost, whichever others were planned for the day; none of a version without them."""
    rank(clickhouse, 0, {"a/a": 9})
    record(clickhouse, "published")
    assert read_top_repositories(clickhouse, DAY).run is None
    rows = [
        RecordedRun("dag", run_id, DAY, requests=n) for n, run_id in enumerate(("published", "plan only"))
    ]
    insert_rows(clickhouse, RUNS, RecordedRun._fields, [rows])
    assert read_top_repositories(clickhouse, DAY).run == rows[0]
