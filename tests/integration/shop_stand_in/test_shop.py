"""The shop of make run on a real Postgres: the same each time, with a role that may only read."""

from collections.abc import Iterator
from datetime import date, timedelta

import psycopg
import pytest
from psycopg import Connection, conninfo

from include.shop_stand_in.__main__ import main
from include.shop_stand_in.database import make_reader, make_shop
from include.shop_stand_in.rows import COLUMNS, DAYS, ShopRows
from include.shop_stand_in.trickle import Trickle

DAY = date(2026, 11, 20)


@pytest.fixture
def info(postgres_server, postgres_database: str) -> str:
    """What names a database that a superuser may write to."""
    return conninfo.make_conninfo(**(postgres_server.parameters | {"dbname": postgres_database}))


@pytest.fixture
def shop(info: str) -> Iterator[Connection]:
    """A shop of forty days."""
    with psycopg.connect(info, autocommit=True) as connection:
        assert make_shop(connection, DAY)
        yield connection


def contents(connection: Connection) -> dict[str, list[tuple]]:
    """All rows, by table and key."""
    return {table: connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in COLUMNS}


def test_the_same_rows_each_time(shop: Connection):
    """Postgres has what Python made, and makes again: all references lead somewhere."""
    made = {table: [row[0] for row in rows] for table, rows in ShopRows(DAY).tables()}
    assert {table: [row[0] for row in rows] for table, rows in contents(shop).items()} == made
    assert list(ShopRows(DAY).tables()) == list(ShopRows(DAY).tables())
    assert not make_shop(shop, DAY)  # what is there stays


def test_what_real_shops_have(shop: Connection):
    """Forty days with sales; sales without a product, entered late, at the edges of days, for nothing."""
    day = "(sale_date AT TIME ZONE 'UTC')::date"
    ask = f"SELECT count(DISTINCT {day}), min(sale_date), max(sale_date) FROM sales"
    days, first, last = shop.execute(ask).fetchone()
    assert (days, first.date(), last.date()) == (DAYS, DAY - timedelta(days=DAYS - 1), DAY)
    for condition in (
        "product_id IS NULL",
        "price_at_sale = 0",
        "price_at_sale = 0.01",
        "(sale_date AT TIME ZONE 'UTC')::time = '23:59:59.999999'",
        "(sale_date AT TIME ZONE 'UTC')::time = '00:00'",
        "product_id IN (SELECT id FROM products WHERE category_id IS NULL)",
        "sale_date < (SELECT max(s.sale_date) FROM sales s WHERE s.id < sales.id) - interval '5 days'",
    ):
        assert shop.execute(f"SELECT count(*) FROM sales WHERE {condition}").fetchone()[0], condition
    names = "SELECT count(*) FROM products WHERE name ~ '[''\"\\t\\n\\\\]' OR name !~ '^[ -~]*$'"
    assert shop.execute(names).fetchone()[0] > 5


def test_a_reader_may_only_read(shop: Connection, info: str):
    """What is there and what comes later, and may change nothing."""
    make_reader(shop, "shop_reader_of_test")
    make_reader(shop, "shop_reader_of_test")  # is repeated with each start
    shop.execute("CREATE TABLE later (id int PRIMARY KEY)")
    shop.execute("SET ROLE shop_reader_of_test")
    assert shop.execute("SELECT count(*) FROM sales").fetchone()[0] > 3000
    shop.execute("SELECT xmin FROM later")
    for statement in ("DELETE FROM sales", "CREATE TABLE more (id int)", "UPDATE users SET email = ''"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            shop.execute(statement)
    shop.execute("RESET ROLE")
    shop.execute("DROP OWNED BY shop_reader_of_test")
    shop.execute("DROP ROLE shop_reader_of_test")


def test_changes_of_all_kinds(shop: Connection, info: str):
    """Each kind happens; what a late transaction has written is seen long after others, and in the end."""
    before = contents(shop)
    with Trickle(info, DAY) as trickle:
        for _ in range(300):
            trickle.step()
    after = contents(shop)
    assert trickle.done["did nothing"] < 30
    assert {"sell_late", "change_mind", "change_key", "delete_product", "move_sale"} <= trickle.done.keys()
    assert all(
        before[table] != after[table] for table in COLUMNS if table not in ("categories", "seller_ratings")
    )
    assert {row[0] for row in before["sales"]} - {row[0] for row in after["sales"]}
    assert not shop.execute("SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in tr%'").fetchall()


def test_the_same_changes_for_the_same_seed(shop: Connection, info: str, capsys: pytest.CaptureFixture):
    """By the command, which says what it has done."""
    assert main(["make", info, "--day", str(DAY)]) == 0
    assert main(["change", info, "--day", str(DAY), "--steps", "60", "--seed", "7"]) == 0
    first = contents(shop)
    said = capsys.readouterr().out
    assert "There is a shop already" in said
    assert sum(int(line.split()[0]) for line in said.splitlines()[1:]) == 60
    shop.execute(f"DROP TABLE {', '.join(COLUMNS)}")
    make_shop(shop, DAY)
    main(["change", info, "--day", str(DAY), "--steps", "60", "--seed", "7"])
    assert contents(shop) == first
