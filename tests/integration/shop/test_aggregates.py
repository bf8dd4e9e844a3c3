"""The aggregates on both engines: what they hold, which days are made anew, and what a kill leaves."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from include.clickhouse.errors import DayMismatch
from include.shop.aggregates import Rebuilt, RevenueTooLarge
from tests.integration.shop.small_shop import ACTIVITY, DAY, NOON, SALES, run, small
from tests.integration.shop.source_tables import ShopTables, add_session
from tests.integration.shop.truth import daily_sales, user_activity


def rows(shop: ShopTables, table: str) -> list[tuple]:
    """What readers see, without FINAL."""
    return sorted(shop.clickhouse.execute(f"SELECT * FROM {table}"))


def days(rebuilt: dict[str, Rebuilt], table: str = SALES) -> list[int]:
    """The days of November that were made anew."""
    return [day.day for day in rebuilt[table].days]


def test_the_sample_to_the_cent(shop: ShopTables):
    """Forty days with all their edges: each row as counted in Python, without FINAL."""
    tables = shop.fill(DAY)
    done = run(shop)
    assert rows(shop, SALES) == daily_sales(tables)
    assert rows(shop, ACTIVITY) == user_activity(tables)
    assert len(done[SALES].days) == 40
    assert sum(row[4] for row in rows(shop, SALES) if row[1] == "total") == len(tables["sales"])


def test_a_sale_without_a_product(shop: ShopTables):
    """Counts in total and seller only; so does one whose product has no category."""
    tables = small(shop)
    run(shop)
    assert rows(shop, SALES) == daily_sales(tables)
    of_19 = [row[1:] for row in rows(shop, SALES) if row[0] == date(2026, 11, 19)]
    assert of_19 == [
        ("category", 2, "Toys", 1, 2, Decimal("10.02")),
        ("seller", 2, 'Bob\'s "shop"', 2, 3, Decimal("20.01")),
        ("total", 0, "", 2, 3, Decimal("20.01")),
    ]
    assert [row[1] for row in rows(shop, SALES) if row[0] == date(2026, 11, 20)] == ["seller", "total"]


CHANGES = {
    "a late sale": (lambda shop: shop.put("sales", [(9, 1, 1, 1, 1, Decimal(1), NOON)]), [18]),
    "a deleted sale": (lambda shop: shop.delete("sales", 3), [19]),
    "a day without sales": (lambda shop: shop.delete("sales", 1, 2), [18]),
    "a moved day": (
        lambda shop: shop.put("sales", [(1, 1, 1, 1, 3, Decimal("0.10"), NOON + timedelta(days=2))]),
        [18, 20],
    ),
    "a new day": (
        lambda shop: shop.put("sales", [(9, 1, 1, 1, 1, Decimal(1), NOON - timedelta(days=9))]),
        [9],
    ),
    "another category": (lambda shop: shop.put("products", [(1, 2, 1, "a", Decimal(1), None, NOON)]), [18]),
    "a category's name": (lambda shop: shop.put("categories", [(2, "Games", None)]), [19]),
    "a seller's name": (lambda shop: shop.put("sellers", [(1, "Anne", None, None)]), [18]),
    "a product that is gone": (lambda shop: shop.delete("products", 2), [19]),
    "a price of now": (lambda shop: shop.put("products", [(1, 1, 1, "a", Decimal(8), None, NOON)]), []),
    "a user": (lambda shop: shop.put("users", [(2, "v", None, None, NOON)]), []),
}  # fmt: skip


@pytest.mark.parametrize(("change", "changed"), CHANGES.values(), ids=CHANGES)
def test_days_are_made_anew_when_their_input_changed(shop: ShopTables, change, changed: list[int]):
    """Whatever has changed it, and only those: the others keep the run that has published them."""
    small(shop)
    run(shop)
    change(shop)
    assert days(run(shop, "run 2")) == changed
    anew = shop.clickhouse.execute(
        f"SELECT date FROM loads FINAL WHERE `table` = '{SALES}' AND run_id = 'run 2' ORDER BY date"
    )
    assert [day.day for (day,) in anew] == changed
    incremental = rows(shop, SALES)
    for table in ("aggregated_days", "aggregated_inputs", SALES):
        shop.clickhouse.execute(f"TRUNCATE TABLE {table}")
    run(shop, "run 3")
    assert incremental == rows(shop, SALES)
    assert days(run(shop, "run 4")) == []


def test_an_idle_run_reads_no_rows(shop: ShopTables, caplog: pytest.LogCaptureFixture):
    """While no table has moved it says so, and is over."""
    small(shop)
    run(shop)
    caplog.set_level("INFO")
    assert {table: rebuilt.days for table, rebuilt in run(shop, "run 2").items()} == {SALES: [], ACTIVITY: []}
    assert caplog.text.count("nothing that it is made from has changed") == 2


def test_sessions_of_another_source(shop: ShopTables):
    """Count by their start, also for users without a sale."""
    tables = small(shop)
    run(shop)
    add_session(shop.clickhouse, "s1", "1", NOON, 4)
    add_session(shop.clickhouse, "s2", "1", NOON, 3)
    add_session(shop.clickhouse, "s3", "77", NOON - timedelta(days=5), 0)
    done = run(shop, "run 2")
    sessions = [("1", NOON, 4), ("1", NOON, 3), ("77", NOON - timedelta(days=5), 0)]
    assert rows(shop, ACTIVITY) == user_activity(tables, sessions)
    assert (days(done, ACTIVITY), days(done)) == ([13, 18], [])


def test_full_mends_a_damaged_day(shop: ShopTables):
    """A day that is not as it was published is made anew by a run that looks at all of them."""
    tables = small(shop)
    run(shop)
    shop.clickhouse.execute(f"INSERT INTO {SALES} SELECT * FROM {SALES} WHERE date = '2026-11-19'")
    assert days(run(shop, "run 2")) == []
    assert days(run(shop, "run 3", full=True)) == [19]
    assert rows(shop, SALES) == daily_sales(tables)


class Killed(Exception):
    """The process ends here."""


@pytest.mark.parametrize("checks", range(12))
def test_killed_anywhere(shop: ShopTables, checks: int):
    """After any change in sight, the next run makes it exact; no day is ever seen in part."""
    tables = small(shop)
    run(shop)
    before = rows(shop, SALES)
    change = [(1, 1, 1, 1, 7, Decimal("0.30"), NOON + timedelta(days=1))]
    shop.put("sales", change)
    tables["sales"][0] = change[0]
    left = [checks]

    def check_lease() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    try:
        run(shop, "run 2", check_lease=check_lease)
    except Killed:
        whole = {day: [r for r in daily_sales(tables) if r[0] == day] for day, *_ in daily_sales(tables)}
        old = {day: [r for r in before if r[0] == day] for day, *_ in before}
        for day in {row[0] for row in rows(shop, SALES)}:
            assert [r for r in rows(shop, SALES) if r[0] == day] in (whole.get(day, []), old.get(day, []))
    run(shop, "run 3")
    assert rows(shop, SALES) == daily_sales(tables)
    assert rows(shop, ACTIVITY) == user_activity(tables)
    assert days(run(shop, "run 4")) == []


def test_revenue_that_no_column_holds(shop: ShopTables):
    """Is refused by table and day, before it wraps around; what was published stays."""
    small(shop)
    run(shop)
    before = rows(shop, SALES)
    shop.put("sales", [(9, 1, 1, 1, 2**31 - 1, Decimal("99999999.99"), NOON)])
    with pytest.raises(RevenueTooLarge, match=r"daily_sales_aggregation, day 2026-11-18.* Next: "):
        run(shop, "run 2")
    assert rows(shop, SALES) == before


def test_the_largest_revenue(shop: ShopTables):
    """What fits is exact to the cent, near the largest value too, and below zero."""
    small(shop)
    shop.put("sales", [(9, 2, 1, 2, 10_000_000, Decimal("99999999.99"), NOON - timedelta(days=9))])
    shop.put("sales", [(10, 2, 1, 2, 1, Decimal("-0.01"), NOON - timedelta(days=8))])
    run(shop)
    found = {row[0].day: row[6] for row in rows(shop, SALES) if row[1] == "total"}
    assert (found[9], found[10]) == (Decimal("999999999900000.00"), Decimal("-0.01"))


def test_a_wrong_day_is_named(shop: ShopTables):
    """Rows that come from elsewhere while days are replaced make the run red, by table, day and next step."""
    small(shop)
    calls = []

    def and_spoil() -> None:
        calls.append(1)
        if len(calls) == 3:  # two days are replaced
            shop.clickhouse.execute(f"INSERT INTO {SALES} SELECT * FROM {SALES} LIMIT 1")

    with pytest.raises(DayMismatch, match=r"daily_sales_aggregation, day 2026-11-1.*full_check"):
        run(shop, check_lease=and_spoil)
