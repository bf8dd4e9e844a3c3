"""Changes in the shop, as its application makes them while somebody copies its tables.

What copying by a column such as `updated_at` loses is among them: rows that are committed long after they
were written, rows that are deleted, sales that move to another day, names and keys that change, savepoints
that are rolled back.
"""

from __future__ import annotations

import random
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, date, datetime, time, timedelta
from typing import Self

from psycopg import Connection, Rollback, connect, errors

LATE_AFTER_STEPS = 12  # so many steps later a late transaction is committed
LOCK_TIMEOUT = "100ms"  # a late transaction of ours may hold what a step wants to delete
PAST_DAYS = 40
_KINDS = {
    "sell": 8, "put_in_cart": 4, "change_cart": 3, "correct_sale": 3, "move_sale": 2, "delete_sale": 2,
    "delete_product": 1, "change_price": 2, "move_product": 1, "rename_seller": 1, "change_key": 1,
    "change_mind": 1, "sell_late": 2, "rate": 2, "register": 1,
}  # fmt: skip


class Trickle:
    """Changes the shop of `conninfo`, whose last day is `day`, step by step; leave it to commit the rest.

    The same `seed` makes the same changes to the same shop. Several may change one shop at a time: a step
    that another is in the way of does nothing.

    Attributes: done, how many steps of each kind, and how many `did nothing`.
    """

    def __init__(self, conninfo: str, day: date, seed: int = 0) -> None:
        self._conninfo, self._day = conninfo, day
        self._random = random.Random(f"trickle {seed}")  # noqa: S311 - no secret
        self._late: list[tuple[int, Connection]] = []
        self._open = ExitStack()
        self._steps, self.done = 0, Counter[str]()

    def __enter__(self) -> Self:
        self._shop = self._open.enter_context(connect(self._conninfo, autocommit=True))
        self._shop.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._commit_late(everything=True)
        self._open.close()

    def step(self) -> None:
        """Make one change of some kind, and commit what has been open for long enough."""
        self._steps += 1
        kind = self._random.choices(list(_KINDS), list(_KINDS.values()))[0]
        try:
            getattr(self, f"_{kind}")()
        except (errors.LockNotAvailable, errors.IntegrityError, errors.DeadlockDetected):
            kind = "did nothing"
        self.done[kind] += 1
        self._commit_late()

    def _sell(self) -> None:
        self._shop.execute(_SELL, self._sale(self._today()))

    def _sell_late(self) -> None:
        """Sell on a past day, in a transaction that is committed after many that began later."""
        late = self._open.enter_context(connect(self._conninfo))
        late.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        late.execute(_SELL, self._sale(self._past()))
        self._late.append((self._steps, late))

    def _put_in_cart(self) -> None:
        self._shop.execute(_CART, {"at": self._today(), "product": self._any(), "user": self._any()})

    def _change_cart(self) -> None:
        status = self._random.choice(("purchased", "removed", "active"))
        self._change("cart_items", "status = %(status)s", status=status)

    def _correct_sale(self) -> None:
        """Correct quantity and price of a sale of any day."""
        quantity = self._random.randint(1, 9)
        price = "CASE WHEN price_at_sale < 99999999 THEN price_at_sale + 0.01 ELSE 1 END"
        self._change("sales", f"quantity = %(quantity)s, price_at_sale = {price}", quantity=quantity)

    def _move_sale(self) -> None:
        self._change("sales", "sale_date = %(at)s", at=self._past())

    def _delete_sale(self) -> None:
        self._delete("sales")

    def _delete_product(self) -> None:
        """Delete a product: its ratings and carts go too, its sales stay, without a product."""
        self._delete("products")

    def _change_price(self) -> None:
        self._change("products", "price = round(price * 0.9, 2), updated_at = %(at)s", at=self._today())

    def _move_product(self) -> None:
        """Move a product to another category: days long past look another way then."""
        to = "category_id = 1 + %(to)s %% (SELECT count(*) FROM categories)"
        self._change("products", to, to=self._any())

    def _rename_seller(self) -> None:
        self._change("sellers", "name = %(name)s", name=f"Seller 'new' {self._any() % 100}")

    def _change_key(self) -> None:
        self._change("cart_items", "id = (SELECT max(id) + 1 FROM cart_items)")

    def _change_mind(self) -> None:
        """Sell twice in one transaction, and take the second sale back."""
        with self._shop.transaction():
            self._shop.execute(_SELL, self._sale(self._today()))
            with self._shop.transaction() as savepoint:
                self._shop.execute(_SELL, self._sale(self._today()))
                raise Rollback(savepoint)

    def _rate(self) -> None:
        bound = {"product": self._any(), "user": self._any(), "rating": self._random.randint(1, 5)}
        self._shop.execute(_RATE, bound | {"at": self._today()})

    def _register(self) -> None:
        self._shop.execute(_REGISTER, {"at": self._today()})

    def _change(self, table: str, change: str, **bound: object) -> None:
        """Change some row of a table."""
        statement = f"UPDATE {table} SET {change} WHERE id = ({_some(table)})"
        self._shop.execute(statement, bound | {"any": self._any()})

    def _delete(self, table: str) -> None:
        self._shop.execute(f"DELETE FROM {table} WHERE id = ({_some(table)})", {"any": self._any()})

    def _commit_late(self, *, everything: bool = False) -> None:
        while self._late and (everything or self._steps - self._late[0][0] >= LATE_AFTER_STEPS):
            _, late = self._late.pop(0)
            late.commit()
            late.close()

    def _sale(self, at: datetime) -> dict[str, object]:
        bound = {"user": self._any(), "product": self._any(), "quantity": self._random.randint(1, 3)}
        return bound | {"at": at, "id": 1_000_000 + self._random.getrandbits(40)}

    def _any(self) -> int:
        return self._random.getrandbits(30)

    def _today(self) -> datetime:
        return self._instant(self._day)

    def _past(self) -> datetime:
        return self._instant(self._day - timedelta(days=self._random.randrange(PAST_DAYS)))

    def _instant(self, day: date) -> datetime:
        return datetime.combine(day, time.min, UTC) + timedelta(seconds=self._random.random() * 86_399)


def _some(table: str, number: str = "any") -> str:
    """Return SQL of the id of some row: the same number means the same row of the same table."""
    count = f"greatest((SELECT count(*) FROM {table}), 1)"
    return f"SELECT id FROM {table} ORDER BY id OFFSET %({number})s %% {count} LIMIT 1"


_SELL = f"""
    INSERT INTO sales (id, product_id, user_id, seller_id, quantity, price_at_sale, sale_date)
    SELECT %(id)s, id, ({_some("users", "user")}), seller_id, %(quantity)s, price, %(at)s
    FROM products WHERE id = ({_some("products", "product")}) AND price < 99999999
"""
_CART = f"""
    INSERT INTO cart_items (id, user_id, product_id, quantity, added_at, status)
    SELECT max(id) + 1, ({_some("users", "user")}), ({_some("products", "product")}), 1, %(at)s, 'active'
    FROM cart_items
"""
_RATE = f"""
    INSERT INTO product_ratings (id, product_id, user_id, rating, comment, rating_date)
    SELECT max(id) + 1, ({_some("products", "product")}), ({_some("users", "user")}), %(rating)s,
           'it''s fine', %(at)s
    FROM product_ratings
"""
_REGISTER = """
    INSERT INTO users (id, username, created_at)
    SELECT max(id) + 1, 'new user ' || max(id) + 1, %(at)s FROM users
"""
