"""A shop of five sales on three days, and its aggregates."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from include.shop.aggregates import Rebuilt, aggregate
from tests.integration.shop.source_tables import ShopTables

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 21, 0, 5, tzinfo=UTC)
SALES, ACTIVITY = "daily_sales_aggregation", "user_activity_aggregation"
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


def run(shop: ShopTables, run_id: str = "run 1", **options: object) -> dict[str, Rebuilt]:
    """Bring the aggregates up to date."""
    return aggregate(shop.clickhouse, run_id, "1", now=lambda: NOW, old_parts_wait_s=0, **options)


def small(shop: ShopTables) -> dict[str, list[tuple]]:
    """Put a shop of five sales on three days there; return its rows."""
    tables = {
        "categories": [(1, "Books", None), (2, "Toys", None)],
        "sellers": [(1, "Ann", "DE", None), (2, "Bob's \"shop\"", None, None)],
        "products": [
            (1, 1, 1, "a", Decimal("0.10"), None, NOON), (2, 2, 2, "b", Decimal(5), None, NOON),
            (3, None, 2, "c", Decimal(7), None, NOON),
        ],
        "users": [(1, "u", None, None, NOON)],
        "sales": [
            (1, 1, 1, 1, 3, Decimal("0.10"), NOON),
            (2, 1, 1, 1, 1, Decimal("0.20"), NOON + timedelta(seconds=1)),
            (3, 2, 1, 2, 2, Decimal("5.01"), NOON + timedelta(days=1)),
            (4, None, 1, 2, 1, Decimal("9.99"), NOON + timedelta(days=1)),
            (5, 3, 1, 2, 1, Decimal("7.00"), NOON + timedelta(days=2)),
        ],
        "product_ratings": [],
        "seller_ratings": [],
        "cart_items": [(1, 1, 1, 1, NOON, "active")],
    }  # fmt: skip
    for table, of_table in tables.items():
        shop.put(table, of_table)
    return tables
