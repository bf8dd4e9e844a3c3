"""Whether a day that is due is in sight, on both engines."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.clickhouse.fingerprint import fingerprint
from include.clickhouse.loads import record_load
from include.clickhouse.schema import migrate
from include.github.tables import AUTHORS_COMMITS, OUTCOMES, POSITIONS
from include.phrase_views.gains import BY_HOUR
from include.published_days import TABLES, NotPublished, read_hours, require_published
from include.staging.units import Unit
from tests.integration.clickhouse.days import DAY, OTHER_DAY, commits, now, run

GITHUB, PHRASES = TABLES
INSERT = "INSERT INTO repositories_authors_commits (date, repo, author, commits_num) VALUES"


@pytest.fixture
def published(clickhouse, tmp_path: Path):
    """A connection to a day that both DAGs have published."""
    positions = [(DAY, "octo/repo-1", 1, 1, 1), (DAY, "octo/repo-2", 2, 2, 1)]
    outcomes = [(DAY, "octo/repo-1", "ok", 3, 1)]
    run(
        clickhouse, tmp_path, "the run", (POSITIONS, positions),
        (AUTHORS_COMMITS, commits(3)), (OUTCOMES, outcomes),
    )  # fmt: skip
    found = fingerprint(clickhouse, BY_HOUR, str(DAY))
    record_load(clickhouse, BY_HOUR.name, Unit.of_day(DAY), found, "the report", now())
    return clickhouse


def test_a_published_day_is_counted(published):
    """Returns the rows of each table; a day of no views is published too."""
    assert require_published(published, DAY, TABLES) == {
        "repositories_positions": 2,
        "repositories_authors_commits": 3,
        "repositories_outcomes": 1,
        "phrases_views_by_hour": 0,
    }


def test_repositories_whose_commits_are_not_known_are_counted(connect, tmp_path, caplog):
    """By outcome, in the log too, with one of them by name: the day is there all the same."""
    rows = {"a/a": "ok", "b/b": "forbidden", "c/c": "forbidden", "d/d": "gone", "e/e": "unpushed"}
    outcomes = [(DAY, repo, outcome, 0, 1) for repo, outcome in rows.items()]
    positions = [(DAY, "a/a", 1, 1, 1)]
    with connect() as clickhouse:
        migrate(clickhouse)
        tables = (POSITIONS, positions), (AUTHORS_COMMITS, commits(3)), (OUTCOMES, outcomes)
        run(clickhouse, tmp_path, "the run", *tables)
        counted = require_published(clickhouse, DAY, [GITHUB])
    assert counted["repositories_outcomes"] == 5
    assert {name: count for name, count in counted.items() if "." in name} == {
        "repositories_outcomes.forbidden": 2,
        "repositories_outcomes.gone": 1,
    }
    assert "commits of 2 repositories are not known: forbidden (b/b)" in caplog.text


def test_a_day_that_nobody_published_is_named_with_its_dags(published):
    """Names every DAG that is late, not those that are not due yet."""
    with pytest.raises(NotPublished) as caught:
        require_published(published, OTHER_DAY, TABLES)
    assert set(caught.value.missing) == set(TABLES)
    assert "2026-08-19 is due" in str(caught.value)
    with pytest.raises(NotPublished) as caught:
        require_published(published, OTHER_DAY, [PHRASES])
    assert caught.value.missing == {PHRASES: "loads has no row for table phrases_views_by_hour"}


def test_before_the_first_migration_nothing_is_published(connect):
    """A database without tables is no error of its own."""
    with connect() as clickhouse, pytest.raises(NotPublished, match="loads has no row for table"):
        require_published(clickhouse, DAY, TABLES)


@pytest.mark.parametrize(
    ("row", "held"),
    [
        ((DAY, "octo/repo", "a stranger", 1), "holds 4 rows, not the 3 that run the run published"),
        (None, "holds 0 rows, not the 3 that run the run published"),
    ],
)
def test_rows_that_changed_since_are_found(published, row, held):
    """A server that restarts too early brings old rows back; somebody may have deleted some."""
    if row:
        published.execute(INSERT, [row])
    else:
        published.execute(f"ALTER TABLE repositories_authors_commits DROP PARTITION '{DAY}'")
    with pytest.raises(NotPublished, match=held) as caught:
        require_published(published, DAY, TABLES)
    assert list(caught.value.missing) == [GITHUB]
    # Staging is gone by then: `publish` alone would be red again.
    assert caught.value.missing[GITHUB].endswith("clear task load with all after it in that run")


def test_the_same_number_of_other_rows_is_found(published):
    """Counting alone would not see it."""
    published.execute(f"ALTER TABLE repositories_authors_commits DROP PARTITION '{DAY}'")
    published.execute(INSERT, commits(3, who="someone else"))
    with pytest.raises(NotPublished, match="holds other values than run the run published"):
        require_published(published, DAY, TABLES)


def test_hours_are_read():
    """Not set: all by 6; else those that are named and no others."""
    assert read_hours(" ") == {GITHUB: 6, PHRASES: 6}
    assert read_hours('{"phrase_views_report": 0}') == {PHRASES: 0}
    assert read_hours("{}") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("6", "no JSON object like"),
        ("six", "Expecting value"),
        ('{"phrases_views_import": 6}', "'phrases_views_import' publishes no days; github_top"),
        ('{"phrase_views_report": 24}', "phrase_views_report is 24: allowed is an hour"),
        ('{"phrase_views_report": true}', "is True: allowed"),
        ('{"phrase_views_report": 6.5}', "is 6.5: allowed"),
        ('{"phrase_views_report": "6"}', "is '6': allowed"),
        ('{"phrase_views_report": NaN}', "is nan: allowed"),
    ],
)
def test_hours_that_are_none_are_refused(text: str, said: str):
    """With the name and what is allowed."""
    with pytest.raises(ValueError, match=said):
        read_hours(text)


def test_a_day_published_before_it_was_over_is_not_the_day(published):
    """Its last hours are missing: the next step is to run it again."""
    evening = datetime(DAY.year, DAY.month, DAY.day, 23, 59, 59, tzinfo=UTC)
    early, found = OTHER_DAY, fingerprint(published, BY_HOUR, str(OTHER_DAY))
    record_load(published, BY_HOUR.name, Unit.of_day(early), found, "early", evening - timedelta(days=1))
    with pytest.raises(NotPublished, match=r"by run early at .* before the day was over: run it once more"):
        require_published(published, early, [PHRASES])
    record_load(published, BY_HOUR.name, Unit.of_day(early), found, "in time", evening + timedelta(seconds=1))
    assert require_published(published, early, [PHRASES]) == {BY_HOUR.name: 0}
