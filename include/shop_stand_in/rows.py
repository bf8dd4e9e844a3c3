r"""A shop's database of about forty days, made up: the same for the same day, whoever makes it.

What real shops have and neat samples lack is in it: sales without a product, products without a category,
sales that were entered days after they were made, the last microsecond of a day, a price of nothing, another
of a cent, names with quotes, tabs, line ends, a backslash, `\N` and letters of other scripts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

SCHEMA = Path(__file__).with_name("tables.sql")
DAYS = 40
SELLERS, PRODUCTS, USERS, SALES, CARTS, RATINGS = 15, 120, 400, 3_600, 1_500, 700
LATE_SALES = 60  # the newest by id, of any day

Row = tuple[object, ...]
# In the order in which rows may be inserted: a table after those that it refers to.
COLUMNS = {
    "categories": ("id", "name", "parent_id"),
    "sellers": ("id", "name", "country", "joined_on"),
    "products": ("id", "category_id", "seller_id", "name", "price", "attributes", "updated_at"),
    "users": ("id", "username", "email", "born_on", "created_at"),
    "sales": ("id", "product_id", "user_id", "seller_id", "quantity", "price_at_sale", "sale_date"),
    "product_ratings": ("id", "product_id", "user_id", "rating", "comment", "rating_date"),
    "seller_ratings": ("id", "seller_id", "user_id", "rating", "rating_date"),
    "cart_items": ("id", "user_id", "product_id", "quantity", "added_at", "status"),
}
CATEGORIES = (
    ("Home", None), ("Books", None), ("Clothes", None), ("Kitchen", 1), ("Garden & Patio", 1),
    ("Children's books", 2), ("Книги", 2), ('Dresses "Été"', 3), ("Shoes", 3), ("漢字の本", 2),
)  # fmt: skip
NAMES = (
    "O'Neill's teapot", 'The "best" chair', "Tab\there", "Two\nlines", "Back\\slash", "\\N", "Платье", "漢字",
    "🧵 thread", " blanks ", "a,b;c", "<b>bold</b>", "100%", "%(name)s",
)  # fmt: skip
STATUSES = ("active", "purchased", "removed")
PRICES = (Decimal("0.00"), Decimal("0.01"), Decimal("1299.99"))


class ShopRows:
    """The rows of a shop whose last day is `day`, in UTC. Attributes: first, last: its days."""

    def __init__(self, day: date) -> None:
        self.last = day
        self.first = day - timedelta(days=DAYS - 1)
        self._random = random.Random(f"shop {day.toordinal()}")  # noqa: S311 - no secret
        self._products = list(self._make_products())

    def tables(self) -> Iterator[tuple[str, list[Row]]]:
        """Yield each table with its rows, in the order of COLUMNS."""
        yield "categories", [(n, name, parent) for n, (name, parent) in enumerate(CATEGORIES, 1)]
        yield "sellers", list(self._sellers())
        yield "products", self._products
        yield "users", list(self._users())
        yield "sales", list(self._sales())
        yield "product_ratings", list(self._product_ratings())
        yield "seller_ratings", list(self._seller_ratings())
        yield "cart_items", list(self._cart_items())

    def _sellers(self) -> Iterator[Row]:
        for number in range(1, SELLERS + 1):
            name = f"{NAMES[number % len(NAMES)]} & sons" if number % 5 == 0 else f"Seller {number:02}"
            country = None if number % 7 == 0 else ("DE", "FR", "PL", "US")[number % 4]
            yield number, name, country, None if number % 6 == 0 else date(1960 + number * 4, 2, 28)

    def _make_products(self) -> Iterator[Row]:
        chance = self._random
        for number in range(1, PRODUCTS + 1):
            category = None if number % 29 == 0 else chance.randint(1, len(CATEGORIES))
            name = NAMES[number] if number < len(NAMES) else f"Product {number:03}"
            cents = chance.randint(99, 49_999)
            price = PRICES[number - 1] if number <= len(PRICES) else Decimal(cents).scaleb(-2)
            attributes = None if number % 3 else f'{{"colour": "red", "size": {number}}}'
            seller = chance.randint(1, SELLERS)
            yield number, category, seller, name, price, attributes, self._instant(self.first)

    def _users(self) -> Iterator[Row]:
        for number in range(1, USERS + 1):
            name = f"user_{number:04}" if number % 50 else f"üser '{number}' ❤"
            email = None if number % 4 == 0 else f"{number}@example.com"
            born = None if number % 3 else date(1950 + number % 60, 1 + number % 12, 1 + number % 28)
            yield number, name, email, born, self._instant(self.first - timedelta(days=number % 30))

    def _sales(self) -> Iterator[Row]:
        chance = self._random
        for number in range(1, SALES + 1):
            late = number > SALES - LATE_SALES
            place = chance.random() if late else number / (SALES - LATE_SALES + 1)
            day = self.first + timedelta(days=int(place * DAYS))
            product = chance.choice(self._products[3:]) if number % 100 else self._products[number // 100 % 3]
            price = product[4]
            assert isinstance(price, Decimal)  # noqa: S101 - of our own rows
            reduced = (price * chance.choice((100, 100, 90, 75)) / 100).quantize(Decimal("0.01"))
            at = self._instant(day) if number % 40 else self._edge(day, number // 40)
            without = number % 120 == 1  # the product is gone
            yield (
                number, None if without else product[0], self._buyer(), product[2],
                chance.choice((1, 1, 1, 2, 3, 12)), reduced, at,
            )  # fmt: skip

    def _product_ratings(self) -> Iterator[Row]:
        chance = self._random
        for number in range(1, RATINGS + 1):
            comment = None if number % 3 else chance.choice(NAMES)
            product = chance.randint(1, PRODUCTS)
            yield number, product, self._buyer(), self._stars(), comment, self._instant(self._day())

    def _seller_ratings(self) -> Iterator[Row]:
        for number in range(1, RATINGS // 2 + 1):
            seller = self._random.randint(1, SELLERS - 1)  # the last one has none
            yield number, seller, self._buyer(), self._stars(), self._instant(self._day())

    def _cart_items(self) -> Iterator[Row]:
        chance = self._random
        for number in range(1, CARTS + 1):
            user, product = chance.randint(1, USERS * 4 // 5), chance.randint(1, PRODUCTS)
            status = chance.choices(STATUSES, (2, 5, 1))[0]
            yield number, user, product, chance.randint(1, 3), self._instant(self._day()), status

    def _buyer(self) -> int:
        # Some buy often, most now and then, the last tenth never.
        return 1 + int(self._random.random() ** 2 * (USERS * 9 // 10))

    def _stars(self) -> int:
        return self._random.choices((1, 2, 3, 4, 5), (1, 1, 2, 5, 6))[0]

    def _day(self) -> date:
        return self.first + timedelta(days=self._random.randrange(DAYS))

    def _instant(self, day: date) -> datetime:
        return _midnight(day) + timedelta(microseconds=self._random.randrange(86_400_000_000))

    @staticmethod
    def _edge(day: date, number: int) -> datetime:
        return _midnight(day) + (timedelta(days=1, microseconds=-1) if number % 2 else timedelta())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
