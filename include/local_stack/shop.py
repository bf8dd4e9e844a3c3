"""The shop of the local stack: a database on the embedded Postgres, and a role that may only read it."""

from __future__ import annotations

from datetime import date

import psycopg
from rich.console import Group
from rich.table import Table

from include.clickhouse.client import ClickHouse
from include.clickhouse.embedded import EmbeddedClient
from include.local_stack.errors import StackError
from include.local_stack.postgres import SHOP, SHOP_READER, SUPERUSER
from include.local_stack.results import SHOWN, table
from include.local_stack.state import StateDirectory
from include.shop_stand_in.database import make_reader, make_shop
from include.shop_stand_in.trickle import Trickle

MIGRATION, SYNC = "shop_migration", "shop_sync"
CHANGES = 200

SALES = """
    SELECT date, total_sales, total_quantity, total_revenue FROM daily_sales_aggregation
    WHERE dimension = 'total' ORDER BY date DESC LIMIT %(shown)s
"""
CATEGORIES = """
    SELECT name, sum(total_sales) AS sales, sum(total_quantity), sum(total_revenue) AS revenue
    FROM daily_sales_aggregation WHERE dimension = 'category' GROUP BY name
    ORDER BY revenue DESC, name LIMIT %(shown)s
"""
CHECKS = """
    SELECT outcome, uniqExact(rule) AS rules, count() AS checks FROM quality_checks FINAL
    WHERE run_id IN (SELECT argMax(run_id, checked_at) FROM quality_checks) GROUP BY outcome ORDER BY outcome
"""


def make(state: StateDirectory, day: date) -> dict[str, object]:
    """Make the shop, with `day` as its last one, unless there is one; return the params of a migration."""
    with psycopg.connect(conninfo(state), autocommit=True) as connection:
        make_shop(connection, day)
        make_reader(connection, SHOP_READER)
    return {}


def change(state: StateDirectory, day: date) -> dict[str, object]:
    """Change rows of all kinds, most of them of `day`; return the params of the run that copies them."""
    with psycopg.connect(conninfo(state)) as connection:
        ((sales,),) = connection.execute("SELECT count(*) FROM sales")
    with Trickle(conninfo(state), day, seed=sales) as trickle:
        for _ in range(CHANGES):
            trickle.step()
    return {}


def conninfo(state: StateDirectory) -> str:
    """Return what names the shop's database, for who may write to it."""
    host = str(state.socket_directory())
    return psycopg.conninfo.make_conninfo(host=host, user=SUPERUSER, dbname=SHOP)


def sold(state: StateDirectory, database: str) -> Group:
    """Return the tables to print of the shop: its newest days, its categories, what was checked; its page."""
    with EmbeddedClient("clickhouse_default", state.clickhouse, database) as clickhouse:
        tables = _sales(clickhouse)
    page = max((state.reports / "shop").glob("*/index.html"))
    return Group(*tables, f"The nine reports of the shop as a page: {page}")


def _sales(clickhouse: ClickHouse) -> list[Table]:
    """Return the tables to print. Raises: StackError: there are no sales."""
    days = clickhouse.execute(SALES, {"shown": SHOWN})
    if not days:
        raise StackError(
            "shop_sync was green, but the table daily_sales_aggregation is empty. "
            "Next: look in the log of its task aggregate"
        )
    day = days[0][0]
    categories = clickhouse.execute(CATEGORIES, {"shown": SHOWN})
    return [
        table("Sales by day", day, ("date", "sales", "pieces", "revenue"), days),
        table("Sales by category", day, ("category", "sales", "pieces", "revenue"), categories),
        table("Checks", day, ("outcome", "rules", "checks"), clickhouse.execute(CHECKS)),
    ]
