"""What the aggregates must be, computed row by row in Python from the rows of the source."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date
from decimal import Decimal

Tables = Mapping[str, Sequence[Sequence]]


def daily_sales(tables: Tables) -> list[tuple]:
    """The rows of daily_sales_aggregation, in order."""
    category_of = {row[0]: row[1] for row in tables["products"]}
    names = {("seller", row[0]): row[1] for row in tables["sellers"]}
    names |= {("category", row[0]): row[1] for row in tables["categories"]}
    sums: dict[tuple[date, str, int], list] = defaultdict(lambda: [0, 0, Decimal(0)])
    for _, product, _, seller, quantity, price, at in tables["sales"]:
        groups = [("total", 0), ("seller", seller), ("category", category_of.get(product))]
        for dimension, key in groups:
            if key is not None:
                found = sums[at.astimezone(UTC).date(), dimension, key]
                found[0] += 1
                found[1] += quantity
                found[2] += quantity * price
    return sorted(
        (day, dimension, key, names.get((dimension, key), ""), *found)
        for (day, dimension, key), found in sums.items()
    )


def user_activity(tables: Tables, sessions: Iterable[tuple] = ()) -> list[tuple]:
    """The rows of user_activity_aggregation, in order. Args: sessions: (user, start, clicks)."""
    sums: dict[tuple[date, str], list] = defaultdict(lambda: [0, 0, 0, 0, Decimal(0)])
    for user, start, clicks in sessions:
        found = sums[start.date(), user]
        found[0] += 1
        found[1] += clicks
    for _, user, _, _, at, _ in tables["cart_items"]:
        sums[at.astimezone(UTC).date(), str(user)][2] += 1
    for _, _, user, _, quantity, price, at in tables["sales"]:
        found = sums[at.astimezone(UTC).date(), str(user)]
        found[3] += 1
        found[4] += quantity * price
    return sorted(
        (day, user, s, clicks, clicks / s if s else 0.0, adds, purchases, revenue)
        for (day, user), (s, clicks, adds, purchases, revenue) in sums.items()
    )
