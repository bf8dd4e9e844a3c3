"""One way to talk to ClickHouse: the driver's own client, with errors that name the connection."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, Self

from clickhouse_driver import Client, defines, errors

from include.clickhouse.error_text import take_any_error
from include.clickhouse.errors import (
    ClickHouseError,
    ClientShared,
    NoDatabase,
    NotAllowed,
    OutcomeUnknown,
    UnusableConnection,
    WrongConnection,
    first_line,
    reason_of,
    refused,
)
from include.clickhouse.settings import (
    LOOK,
    LOOKED_WITH,
    OF_THE_DRIVER,
    RELIED_ON,
    changes_settings,
    fixed,
    to_send,
    unlike,
)

# The driver logs a refused connection with its stack; our error says it in one line.
logging.getLogger("clickhouse_driver.connection").setLevel(logging.ERROR)

NO_ANSWER = (EOFError, OSError, errors.NetworkError, errors.SocketTimeoutError)
_FIELD_OF_CODE = {192: "login", 193: "password", 194: "password", 516: "login or password"}
_UNKNOWN_DATABASE = 81
_FILE_NAME_BYTES = 255


class ClickHouse(Protocol):
    """A connection, as loads and reports need it; NativeClient and EmbeddedClient are two.

    `where` names the connection in errors; `is_server` tells a process of its own, that can restart.
    `execute` binds `params` given as a dict of `%(name)s`,
    inserts those given as a list, and returns rows as tuples.
    """

    where: str
    database: str
    is_server: bool

    def execute(
        self, query: str, params: Any = None, *, columnar: bool = False, external_tables: Any = ()
    ) -> Any:
        """Run one statement; external tables, as the driver takes them, are there while it runs."""

    def disconnect(self) -> None:
        """Close the connection."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc_info: object) -> None: ...


class NativeClient(Client):  # type: ignore[misc]
    """clickhouse-driver's client, connecting when first used: for one thread at a time of one process.

    Args: relied_on: settings that statements rely on, whatever the user's profile and `settings` say.
    """

    is_server = True

    def __init__(
        self,
        where: str,
        host: str,
        port: int,
        database: str,
        *,
        relied_on: Mapping[str, str] = RELIED_ON,
        **options: Any,
    ) -> None:
        self._place, self._options = (where, host, port), options | {"relied_on": relied_on}
        if relied_on and options.get("settings"):
            own = {name: value for name, value in options["settings"].items() if name not in OF_THE_DRIVER}
            options |= {"settings": own}
        super().__init__(host, port=port, database=database, **options)
        for connection in (self.connection, *self.connections):
            take_any_error(connection)
        self.where, self.address, self.database = where, f"{host}:{port}", database
        self._in_use, self._connected_by = threading.RLock(), 0
        self._relied_on, self._looked_at = relied_on, None

    def execute(self, query: str, *args: Any, **kwargs: Any) -> Any:
        """Run one statement as Client.execute does.

        Raises: ClientShared, UnusableConnection before anything is sent; Refused; OutcomeUnknown.
        """
        with self._alone():
            try:
                return super().execute(query, *args, **kwargs)
            except errors.ServerException as error:
                raise refused(self.where, error.code, reason_of(error.code, error.message)) from None
            except NO_ANSWER as error:
                raise OutcomeUnknown(self.where, " ".join(query.split())[:80], _reason(error)) from error
            finally:
                if changes_settings(query):
                    self._looked_at = None

    def establish_connection(self, settings: dict[str, Any] | None) -> None:
        """Connect, or see that the connection is alive: what every kind of statement begins with.

        Raises: ClientShared; UnusableConnection.
        """
        with self._alone():
            if self._is_foreign():
                raise ClientShared(self.where, "this client was connected before this process was forked")
            if not self.connection.connected:
                self._connect()
            if self._relied_on and self.connection.socket is not self._looked_at:
                self._looked_at = self.connection.socket
                self._require_settings()  # by statements, which come back here
            super().establish_connection(settings)

    def without_database(self) -> NativeClient:
        """Return another client, of the same user, in whatever database is his own."""
        return NativeClient(*self._place, "", **self._options)

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

    def _require_settings(self) -> None:
        """Send from now on what this session has not as our statements need it. Raises: WrongConnection."""
        revision = self.connection.server_info.used_revision
        takes_all = revision >= defines.DBMS_MIN_REVISION_WITH_SETTINGS_SERIALIZED_AS_STRINGS
        sent = LOOKED_WITH if takes_all else {"extremes": LOOKED_WITH["extremes"]}
        self.settings |= sent
        try:
            if not (sent := to_send(self.where, self._relied_on, self._look())):
                return
            self.settings |= sent
            left = unlike(self._relied_on, self._look())
        except NotAllowed as error:
            raise fixed(self.where, sent, error) from None
        if left:
            raise fixed(self.where, left)

    def _look(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = self.execute(LOOK, {"names": tuple(self._relied_on)})
        return found

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
            raise self._refused_at_the_door(error) from None
        except UnicodeError as error:  # a label of more than 63 characters
            raise WrongConnection(self.where, "host", f"no name of a host: {error}") from None
        except errors.NetworkError as error:
            raise UnusableConnection(self.where, "host or port", f"no connection: {_reason(error)}") from None
        except (*NO_ANSWER, errors.UnexpectedPacketFromServerError) as error:
            reason = (
                f"{self.address} does not speak ClickHouse's native protocol ({_reason(error)}); "
                "the native port is usually 9000 (9440 with TLS), 8123 is HTTP; "
                "servers of 2018 hang up so where the user may not use the database"
            )
            raise UnusableConnection(self.where, "port", reason) from None
        finally:
            connection.send_receive_timeout = patience_s

    def _refused_at_the_door(self, error: errors.ServerException) -> ClickHouseError:
        reason = f"the server at {self.address} refused: code {error.code}: {first_line(error.message)}"
        if error.code == _UNKNOWN_DATABASE:
            try:
                statement = f"CREATE DATABASE {new_database(self.database)}"
            except ValueError as wrong:
                return WrongConnection(self.where, "schema", str(wrong))
            next_step = f"run {statement} as a user who may, or correct the field"
            return NoDatabase(self.where, "schema", reason, next_step)
        if field := _FIELD_OF_CODE.get(error.code):
            return WrongConnection(self.where, field, reason)
        return UnusableConnection(self.where, "host", reason)


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


def new_database(name: str) -> str:
    """Return the quoted name of a database that is not there yet.

    Raises: ValueError as quoted_database, and for one that is too long.
    """
    quoted_name = quoted_database(name)
    file = re.sub(rb"[^A-Za-z0-9_]", b"%00", name.encode()) + b".sql.tmp"  # as the server escapes it
    if len(file) > _FILE_NAME_BYTES:
        raise ValueError(
            f"the name of the database is too long to make a file of: {len(file)} bytes of "
            f"{_FILE_NAME_BYTES}; what is no letter of English, digit or '_' takes 3 for each byte"
        )
    return quoted_name


def in_backquotes(name: str) -> str:
    """Return any name as SQL writes it."""
    return "`{}`".format(name.replace("\\", "\\\\").replace("`", "\\`"))


def beside_params(sql: str) -> str:
    """Return SQL with names of any text as it stands in a statement that is executed with params."""
    return sql.replace("%", "%%")


def _reason(error: BaseException) -> str:
    return first_line(str(error)) if str(error) else type(error).__name__
