"""The rows of the page *Data*."""

from datetime import UTC, date, datetime, timedelta

import pytest

from include.monitoring.airflow_facts import LastRun
from include.monitoring.facts import PublishedTable
from include.monitoring.overview import CHART_HEIGHT, chart, in_words, table_rows

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def table(name: str, dag_id: str, day: int) -> PublishedTable:
    """Return a table that covers a day of November."""
    until = datetime(2026, 11, day + 1, tzinfo=UTC)
    return PublishedTable(name, dag_id, until, NOW, "r", {}, by_day=True)


def test_late_ones_come_first():
    """Then by DAG and name; those that may not be read are left out, and those of no DAG of ours."""
    tables = [
        table("b", "d", 19),
        table("late", "d", 18),
        table("a", "d", 19),
        table("x", "e", 1),
        table("y", "", 1),
    ]
    run = LastRun("d", "r", "success", NOW, 90)
    rows = table_rows(tables, {"d": 6, "e": 6}, {"d": run}, None, NOW, {"d"})
    assert [(row.table, row.late) for row in rows] == [("late", "3 h 30 min"), ("a", ""), ("b", "")]
    assert (rows[1].covers, rows[1].next_due) == ("2026-11-19", NOW.replace(day=21, hour=6, minute=0))
    assert rows[1].cost == "2 min"


def test_each_day_stands_beside_the_same_one_of_the_week_before():
    """The highest fills the chart; the last pair is yesterday's."""
    yesterday = date(2026, 11, 19)
    drawn = chart({yesterday: 50, yesterday - timedelta(days=7): 100}, NOW)
    *others, before, now = drawn.bars
    assert (before.height, now.height, now.is_now, before.is_now) == (
        CHART_HEIGHT,
        CHART_HEIGHT / 2,
        True,
        False,
    )
    assert {bar.height for bar in others} == {0}
    assert drawn.says.splitlines()[-1] == "2026-11-19: 50 rows, a week before 100"


def test_without_rows_there_is_no_chart():
    """Nor with those of long ago."""
    assert chart({date(2026, 1, 1): 5}, NOW) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(-3, "0 s"), (29, "29 s"), (90, "2 min"), (3600, "1 h"), (93600, "1 d 2 h")]
)
def test_durations(seconds: float, words: str):
    """As people say them."""
    assert in_words(seconds) == words
