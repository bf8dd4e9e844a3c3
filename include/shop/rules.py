"""What must be so of the shop, as rules in SQL. One more is a `Rule` more in RULES.

The aggregates are counted anew from the rows, another way than they were made: a second opinion.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from include.quality.rules import Rule
from include.shop.aggregates import NEXT_STEP

TABLES = (
    "shop_categories", "shop_sellers", "shop_products", "shop_users", "shop_sales", "shop_product_ratings",
    "shop_seller_ratings", "shop_cart_items",
)  # fmt: skip
_SQL = Path(__file__).parent / "rule_sql"


class Reference(NamedTuple):
    """A column of a table that names rows of another one by their id."""

    table: str
    column: str
    target: str


REFERENCES = (
    Reference("shop_categories", "parent_id", "shop_categories"),
    Reference("shop_products", "category_id", "shop_categories"),
    Reference("shop_products", "seller_id", "shop_sellers"),
    Reference("shop_sales", "product_id", "shop_products"),
    Reference("shop_sales", "user_id", "shop_users"),
    Reference("shop_sales", "seller_id", "shop_sellers"),
    Reference("shop_product_ratings", "product_id", "shop_products"),
    Reference("shop_product_ratings", "user_id", "shop_users"),
    Reference("shop_seller_ratings", "seller_id", "shop_sellers"),
    Reference("shop_seller_ratings", "user_id", "shop_users"),
    Reference("shop_cart_items", "product_id", "shop_products"),
    Reference("shop_cart_items", "user_id", "shop_users"),
)


def reference_rule(reference: Reference) -> Rule:
    """Return the rule that a reference leads to a row; NULL refers to nothing and is well."""
    table, column, target = reference
    return Rule(
        name=f"{column} leads to {target}",
        table=table,
        sql=f"""
            SELECT concat('{column} ', toString(value)) AS unit, 'a row of {target}' AS expected,
                   concat(toString(count()), ' rows refer to it') AS found
            FROM (SELECT toInt64(assumeNotNull({column})) AS value FROM {table} WHERE isNotNull({column}))
            WHERE value NOT IN (SELECT toInt64(id) FROM {target})
            GROUP BY value ORDER BY value
        """,
        next_step="look in the source why there is no such row; aggregates count it without a name",
        severity="warning",
    )


def _aggregate_rule(name: str, table: str, file: str) -> Rule:
    return Rule(name, table, (_SQL / f"{file}.sql").read_text(), NEXT_STEP)


RULES: tuple[Rule, ...] = (
    _aggregate_rule("totals equal the sales", "daily_sales_aggregation", "totals"),
    _aggregate_rule("sellers add up", "daily_sales_aggregation", "sellers"),
    _aggregate_rule("categories add up", "daily_sales_aggregation", "categories"),
    _aggregate_rule("activity equals the rows", "user_activity_aggregation", "activity"),
    Rule(
        name="every sale has a day",
        table="shop_sales",
        sql="""
            SELECT concat('id ', toString(id)) AS unit, 'a sale_date from 1970 to 2105' AS expected,
                   toString(sale_date_us) AS found
            FROM shop_sales WHERE isNull(sale_date) ORDER BY id
        """,
        next_step="correct the date in the source: no day of the aggregates has this sale",
        severity="warning",
    ),
    *map(reference_rule, REFERENCES),
)
