"""chDB, the ClickHouse engine inside this process, with the face of clickhouse-driver's client.

Rows cross the border in ClickHouse's Native format, written and read by the driver's own column code: a
value that one engine takes, the other takes too, and both refuse the same.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from clickhouse_driver.block import ColumnOrientedBlock, RowOrientedBlock
from clickhouse_driver.bufferedreader import CompressedBufferedReader
from clickhouse_driver.bufferedwriter import CompressedBufferedWriter
from clickhouse_driver.client import Client
from clickhouse_driver.connection import ServerInfo
from clickhouse_driver.context import Context
from clickhouse_driver.streams.native import BlockInputStream, BlockOutputStream
from clickhouse_driver.util.escape import escape_param, escape_params
from filelock import FileLock, Timeout

from include.clickhouse.client import beside_params, in_backquotes, new_database, quoted, quoted_database
from include.clickhouse.error_text import error_text
from include.clickhouse.errors import (
    ClientShared,
    EngineBusy,
    Refused,
    UnusableConnection,
    WrongConnection,
    first_line,
    refused,
)
from include.clickhouse.settings import (
    LOOK,
    LOOKED_WITH,
    OFF_BY_DEFAULT_ONLY,
    RELIED_ON,
    changes_settings,
    unlike,
)

if TYPE_CHECKING:
    from chdb.state.sqlitelike import Connection

ENGINE_WAIT_S = 300.0  # as long as the driver waits for a server's answer
_BUFFER_BYTES = 1 << 20
_INSERT = re.compile(
    r"\s*(?P<head>INSERT\s+INTO\s+(?P<table>\S+)\s*\((?P<columns>[^()]*)\))\s*VALUES\s*;?\s*", re.IGNORECASE
)
_DEFINITION = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:CREATE|ALTER|RENAME|EXCHANGE|ATTACH|REPLACE)\b",
    re.IGNORECASE | re.DOTALL,
)
_CODE = re.compile(r"Code: (\d+)\. ")
# Options that a server is not sent either.
_NO_SETTINGS = {*Client.available_client_settings} - {"input_format_null_as_default"}
_ROOM_BYTES = 1 << 20  # what the engine itself wants to be free before it takes rows

_NO_SUCH_COLUMN, _CUT_RESULT, _DISK_FULL = 16, 33, 243
T = TypeVar("T")
ColumnType = tuple[str, str]


class EmbeddedClient:
    """An engine at `path`, opened when first used and closed by disconnect().

    The engine takes one process at a time, so a lock file beside the directory makes the others wait. In a
    process it takes one path at a time; none where it was open when the process was forked: such a process
    has to end by os._exit(), as multiprocessing's do. Threads are served one after the other.

    Args: settings, of the session; relied_on, those that statements rely on, whatever `settings` say.
    """

    is_server = False
    _opened_by: ClassVar[int] = 0  # a process

    def __init__(
        self,
        where: str,
        path: str | Path,
        database: str,
        wait_s: float = ENGINE_WAIT_S,
        *,
        settings: Mapping[str, object] | None = None,
        relied_on: Mapping[str, str] = RELIED_ON,
    ) -> None:
        self.where, self.path, self.database = where, Path(path), database
        self._wait_s, self._relied_on = wait_s, relied_on
        self._settings = {name: value for name, value in (settings or {}).items() if name not in _NO_SETTINGS}
        self._lock = FileLock(f"{self.path}.lock", thread_local=False)
        self._opening = threading.Lock()
        self._engine_connection: Connection | None = None
        self._context = _native_format_context()

    def execute(
        self,
        query: str,
        params: Any = None,
        with_column_types: bool = False,
        columnar: bool = False,
        external_tables: Sequence[Mapping[str, Any]] = (),
        **unused: Any,
    ) -> Any:
        """Run one statement as clickhouse_driver.Client.execute does; further arguments must be unset.

        External tables are temporary ones, there while the statement runs.

        Raises: Refused; EngineBusy; UnusableConnection; ClientShared.
        """
        if any(unused.values()):
            raise ValueError(f"the embedded engine takes no {', '.join(k for k, v in unused.items() if v)}")
        if isinstance(params, list | tuple):
            return self._insert(query, params, columnar=columnar)
        if params:
            query %= escape_params(params, self._context)
        with self._temporary(external_tables or ()):
            columns_types, blocks = self._select(query)
        if columnar:
            by_column = zip(*(block.get_columns() for block in blocks), strict=True)
            rows: list[Any] = [tuple(chain.from_iterable(parts)) for parts in by_column]
        else:
            rows = [row for block in blocks for row in block.get_rows()]
        return (rows, columns_types) if with_column_types else rows

    def disconnect(self) -> None:
        """Close the engine and let the next process in; in a fork of the one that opened it, do nothing."""
        if self._is_foreign():
            return  # closing would hang as well
        if self._engine_connection is not None:
            self._engine_connection.close()
            self._engine_connection = None
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.disconnect()

    @staticmethod
    def _is_foreign() -> bool:
        return EmbeddedClient._opened_by not in (0, os.getpid())

    def _engine(self) -> Connection:
        if self._is_foreign():
            raise ClientShared(self.where, "the engine would hang: it was open when this process was forked")
        with self._opening:
            if self._engine_connection is None:
                self._engine_connection = self._opened()
            return self._engine_connection

    def _opened(self) -> Connection:
        from chdb.state.sqlitelike import Connection  # 500 MB, only where needed

        self._acquire_directory()
        EmbeddedClient._opened_by = os.getpid()
        try:
            engine = Connection(str(self.path))
        except RuntimeError as error:  # such as another path that is open
            raise UnusableConnection(self.where, "extra.path", first_line(str(error))) from None
        try:
            self._refusals_named(lambda: self._enter_database(engine))
        except BaseException:
            engine.close()
            raise
        return engine

    def _enter_database(self, engine: Connection) -> None:
        database = quoted_database(self.database)
        if engine.query(f"EXISTS DATABASE {database}", "TSV").data().strip() != "1":
            self._require_room()
            engine.query(f"CREATE DATABASE IF NOT EXISTS {database}")
        engine.query(f"USE {database}")
        try:
            self._set(engine, self._settings)
        except RuntimeError as error:
            raise WrongConnection(self.where, "extra.settings", first_line(str(error))) from None
        self._require_settings(engine)

    def _require_settings(self, engine: Connection) -> None:
        if not self._relied_on:
            return
        look = LOOK % escape_params({"names": tuple(self._relied_on)}, self._context)
        self._set(engine, LOOKED_WITH)
        found = (line.split("\t") for line in engine.query(look, "TSVRaw").data().splitlines())
        self._set(engine, unlike(self._relied_on, ((name, value) for name, value in found)))

    def _set(self, engine: Connection, settings: Mapping[str, object]) -> None:
        for name, value in settings.items():
            text = escape_param(str(int(value)) if isinstance(value, bool) else str(value), self._context)
            if not value and name in OFF_BY_DEFAULT_ONLY:
                text = "DEFAULT"
            engine.query(f"SET {in_backquotes(name)} = {text}")

    def _require_room(self) -> None:
        """Refuse to write a definition to a full disk.

        The engine would write an empty one, say nothing, and could not be opened any more.
        """
        if (free := disk_usage(self.path).free) < _ROOM_BYTES:
            raise Refused(self.where, _DISK_FULL, f"{free} bytes are free on the disk of {self.path}")

    def _acquire_directory(self) -> None:
        try:
            new_database(self.database)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=self._wait_s)
        except ValueError as error:
            raise WrongConnection(self.where, "schema", str(error)) from None
        except Timeout:
            raise EngineBusy(self.where, str(self.path), self._wait_s) from None
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise WrongConnection(self.where, "extra.path", str(error)) from None
        except OSError as error:
            raise UnusableConnection(self.where, "extra.path", str(error)) from None

    @contextmanager
    def _temporary(self, tables: Sequence[Mapping[str, Any]]) -> Iterator[None]:
        names = list(dict.fromkeys(quoted(table["name"]) for table in tables))
        try:
            for table in tables:
                columns = ", ".join(f"{in_backquotes(name)} {kind}" for name, kind in table["structure"])
                name, rows = quoted(table["name"]), [list(row.values()) for row in table["data"]]
                self._select(f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} ({columns}) ENGINE = Memory")
                self._send(f"INSERT INTO {name}", RowOrientedBlock(list(table["structure"]), rows))
            yield
        finally:
            for name in names:
                self._select(f"DROP TEMPORARY TABLE IF EXISTS {name}")

    def _select(self, query: str) -> tuple[list[ColumnType], list[Any]]:
        if _DEFINITION.match(query) and self._engine():
            self._require_room()
        data = self._refusals_named(lambda: self._engine().query(query, "Native").bytes())
        if changes_settings(query):
            self._require_settings(self._engine())
        blocks = list(self._blocks(data))
        return (blocks[0].columns_with_types if blocks else []), [b for b in blocks if b.num_rows]

    def _blocks(self, data: bytes) -> Iterable[Any]:
        chunks = iter([data])
        reader = CompressedBufferedReader(lambda: next(chunks, b""), _BUFFER_BYTES)
        stream, ended = BlockInputStream(reader, self._context), not data
        while not ended:
            try:
                yield stream.read()
            except EOFError:
                raise Refused(
                    self.where, _CUT_RESULT, "the result is cut, or has a FORMAT of its own"
                ) from None
            ended = reader.position == reader.current_buffer_size

    def _insert(self, query: str, rows: Any, *, columnar: bool) -> int:
        statement = _INSERT.fullmatch(query)
        if statement is None:
            raise ValueError(
                f"insert as 'INSERT INTO table (columns) VALUES' with a list of rows, not as {query!r}"
            )
        types = {name: kind for name, kind, *_ in self.execute(f"DESCRIBE TABLE {statement['table']}")}
        columns = [name.strip(' `"') for name in statement["columns"].split(",")]
        if unknown := [name for name in columns if name not in types]:
            raise Refused(
                self.where, _NO_SUCH_COLUMN, f"table {statement['table']} has no column {unknown[0]}"
            )
        columns_types = [(name, types[name]) for name in columns]
        if columnar:  # lists, because the driver converts instants in place
            block = ColumnOrientedBlock(columns_types, [list(column) for column in rows])
        else:
            block = RowOrientedBlock(columns_types, list(rows))
        if block.num_rows:
            self._send(statement["head"], block)
        return int(block.num_rows)

    def _send(self, head: str, block: Any) -> None:
        """Insert a block by way of a file in memory.

        chDB's own send_insert() raises nothing where the engine refuses to commit, and returns the rows
        that it was given; a statement that selects raises.
        """
        names = ", ".join(in_backquotes(name) for name, _ in block.columns_with_types)
        # Told, not inferred: the engine remembers what it has inferred of a path.
        structure = ", ".join(f"{in_backquotes(name)} {kind}" for name, kind in block.columns_with_types)
        with os.fdopen(os.memfd_create("insert"), "wb") as file:
            writer = CompressedBufferedWriter(file, _BUFFER_BYTES)
            BlockOutputStream(writer, self._context).write(block)
            writer.write_into_stream()
            file.flush()
            bound = {"path": f"/proc/self/fd/{file.fileno()}", "structure": structure}
            insert = beside_params(f"{head} SELECT {names}")
            self.execute(f"{insert} FROM file(%(path)s, 'Native', %(structure)s)", bound)

    def _refusals_named(self, statement: Callable[[], T]) -> T:
        try:
            return statement()
        except (RuntimeError, UnicodeDecodeError) as error:
            text = error_text(error, self._engine_connection)
            code = _CODE.search(text)
            reason = text[code.end() :] if code else text
            raise refused(self.where, int(code[1]) if code else 0, first_line(reason)) from None


def _native_format_context() -> Context:
    # Revision 0 is the Native format of files: blocks without the protocol's block info.
    unconnected = Client("unused")
    unconnected.make_query_settings(None)
    context: Context = unconnected.connection.context
    context.server_info = ServerInfo("chDB", 0, 0, 0, 0, "UTC", "chDB", 0)
    return context
