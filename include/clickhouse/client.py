"""One way to talk to ClickHouse: the driver's own client, with errors that name the connection."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, Self

from clickhouse_driver import Client, errors

from include.clickhouse.errors import (
    ClientShared,
    OutcomeUnknown,
    Refused,
    UnusableConnection,
    first_line,
    reason_of,
)

# The driver logs a refused connection with its stack; our error says it in one line.
logging.getLogger("clickhouse_driver.connection").setLevel(logging.ERROR)

NO_ANSWER = (EOFError, OSError, errors.NetworkError, errors.SocketTimeoutError)
_FIELD_OF_CODE = {81: "schema", 192: "login", 193: "password", 194: "password", 516: "login or password"}


class ClickHouse(Protocol):
    """What loads and reports ask of a connection; NativeClient and EmbeddedClient are it.

    `where` names the connection in errors; `is_server` tells a process of its own, that can restart.
    `execute` binds `params` given as a dict of `%(name)s`,
    inserts those given as a list, and returns rows as tuples.
    """

    where: str
    database: str
    is_server: bool

    def execute(self, query: str, params: Any = None, *, columnar: bool = False) -> Any:
        """Run one statement."""

    def disconnect(self) -> None:
        """Close the connection."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc_info: object) -> None: ...


class NativeClient(Client):  # type: ignore[misc]
    """clickhouse-driver's client, connecting when first used: for one thread at a time of one process."""

    is_server = True

    def __init__(self, where: str, host: str, port: int, database: str, **options: Any) -> None:
        super().__init__(host, port=port, database=database, **options)
        self.where, self.address, self.database = where, f"{host}:{port}", database
        self._in_use, self._connected_by = threading.RLock(), 0

    def execute(self, query: str, *args: Any, **kwargs: Any) -> Any:
        """Run one statement as Client.execute does.

        Raises: ClientShared, UnusableConnection before anything is sent; Refused; OutcomeUnknown.
        """
        with self._alone():
            try:
                return super().execute(query, *args, **kwargs)
            except errors.ServerException as error:
                raise Refused(self.where, error.code, reason_of(error.code, error.message)) from None
            except NO_ANSWER as error:
                raise OutcomeUnknown(self.where, " ".join(query.split())[:80], _reason(error)) from error

    def establish_connection(self, settings: dict[str, Any] | None) -> None:
        """Connect, or see that the connection is alive: what every kind of statement begins with.

        Raises: ClientShared; UnusableConnection.
        """
        with self._alone():
            if self._is_foreign():
                raise ClientShared(self.where, "this client was connected before this process was forked")
            if not self.connection.connected:
                self._connect()
            super().establish_connection(settings)

    def disconnect(self) -> None:
        """Close the connection, but not while another thread waits for an answer to it.

        A process forked from the one that connected closes its copy only; that of the other one lives on.
        """
        if self._is_foreign():
            self.connection.connected = False  # else the driver shuts down what the two have in common
            super().disconnect()
        elif self._in_use.acquire(blocking=False):
            try:
                super().disconnect()
            finally:
                self._in_use.release()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._in_use.acquire(blocking=False):
            raise ClientShared(self.where, "another thread is waiting for an answer to this client")
        try:
            yield
        finally:
            self._in_use.release()

    def _is_foreign(self) -> bool:
        return bool(self.connection.connected) and self._connected_by != os.getpid()

    def _connect(self) -> None:
        connection = self.connection
        self._connected_by = os.getpid()
        patience_s = connection.send_receive_timeout
        connection.send_receive_timeout = connection.connect_timeout  # what is no ClickHouse may stay mute
        try:
            connection.connect()
            connection.socket.settimeout(patience_s)
        except errors.ServerException as error:
            field = _FIELD_OF_CODE.get(error.code, "host")
            reason = f"the server at {self.address} refused: code {error.code}: {first_line(error.message)}"
            raise UnusableConnection(self.where, field, reason) from None
        except UnicodeError as error:  # a label of more than 63 characters
            raise UnusableConnection(self.where, "host", f"no name of a host: {error}") from None
        except errors.NetworkError as error:
            raise UnusableConnection(self.where, "host or port", f"no connection: {_reason(error)}") from None
        except (*NO_ANSWER, errors.UnexpectedPacketFromServerError) as error:
            reason = (
                f"{self.address} does not speak ClickHouse's native protocol ({_reason(error)}); "
                "the native port is usually 9000 (9440 with TLS), 8123 is HTTP"
            )
            raise UnusableConnection(self.where, "port", reason) from None
        finally:
            connection.send_receive_timeout = patience_s


def insert_rows(
    clickhouse: ClickHouse, table: str, columns: Sequence[str], batches: Iterable[Sequence[Sequence[object]]]
) -> int:
    """Insert batches of rows, each as one block; return the number of rows.

    An error leaves the batches before it in the table: insert into a table that can be thrown away.
    """
    statement = f"INSERT INTO {quoted(table)} ({', '.join(map(quoted, columns))}) VALUES"
    total = 0
    for rows in batches:
        if rows:  # the server would wait for data until the timeout
            clickhouse.execute(statement, rows)
            total += len(rows)
    return total


def quoted(identifier: str) -> str:
    """Return a table or column name in backquotes; names cannot be bound as parameters.

    Raises: ValueError for anything but letters, digits and '_', up to 200 characters.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,199}", identifier):
        raise ValueError(f"{identifier!r} is not a table or column name")
    return f"`{identifier}`"


def quoted_database(name: str) -> str:
    """Return the name of a database in backquotes: any text, as a server takes it.

    Raises: ValueError for an empty one, and one with a NUL.
    """
    if not name or "\0" in name:
        raise ValueError(f"{name!r} is no name of a database")
    return in_backquotes(name)


def in_backquotes(name: str) -> str:
    """Return any name as SQL writes it."""
    return "`{}`".format(name.replace("\\", "\\\\").replace("`", "\\`"))


def _reason(error: BaseException) -> str:
    return first_line(str(error)) if str(error) else type(error).__name__
