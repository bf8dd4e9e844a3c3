"""A Postgres that tables are copied from: the same hook, on a connection of its own."""

from __future__ import annotations

import psycopg2
import psycopg2.extensions

from include.postgres.health import unreachable
from stagehouse.hooks.postgres_hook import LEASE_NETWORK, StagehousePostgresHook


class SourceHook(StagehousePostgresHook):
    """A hook whose connection is read from, and never written to; `shop_default` unless told otherwise.

    The connection is as that of StagehousePostgresHook. Sessions are made read only, and get their limits, by
    include.change_capture.session: for each transaction, as a pooler may be between. No I/O happens before a
    method is called.
    """

    default_conn_name = "shop_default"

    def connect(self) -> psycopg2.extensions.connection:
        """Open a connection of its own.

        Raises: BadConnection: a field is missing or wrong. PostgresUnreachable: no answer, or refused.
        """
        parameters = LEASE_NETWORK | self.parameters()
        try:
            connection: psycopg2.extensions.connection = psycopg2.connect(**parameters)
        except psycopg2.OperationalError as error:
            raise unreachable(self.get_conn_id(), error) from error
        return connection
