"""The nine reports of the shop, as readers find them in ClickHouse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from include.clickhouse.client import ClickHouse
from include.kafka.reports import Weekday, by_weekday
from include.quality.checks import newest_findings
from include.quality.rules import Finding
from include.text import text_of

SHOWN_DAYS = 42
_CENT = Decimal("0.01")
_SQL = Path(__file__).parent / "report_sql"


class DaySales(NamedTuple):
    """A day's sales, all of them."""

    day: date
    sales: int
    quantity: int
    revenue: Decimal


class CategorySales(NamedTuple):
    """What a category has sold in the days that are shown; id None: products without one, or no product."""

    id: int | None
    category: str
    sales: int
    quantity: int
    revenue: Decimal


class Seller(NamedTuple):
    """A seller. Attributes: sales, revenue: of the days shown; ratings, all; rating, their mean or 0."""

    id: int
    seller: str
    sales: int
    revenue: Decimal
    ratings: int
    rating: float


class Cart(NamedTuple):
    """Items in carts of one status. Attributes: users: how many different ones."""

    status: str
    items: int
    pieces: int
    users: int


class CategoryRatings(NamedTuple):
    """Ratings of a category's products. Attributes: rating, their mean; ones to fives, how many of each."""

    id: int
    category: str
    ratings: int
    rating: float
    ones: int
    twos: int
    threes: int
    fours: int
    fives: int


class Users(NamedTuple):
    """How many users have this number: of purchases, or of days."""

    number: int
    users: int


class Funnel(NamedTuple):
    """Users by what they have ever done: had a session (viewers), put into a cart, bought."""

    viewers: int = 0
    viewers_with_cart: int = 0
    viewers_with_cart_who_bought: int = 0
    viewers_who_bought: int = 0
    with_cart: int = 0
    with_cart_who_bought: int = 0
    buyers: int = 0

    @property
    def conversion(self) -> float:
        """Buyers among viewers by viewers, from 0 to 1; 0 where there are no viewers."""
        return self.viewers_who_bought / self.viewers if self.viewers else 0.0


class Freshness(NamedTuple):
    """How new what is shown is.

    Attributes: source_at, the instant of the source that is published, None where it is not known; version
    of it; aggregated_at; sessions_at, the start of the newest session, None without one.
    """

    source_at: datetime | None
    version: int
    aggregated_at: datetime | None
    sessions_at: datetime | None


class ShopReports(NamedTuple):
    """All that the page shows. Attributes: first, last: the days shown; checks, of the newest run."""

    first: date
    last: date
    by_day: list[DaySales]
    by_category: list[CategorySales]
    sellers: list[Seller]
    carts: list[Cart]
    weekdays: list[Weekday]
    ratings: list[CategoryRatings]
    purchases: list[Users]
    first_purchase: list[Users]
    funnel: Funnel
    freshness: Freshness
    checked_at: datetime | None
    checks: list[Finding]


def read_reports(clickhouse: ClickHouse, day: date, source_at: datetime | None, version: int) -> ShopReports:
    """Read all reports, of the days up to the newest with sales; one dated later than tomorrow moves nothing.

    Args: day: the last one where there are no sales. source_at, version: of what is published of the source.
    Raises: ClickHouseError.
    """
    today = max(day, source_at.date()) if source_at else day
    last = _newest_day(clickhouse, today + timedelta(days=1)) or day  # it begins up to 14 hours before UTC's
    first = last - timedelta(days=SHOWN_DAYS - 1)
    bound = {"first": first.isoformat(), "last": last.isoformat()}

    def rows(name: str) -> list[tuple]:  # type: ignore[type-arg]
        found = clickhouse.execute((_SQL / f"{name}.sql").read_text(), bound)
        return [tuple(map(_value, row)) for row in found]

    by_day = _each_day([DaySales(*row) for row in rows("revenue_by_day")], first)
    checks = newest_findings(clickhouse)
    return ShopReports(
        first,
        last,
        by_day,
        _with_rest([CategorySales(*row) for row in rows("revenue_by_category")], by_day),
        [Seller(*row) for row in rows("sellers")],
        [Cart(*row) for row in rows("carts_by_status")],
        by_weekday(clickhouse),
        [CategoryRatings(*row) for row in rows("ratings_by_category")],
        [Users(*row) for row in rows("purchases_per_user")],
        [Users(*row) for row in rows("days_to_first_purchase")],
        Funnel(*rows("funnel")[0]),
        Freshness(source_at, version, _aggregated_at(clickhouse), _sessions_at(clickhouse)),
        checks[1] if checks else None,
        checks[2] if checks else [],
    )


def _value(value: object) -> object:
    if isinstance(value, Decimal):
        return value.quantize(_CENT)  # engines of today write 12.5
    return text_of(value) if isinstance(value, str | bytes) else value


def _newest_day(clickhouse: ClickHouse, until: date) -> date | None:
    ((count, newest),) = clickhouse.execute(
        "SELECT count(), max(date) FROM daily_sales_aggregation WHERE date <= toDate(%(until)s)",
        {"until": until.isoformat()},
    )
    return newest if count else None


def _each_day(found: Sequence[DaySales], first: date) -> list[DaySales]:
    """Return all days: those without sales too."""
    known = {row.day: row for row in found}
    days = (first + timedelta(days=number) for number in range(SHOWN_DAYS))
    return [known.get(day, DaySales(day, 0, 0, Decimal(0))) for day in days]


def _with_rest(found: list[CategorySales], by_day: Iterable[DaySales]) -> list[CategorySales]:
    """Return the categories, and what is in none of them: together the total."""
    days = list(by_day)
    rest = CategorySales(
        None,
        "",
        sum(day.sales for day in days) - sum(each.sales for each in found),
        sum(day.quantity for day in days) - sum(each.quantity for each in found),
        sum((day.revenue for day in days), Decimal(0)) - sum((each.revenue for each in found), Decimal(0)),
    )
    return [*found, rest] if rest.sales else found


def _aggregated_at(clickhouse: ClickHouse) -> datetime | None:
    return _instant(clickhouse, "SELECT count(), toUnixTimestamp(max(aggregated_at)) FROM aggregated_inputs")


def _sessions_at(clickhouse: ClickHouse) -> datetime | None:
    return _instant(clickhouse, "SELECT count(), toUnixTimestamp(max(session_start)) FROM user_sessions")


def _instant(clickhouse: ClickHouse, query: str) -> datetime | None:
    ((count, seconds),) = clickhouse.execute(query)
    return datetime.fromtimestamp(seconds, UTC) if count else None
