"""The ClickHouse connection: a server on the native protocol, or the embedded engine where it has a path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.sdk import Connection
from pydantic import BaseModel, ConfigDict, Field, field_validator

from stagehouse.hooks.connection_fields import (
    BadConnection,
    read_connection,
    read_options,
    read_port,
    require_host,
    require_names,
)
from stagehouse.hooks.connection_grammar import NOT_PLAIN, is_host, is_option

if TYPE_CHECKING:
    from include.clickhouse.client import ClickHouse

NATIVE_PORT, TLS_PORT, HTTP_PORTS, MAX_PORT = 9000, 9440, (8123, 8443), 65535
DATABASE = "stagehouse"
LONGEST = 512  # characters of a path or a name
_SETTING = bool | Annotated[int, Field(ge=0, lt=2**63)] | Annotated[float, Field(allow_inf_nan=False)] | str
_COMPRESSED_BY = {"lz4": "lz4", "lz4hc": "lz4", "zstd": "zstd"}  # packages, which may not be installed
_OTHER_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?")
_SECONDS = Field(default=None, gt=0, le=3600, allow_inf_nan=False)


class ClickHouseOptions(BaseModel):
    """`extra` of the connection: `path` for the embedded engine, `cluster`, all else as the driver names it.

    Source: https://clickhouse-driver.readthedocs.io/en/latest/api.html#clickhouse_driver.connection.Connection
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: str | None = None
    cluster: str | None = Field(default=None, pattern="^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$")
    secure: bool | None = None
    verify: bool | None = None
    compression: bool | Literal["lz4", "lz4hc", "zstd"] | None = None
    connect_timeout: float | None = _SECONDS
    send_receive_timeout: float | None = _SECONDS
    sync_request_timeout: float | None = _SECONDS
    tcp_keepalive: bool | None = None
    alt_hosts: str | None = None
    ca_certs: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    check_hostname: bool | None = None
    server_hostname: str | None = None
    settings: dict[Annotated[str, Field(pattern="^[A-Za-z_]{1,200}$")], _SETTING] | None = None

    @field_validator("path", "alt_hosts", "ca_certs", "certfile", "keyfile", "server_hostname")
    @classmethod
    def _plain(cls, text: str | None) -> str | None:
        if text is not None and not (text.isprintable() and len(text) <= LONGEST):
            raise ValueError(f"at most {LONGEST} characters are allowed, none of them a control character")
        return text

    @field_validator("alt_hosts")
    @classmethod
    def _hosts(cls, hosts: str | None) -> str | None:
        if hosts and not all(map(_is_other_host, hosts.split(","))):
            raise ValueError("hosts are needed, as in name:9000,[::1]:9000")
        return hosts

    @field_validator("settings")
    @classmethod
    def _repeatable(cls, settings: dict[str, Any] | None) -> dict[str, Any] | None:
        if settings and not all(is_option(str(value)) for value in settings.values()):
            raise ValueError(NOT_PLAIN)  # the server repeats what it cannot read
        return settings

    @field_validator("compression")
    @classmethod
    def _installed(cls, kind: bool | str | None) -> bool | str | None:
        package = _COMPRESSED_BY.get(str(kind))
        if package and not find_spec(package):
            raise ValueError(
                f"needs the Python package {package}, which is not installed: install it, or leave this out"
            )
        return kind

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: str | None) -> str | None:
        if path is not None and (not Path(path).is_absolute() or ".." in Path(path).parts or "?" in path):
            raise ValueError("an absolute path without '..' and '?' is needed")
        return path


