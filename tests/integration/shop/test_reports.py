"""The nine reports on both engines, each compared with what Python counts in the rows of the source."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from include.shop.reports import SHOWN_DAYS, ShopReports, read_reports
from tests.integration.shop.small_shop import DAY, NOON, run, small
from tests.integration.shop.source_tables import ShopTables, add_session

AT = datetime(2026, 11, 21, 0, 5, tzinfo=UTC)


def read(shop: ShopTables) -> ShopReports:
    """Bring the aggregates up to date and read the reports."""
    run(shop)
    return read_reports(shop.clickhouse, DAY, AT, 7)


def of_sales(tables: dict, group) -> dict:
    """Sales, pieces and revenue by whatever `group` makes of a sale."""
    sums = defaultdict(lambda: [0, 0, Decimal(0)])
    for sale in tables["sales"]:
        found = sums[group(sale)]
        found[0] += 1
        found[1] += sale[4]
        found[2] += sale[4] * sale[5]
    return {key: tuple(found) for key, found in sums.items()}


def test_the_sample(shop: ShopTables):
    """Days, categories, sellers, carts, ratings, purchases: each number."""
    tables = shop.fill(DAY)
    found = read(shop)
    assert (found.last, found.first) == (DAY, DAY - timedelta(days=SHOWN_DAYS - 1))
    by_day = of_sales(tables, lambda sale: sale[6].date())
    assert {row.day: tuple(row[1:]) for row in found.by_day if row.sales} == by_day
    assert len(found.by_day) == SHOWN_DAYS
    category_of = {row[0]: row[1] for row in tables["products"]}
    by_category = of_sales(tables, lambda sale: category_of.get(sale[1]))
    assert {row.id: tuple(row[2:]) for row in found.by_category} == by_category
    assert {row.id: row.category for row in found.by_category if row.id} == {
        row[0]: row[1] for row in tables["categories"]
    }
    stars = defaultdict(list)
    for _, seller, _, rating, _ in tables["seller_ratings"]:
        stars[seller].append(rating)
    sold = of_sales(tables, lambda sale: sale[3])
    for row in found.sellers:
        assert (row.sales, row.revenue) == (sold[row.id][0], sold[row.id][2])
        assert row.ratings == len(stars[row.id])
        assert row.rating == pytest.approx(sum(stars[row.id]) / max(len(stars[row.id]), 1))
    assert [row.revenue for row in found.sellers] == sorted((s[2] for s in sold.values()), reverse=True)
    carts = Counter(row[5] for row in tables["cart_items"])
    assert {row.status: row.items for row in found.carts} == carts
    rated = defaultdict(list)
    for _, product, _, rating, _, _ in tables["product_ratings"]:
        rated[category_of[product]].append(rating)
    rated.pop(None)
    assert {row.id: (row.ratings, list(row[4:])) for row in found.ratings} == {
        key: (len(all_of), [all_of.count(n) for n in range(1, 6)]) for key, all_of in rated.items()
    }
    bought = Counter(sale[2] for sale in tables["sales"])
    times = Counter(bought.get(user[0], 0) for user in tables["users"])
    assert {row.number: row.users for row in found.purchases} == times
    assert sum(times.values()) == len(tables["users"])


def test_days_to_the_first_purchase_and_the_funnel(shop: ShopTables):
    """From the first that is known of a user; conversion is buyers among viewers."""
    small(shop)
    for session, user, days in (("a", "1", 3), ("b", "1", 2), ("c", "2", 0), ("d", "3", 1), ("e", "4", 1)):
        add_session(shop.clickhouse, session, user, NOON - timedelta(days=days), 5)
    shop.put("cart_items", [(2, 2, 1, 1, NOON, "active"), (3, 9, 1, 1, NOON, "active")])
    shop.put("sales", [(8, 1, 3, 1, 1, Decimal(1), NOON), (9, 1, 9, 1, 1, Decimal(1), NOON)])
    found = read(shop)
    assert {row.number: row.users for row in found.first_purchase} == {0: 1, 1: 1, 3: 1}
    assert found.funnel._asdict() == {
        "viewers": 4, "viewers_with_cart": 2, "viewers_with_cart_who_bought": 1, "viewers_who_bought": 2,
        "with_cart": 3, "with_cart_who_bought": 2, "buyers": 3,
    }  # fmt: skip
    assert found.funnel.conversion == 0.5
    weekdays = {row.weekday: (row.sessions, row.clicks) for row in found.weekdays}
    assert weekdays == {
        1: (1, 5), 2: (2, 10), 3: (1, 5), 4: (0, 0), 5: (0, 0), 6: (0, 0), 7: (1, 5),
    }  # fmt: skip
    assert found.freshness.sessions_at == NOON


def test_an_empty_shop(shop: ShopTables):
    """Has no viewers and converts none of them; nothing is divided by nothing."""
    found = read(shop)
    assert found.funnel.conversion == 0.0
    assert (found.last, found.sellers, found.carts, found.ratings) == (DAY, [], [], [])
    assert (found.weekdays, found.by_category, found.checks) == ([], [], [])


def test_no_sessions(shop: ShopTables):
    """Leaves the other reports as they are, with no viewers."""
    small(shop)
    found = read(shop)
    assert (found.funnel.viewers, found.funnel.buyers, found.funnel.conversion) == (0, 1, 0.0)
    assert found.freshness.sessions_at is None
    assert found.freshness.source_at == AT


def test_days_before_those_that_are_shown(shop: ShopTables):
    """Are in no report of the days that are shown, of sellers and categories neither."""
    small(shop)
    shop.put("sales", [(9, 2, 1, 2, 1, Decimal(100), NOON - timedelta(days=SHOWN_DAYS + 5))])
    found = read(shop)
    assert found.last == date(2026, 11, 20)
    assert sum(row.revenue for row in found.by_day) == Decimal("27.51")
    assert sum(row.revenue for row in found.sellers) == Decimal("27.51")
    assert sum(row.revenue for row in found.by_category) == Decimal("27.51")


def test_a_sale_dated_far_ahead(shop: ShopTables):
    """Moves the days that are shown by nothing."""
    small(shop)
    shop.put("sales", [(9, 2, 1, 2, 1, Decimal(100), NOON + timedelta(days=400))])
    found = read(shop)
    assert found.last == date(2026, 11, 20)
    assert sum(row.revenue for row in found.by_day) == Decimal("27.51")


def test_a_cart_of_nobody(shop: ShopTables):
    """Has items, and no user."""
    small(shop)
    shop.put("cart_items", [(8, None, 1, 2, NOON, "abandoned"), (9, None, 1, 1, NOON, "abandoned")])
    carts = {row.status: (row.items, row.pieces, row.users) for row in read(shop).carts}
    assert carts["abandoned"] == (2, 3, 0)
