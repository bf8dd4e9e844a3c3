"""The shop of the local stack: a database on the embedded Postgres, and a role that may only read it."""

from __future__ import annotations

from datetime import date

import psycopg

from include.local_stack.postgres import SHOP, SHOP_READER, SUPERUSER
from include.local_stack.state import StateDirectory
from include.shop_stand_in.database import make_reader, make_shop
from include.shop_stand_in.trickle import Trickle

MIGRATION, SYNC = "shop_migration", "shop_sync"
CHANGES = 200


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
