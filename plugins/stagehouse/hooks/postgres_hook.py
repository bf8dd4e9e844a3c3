"""The Postgres connection: the provider's hook, and what it lacks: a health check, leases, a pace."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import psycopg2
import psycopg2.extensions
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import Connection, get_current_context
from psycopg import AsyncConnection, pq
from psycopg_pool import AsyncConnectionPool, AsyncNullConnectionPool

from include.postgres.health import HealthLimits, PostgresHealth, check_health, unreachable
from include.postgres.lease import Lease, lease
from include.postgres.pace import SharedPacer
from stagehouse.hooks.connection_fields import (
    BadConnection,
    is_plain,
    read_connection,
    read_extra,
    read_port,
    require_names,
)
from stagehouse.hooks.connection_grammar import NO_HOST, NOT_PLAIN, is_host, is_option

PORT = 5432
CONNECT_TIMEOUT_S = 5
HEALTH_TIMEOUT_S = 20.0
# A lease's holder must notice a dead network before the server, which gives the lease away after 25 s, does:
# all of libpq, times in seconds, tcp_user_timeout in ms.
LEASE_NETWORK = {
    "keepalives": 1,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# What libpq itself would refuse with an error that shows the value, which may be a secret in a wrong place.
# Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
CHOICES = {
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "gsslib": ("gssapi", "sspi"),
    "load_balance_hosts": ("disable", "random"),
    "sslcertmode": ("disable", "allow", "require"),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": (
        "any", "read-write", "read-only", "primary", "standby", "prefer-standby"
    ),
}  # fmt: skip
NUMBERS = {
    "connect_timeout",
    "gssdelegation",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "port",
    "sslcompression",
    "sslsni",
    "tcp_user_timeout",
}
SECRETS = {"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
TOKEN_OPTIONS = ("iam", "azure_conn_id")


class StagehousePostgresHook(PostgresHook):
    """The provider's PostgresHook for SQL, with check_health() and lease() over the same connection.

    The connection needs host (a name, an address or a Unix socket's directory), login and schema (the
    database); port is 5432 and password empty unless given; extra takes libpq's keywords (sslmode, ...). No
    I/O happens before a method is called.
    """

    def get_conn(self) -> Any:
        """Return the provider's DB-API connection. Raises: BadConnection: libpq would show the value."""
        self.parameters()
        return super().get_conn()

    def parameters(self) -> dict[str, Any]:
        """Return libpq's keywords for this connection.

        Raises: BadConnection: a field is missing or wrong; libpq would go to a server and database of its own
            choice for an empty one.
        """
        connection = read_connection(self.get_conn_id())
        options = self._options(connection)
        fields = {
            "host": options.get("host") or connection.host,  # a URI carries a Unix socket as ?host=/directory
            "user": connection.login,
            "dbname": self.database or connection.schema,
        }
        for name, (keyword, value) in zip(("host", "login", "schema"), fields.items(), strict=True):
            if not value:
                raise BadConnection(connection.conn_id, name, f"is empty; it is libpq's {keyword}")
        require_names(connection)
        _require_hosts(connection, "extra.host" if options.get("host") else "host", str(fields["host"]))
        port = read_port(connection, PORT)
        network = {"port": port, "connect_timeout": CONNECT_TIMEOUT_S, "client_encoding": "UTF8"}
        secret = {"password": connection.password} if connection.password else {}
        return network | secret | options | fields

    def health_pool(self) -> AsyncConnectionPool[Any]:
        """Return a pool that is not open yet; it connects when asked, once, and keeps no idle connection."""
        # Not the pool that keeps connections: its background workers would try a wrong password again and
        # again, and would hide the server's answer behind a timeout.
        return AsyncNullConnectionPool(
            kwargs=self.parameters(), max_size=1, open=False, timeout=CONNECT_TIMEOUT_S
        )

    async def check_health(self, limits: HealthLimits | None = None) -> PostgresHealth:
        """Return the state of the server, read once.

        Raises: BadConnection: a field is missing or wrong. PostgresUnreachable: no answer, or refused.
            PostgresUnwell: it answers but exceeds one of `limits`.
        """
        pool = self.health_pool()
        return await check_health(pool, self.get_conn_id(), limits or HealthLimits(), HEALTH_TIMEOUT_S)

    def lease(self, *names: str, holder: str | None = None, places: int = 1) -> AbstractContextManager[Lease]:
        """Return leases of this database, to be entered with `with`: all or none; see include.postgres.lease.

        Args: names: any texts. holder: who we are; the task, its try and run unless given. places: how many
            may hold the lease of a name at a time.
        Raises, when entered: LeaseTaken; LeaseUnanswered; BadConnection and PostgresUnreachable as
            check_health() does.
        """
        return lease(self._connect_for_lease, names, holder or _this_task(), places)

    def pace(self, name: str, distance_s: float, processes: int) -> Callable[[], SharedPacer]:
        """Return what makes the pace `name`, inside an event loop; see include.postgres.pace.

        Raises: BadConnection, at once.
        """
        return partial(SharedPacer, self.async_connect(), name, distance_s, processes)

    def async_connect(self) -> Callable[[], Awaitable[AsyncConnection[Any]]]:
        """Return what opens a connection of its own, with autocommit, inside an event loop.

        Raises: BadConnection, at once.
        """
        return partial(AsyncConnection.connect, **LEASE_NETWORK | self.parameters(), autocommit=True)

    def _connect_for_lease(self) -> psycopg2.extensions.connection:
        parameters = LEASE_NETWORK | self.parameters()
        try:
            connection: psycopg2.extensions.connection = psycopg2.connect(**parameters)
        except psycopg2.OperationalError as error:
            raise unreachable(self.get_conn_id(), error) from error
        return connection

    def _options(self, connection: Connection) -> dict[str, Any]:
        extra = read_extra(connection)
        known = {default.keyword.decode() for default in pq.Conninfo.get_defaults()}
        for name, value in extra.items():
            field = f"extra.{name}"
            if name in TOKEN_OPTIONS and value:
                raise BadConnection(
                    connection.conn_id, field, "tokens are not supported", "use login and password instead"
                )
            if name not in known | self.ignored_extra_options:
                raise BadConnection(
                    connection.conn_id, field, "neither an option of libpq nor of the provider"
                )
            if name in known and (isinstance(value, bool) or not isinstance(value, str | int)):
                raise BadConnection(connection.conn_id, field, "neither text nor a number")
            if name in known:
                _require_option(connection, name, str(value))
        options = {name: value for name, value in extra.items() if name in known}
        return options | ({"options": self.options} if self.options else {})


