"""The nine reports of the shop, each as a chart and a table."""

from __future__ import annotations

from collections.abc import Sequence

from include.pages.sections import Column, Section, chart, weekday_section
from include.shop.reports import CategorySales, ShopReports, Users

_REST = "(no category)"
_PURCHASES = (
    (0, "none"),
    (1, "1"),
    (2, "2"),
    (3, "3"),
    (4, "4"),
    (5, "5 to 9"),
    (10, "10 to 19"),
    (20, "20+"),
)
_DAYS = ((0, "same day"), (1, "1"), (2, "2"), (3, "3 to 6"), (7, "7 to 13"), (14, "14 to 29"), (30, "30+"))


def sections(reports: ShopReports) -> list[Section]:
    """Return the reports in the order of the page."""
    return [
        _by_day(reports),
        _by_category(reports),
        _sellers(reports),
        _carts(reports),
        weekday_section(reports.weekdays),
        _ratings(reports),
        _users(
            "purchases_per_user", "Purchases per user", reports.purchases, _PURCHASES,
            Column("purchases", "Purchases"),
            "shop_sales and shop_users: how many users have bought how often, ever.",
        ),
        _users(
            "days_to_first_purchase", "Days to the first purchase", reports.first_purchase, _DAYS,
            Column("days", "Days"),
            "user_activity_aggregation: days of UTC from the first that is known of a user (session, cart, "
            "purchase) to the first purchase.",
        ),
        _funnel(reports),
    ]  # fmt: skip


def _by_day(reports: ShopReports) -> Section:
    return Section(
        "revenue_by_day",
        "Revenue by day",
        "daily_sales_aggregation, dimension total: days of UTC by sale_date. Mondays have their date below.",
        (
            Column("date", "Day", number=False),
            Column("sales", "Sales"),
            Column("quantity", "Pieces"),
            Column("revenue", "Revenue"),
        ),
        reports.by_day,
        chart(
            "revenue_by_day",
            "Revenue by day",
            [f"{row.day:%m-%d}" if row.day.weekday() == 0 else "" for row in reports.by_day],
            [round(row.revenue) for row in reports.by_day],
            most=len(reports.by_day),
        ),
    )


def _by_category(reports: ShopReports) -> Section:
    def name(row: CategorySales) -> str:
        return _REST if row.id is None else row.category or f"({row.id})"

    return Section(
        "revenue_by_category",
        "Revenue by category",
        "daily_sales_aggregation, dimension category: that of the product, as it is now. Together "
        "they are the total.",
        (
            Column("id", "Id"),
            Column("category", "Category", number=False),
            Column("sales", "Sales"),
            Column("quantity", "Pieces"),
            Column("revenue", "Revenue"),
        ),
        [row._replace(category=name(row)) for row in reports.by_category],
        chart(
            "revenue_by_category",
            "Revenue by category",
            [name(row) for row in reports.by_category],
            [round(row.revenue) for row in reports.by_category],
        ),
    )


def _sellers(reports: ShopReports) -> Section:
    return Section(
        "sellers",
        "Sellers with their ratings",
        "daily_sales_aggregation, dimension seller, of the days above; shop_seller_ratings, all of them.",
        (
            Column("id", "Id"),
            Column("seller", "Seller", number=False),
            Column("sales", "Sales"),
            Column("revenue", "Revenue"),
            Column("ratings", "Ratings"),
            Column("rating", "Mean rating"),
        ),
        [
            row._replace(rating=round(row.rating, 4)) if row.ratings else (*row[:5], None)
            for row in reports.sellers
        ],
        chart(
            "sellers",
            "Revenue of sellers",
            [row.seller or f"({row.id})" for row in reports.sellers],
            [round(row.revenue) for row in reports.sellers],
        ),
    )


def _carts(reports: ShopReports) -> Section:
    return Section(
        "carts_by_status",
        "Carts by status",
        "shop_cart_items, as they are now.",
        (
            Column("status", "Status", number=False),
            Column("items", "Items"),
            Column("pieces", "Pieces"),
            Column("users", "Users"),
        ),
        reports.carts,
        chart(
            "carts_by_status",
            "Items in carts by status",
            [row.status or "(none)" for row in reports.carts],
            [row.items for row in reports.carts],
        ),
    )


def _ratings(reports: ShopReports) -> Section:
    return Section(
        "ratings_by_category",
        "Ratings by category",
        "shop_product_ratings, by the category of the product.",
        (
            Column("id", "Id"),
            Column("category", "Category", number=False),
            Column("ratings", "Ratings"),
            Column("rating", "Mean rating"),
            *(Column(f"stars_{stars}", f"{stars}★") for stars in range(1, 6)),
        ),
        [row._replace(rating=round(row.rating, 4)) for row in reports.ratings],
        chart(
            "ratings_by_category",
            "Mean rating by category",
            [row.category or f"({row.id})" for row in reports.ratings],
            [round(row.rating * 100) for row in reports.ratings],
            shown=lambda hundredths: f"{hundredths / 100:.2f}",
        ),
    )


def _users(
    slug: str,
    title: str,
    found: Sequence[Users],
    bins: Sequence[tuple[int, str]],
    column: Column,
    source: str,
) -> Section:
    counts = [0] * len(bins)
    for number, users in found:
        counts[max(at for at, (least, _) in enumerate(bins) if least <= number)] += users
    labels = [label for _, label in bins]
    return Section(
        slug,
        title,
        source,
        (column, Column("users", "Users")),
        found,
        chart(slug, title, labels, counts if found else []),
    )


def _funnel(reports: ShopReports) -> Section:
    f = reports.funnel
    steps = (
        ("Had a session", f.viewers, None if not f.viewers else 1.0),
        ("and put something into a cart", f.viewers_with_cart, _share(f.viewers_with_cart, f.viewers)),
        ("and bought", f.viewers_with_cart_who_bought, _share(f.viewers_with_cart_who_bought, f.viewers)),
        ("Had a session and bought", f.viewers_who_bought, f.conversion if f.viewers else None),
        ("Put something into a cart, session or not", f.with_cart, None),
        ("and bought, session or not", f.with_cart_who_bought, None),
        ("Bought, session or not", f.buyers, None),
    )
    return Section(
        "funnel",
        "Funnel",
        f"user_activity_aggregation: users, ever. Conversion, buyers among viewers: {f.conversion:.1%}.",
        (Column("step", "Step", number=False), Column("users", "Users"), Column("of_viewers", "Of viewers")),
        steps if any(f) else (),
        chart(
            "funnel",
            "Users by what they have done",
            ["session", "and cart", "and bought", "any cart", "any purchase"],
            [f.viewers, f.viewers_with_cart, f.viewers_with_cart_who_bought, f.with_cart, f.buyers],
        ),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