class ClickHouseHook(DbApiHook):
    """Makes clients of a connection: host, port (9000, TLS 9440), login, password, schema (`stagehouse`).

    With `cluster` in extra, its name in the servers' configuration: the tables of all its servers.
    With `path` in extra and no host: the engine embedded in this process, same SQL, same tables. Serves
    Airflow's common-sql operators through get_conn(). No I/O happens before a method is called.
    """

    conn_name_attr = "clickhouse_conn_id"
    default_conn_name = "clickhouse_default"
    conn_type = "clickhouse"
    hook_name = "ClickHouse"
    supports_autocommit = False
    _test_connection_sql = "SELECT version()"

    def get_client(self) -> ClickHouse:
        """Return a client that connects when first used: `with hook.get_client() as clickhouse: ...`.

        Raises: BadConnection, which names the connection and the field; later, when used,
            include.clickhouse.errors.UnusableConnection, which does too.
        """
        return self._client()

    def get_impatient_client(self, patience_s: float) -> ClickHouse | None:
        """Return a client of a server that waits no longer for it; None of the embedded engine.

        Raises: as get_client().
        """
        connection = read_connection(self.get_conn_id())
        if read_options(connection, ClickHouseOptions).path:
            return None
        waits = ("connect_timeout", "send_receive_timeout", "sync_request_timeout")
        return self._client(changes=dict.fromkeys(waits, patience_s))

    def get_conn(self) -> Any:
        """Return a DB-API connection. Its statements are the user's own: so are their settings."""
        from include.clickhouse.dbapi import ClickHouseConnection

        return ClickHouseConnection(lambda: self._client(relied_on={}))

    def _client(self, *, changes: Mapping[str, Any] | None = None, **options: Any) -> ClickHouse:
        connection = read_connection(self.get_conn_id())
        extra = read_options(connection, ClickHouseOptions).model_copy(update=changes)
        where = f"connection {connection.conn_id!r}"
        require_names(connection)
        database = connection.schema or DATABASE
        make = _embedded if extra.path else _native
        return make(connection, where, extra, database, **options)

    def test_connection(self) -> tuple[bool, str]:  # type: ignore[override]
        """Ask for the version: what the UI's Test button shows."""
        from include.clickhouse.cluster import ClusterClient

        try:
            with self.get_client() as clickhouse:
                ((version,),) = clickhouse.execute("SELECT version()")
                of = f", {len(clickhouse.nodes())} servers" if isinstance(clickhouse, ClusterClient) else ""
                return True, f"ClickHouse {version}, database {clickhouse.database}{of}"
        except Exception as error:  # noqa: BLE001 - whatever it is, the button shows it
            return False, str(error) or type(error).__name__

    def bulk_insert_rows(
        self, table: str, rows: Iterable[Sequence[Any]], columns: Sequence[str], batch_rows: int = 100_000
    ) -> int:
        """Insert rows by batches, memory bounded by one; return how many.

        An error leaves the batches before it in the table: use a table that can be thrown away.
        """
        from include.clickhouse.client import insert_rows

        source = iter(rows)
        with self.get_client() as clickhouse:
            return insert_rows(clickhouse, table, columns, iter(lambda: list(islice(source, batch_rows)), []))

    def insert_rows(  # type: ignore[override]
        self, table: str, rows: Iterable[Sequence[Any]], target_fields: Sequence[str], **_: Any
    ) -> None:
        """Insert rows as the common-sql interface asks for it; ClickHouse has no row-wise placeholders."""
        self.bulk_insert_rows(table, rows, target_fields)


def _is_other_host(text: str) -> bool:
    """Tell whether the driver can read an item of alt_hosts: an address of IPv6 needs its brackets."""
    found = _OTHER_HOST.fullmatch(text)
    if found is None:
        return False
    return is_host(found[1] or found[2]) and 1 <= int(found[3] or NATIVE_PORT) <= MAX_PORT


def _embedded(
    connection: Connection, where: str, extra: ClickHouseOptions, database: str, **options: Any
) -> ClickHouse:
    from include.clickhouse.embedded import EmbeddedClient

    if connection.host:
        reason = "is set, and so is extra.path: a server or the embedded engine, not both"
        raise BadConnection(connection.conn_id, "host", reason)
    if extra.cluster:
        raise BadConnection(connection.conn_id, "extra.cluster", "is set, and so is extra.path: one of them")
    return EmbeddedClient(where, str(extra.path), database, settings=extra.settings, **options)


def _native(
    connection: Connection, where: str, extra: ClickHouseOptions, database: str, **options: Any
) -> ClickHouse:
    from include.clickhouse.client import NativeClient
    from include.clickhouse.cluster import ClusterClient

    if not connection.host:
        reason = 'is empty; for the embedded engine set extra to {"path": "/an/absolute/directory"}'
        raise BadConnection(connection.conn_id, "host", reason)
    require_host(connection)
    port = read_port(connection, TLS_PORT if extra.secure else NATIVE_PORT)
    if port in HTTP_PORTS:
        reason = f"{port} is ClickHouse's HTTP port; the native port is needed, usually 9000 (9440 with TLS)"
        raise BadConnection(connection.conn_id, "port", reason)
    kind = ClusterClient if extra.cluster else NativeClient
    return kind(
        where,
        connection.host,
        port,
        database,
        user=connection.login or "default",  # what the server itself takes an empty name for
        password=connection.password or "",
        client_name="stagehouse",  # to be found in system.query_log
        **extra.model_dump(exclude_none=True),
        **options,
    )
