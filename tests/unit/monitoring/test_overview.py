"""The rows of the page *Data*."""

from datetime import UTC, date, datetime, timedelta

import pytest

from include.monitoring.airflow_facts import LastRun
from include.monitoring.facts import Published, PublishedTable, Synced
from include.monitoring.overview import CHART_HEIGHT, chart, table_rows
from tests.unit.monitoring.nothing import AIRFLOW

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
    airflow = AIRFLOW._replace(last_runs={"d": LastRun("d", "r", "success", NOW, 90)})
    rows = table_rows(Published(tuple(tables)), {"d": 6, "e": 6}, airflow, NOW, {"d"})
    assert [(row.table, row.late) for row in rows] == [("late", "3\xa0h 30\xa0min"), ("a", ""), ("b", "")]
    assert (rows[1].covers, rows[1].next_due) == ("2026-11-19", NOW.replace(day=21, hour=6, minute=0))
    assert rows[1].cost == "1\xa0min 30\xa0s"


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


def test_rows_that_are_halved_are_told():
    """Against the week before, where three of its days are known. They come after what is late."""
    known = {date(2026, 11, 19): 49, **{date(2026, 11, day): 100 for day in (12, 15, 18)}}
    few = {date(2026, 11, 19): 1, date(2026, 11, 18): 100, date(2026, 11, 17): 100}
    tables = [
        table("a", "d", 19)._replace(rows=known | {date(2026, 11, 19): 50}),
        table("b", "d", 19)._replace(rows=few),
        table("c", "d", 19)._replace(rows=known, by_day=False),
        table("halved", "d", 19)._replace(rows=known),
        table("late", "d", 18),
    ]
    rows = table_rows(Published(tuple(tables)), {"d": 6}, None, NOW, {"d"})
    assert [(row.table, row.fewer) for row in rows] == [
        ("late", ""),
        ("halved", "49%"),
        *((name, "") for name in "abc"),
    ]


@pytest.mark.parametrize(
    ("age_h", "paused", "late"), [(2, False, ""), (3.5, False, "1\xa0h 30\xa0min"), (3.5, True, "")]
)
def test_tables_that_are_copied_are_as_of_an_instant(age_h: float, paused: bool, late: str):
    """Late from two hours on; nobody waits for what is paused."""
    synced = Synced("shop_sync", "shop", NOW - timedelta(hours=age_h), "r", ("sales", "users"))
    airflow = AIRFLOW._replace(paused={"shop_sync": paused})
    (row,) = table_rows(Published(synced=(synced,)), {}, airflow, NOW, {"shop_sync"})
    assert (row.table, row.names, row.run_id, row.late) == ("shop_*", ("sales", "users"), "r", late)
    assert row.covers == f"{synced.taken_at:%Y-%m-%d %H:%M}"
    assert table_rows(Published(synced=(synced,)), {}, airflow, NOW, {"user_events"}) == []
