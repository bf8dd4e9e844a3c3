"""The shop in Postgres: its tables, its rows, and a role that may only read them."""

from __future__ import annotations

from datetime import date

from psycopg import Connection, sql

from include.shop_stand_in.rows import COLUMNS, SCHEMA, ShopRows


def make_shop(connection: Connection, day: date) -> bool:
    """Make the tables and rows of a shop whose last day is `day`; False where there is one already.

    All in one transaction, in the schema `public` of the connection's database.
    """
    with connection.transaction():
        there = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = ANY(%s)"
        ((count,),) = connection.execute(there, [list(COLUMNS)]).fetchall()
        if count:
            return False
        connection.execute(SCHEMA.read_bytes())
        for table, rows in ShopRows(day).tables():
            names = sql.SQL(", ").join(map(sql.Identifier, COLUMNS[table]))
            copy = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
            with connection.cursor() as cursor, cursor.copy(copy) as into:
                for row in rows:
                    into.write_row(row)
        return True


def make_reader(connection: Connection, role: str) -> None:
    """Make a role that may read what is in `public`, now and later, and nothing else: what a sync needs."""
    name = sql.Identifier(role)
    with connection.transaction():
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchall():
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        for right in (
            "GRANT USAGE ON SCHEMA public TO {}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {}",
        ):
            connection.execute(sql.SQL(right).format(name))