def _require_hosts(connection: Connection, field: str, hosts: str) -> None:
    """Raise BadConnection for what is neither the directory of a socket nor a list of hosts."""
    if not hosts.startswith(("/", "@")) and not all(is_host(host) for host in hosts.split(",")):
        raise BadConnection(connection.conn_id, field, NO_HOST)


def _require_option(connection: Connection, name: str, value: str) -> None:
    """Raise BadConnection, without the value, for one that libpq would refuse, or a server repeat."""
    if not is_plain(value):
        reason = "holds a NUL or half a character"
    elif name in CHOICES and value and value not in CHOICES[name]:
        reason = f"is none of {', '.join(CHOICES[name])}"
    elif name in NUMBERS and value and not re.fullmatch(r"-?[0-9]{1,9}", value):
        reason = "is no number"
    elif name not in SECRETS and not is_option(value):
        reason = NOT_PLAIN
    else:
        return
    raise BadConnection(connection.conn_id, f"extra.{name}", reason)


def _this_task() -> str:
    try:
        task = get_current_context()["ti"]
    except RuntimeError:  # outside of a task: a person at a prompt, a test
        return f"{getpass.getuser()}@{socket.gethostname()} pid {os.getpid()}"
    return f"{task.dag_id}.{task.task_id} try {task.try_number} {task.run_id}"
