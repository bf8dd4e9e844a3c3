"""chDB, the ClickHouse engine inside this process, with the face of clickhouse-driver's client.

Rows cross the border in ClickHouse's Native format, written and read by the driver's own column code: a
value that one engine takes, the other takes too, and both refuse the same.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from clickhouse_driver.block import ColumnOrientedBlock, RowOrientedBlock
from clickhouse_driver.bufferedreader import CompressedBufferedReader
from clickhouse_driver.bufferedwriter import CompressedBufferedWriter
from clickhouse_driver.client import Client
from clickhouse_driver.connection import ServerInfo
from clickhouse_driver.context import Context
from clickhouse_driver.streams.native import BlockInputStream, BlockOutputStream
from clickhouse_driver.util.escape import escape_params
from filelock import FileLock, Timeout

from include.clickhouse.client import quoted
from include.clickhouse.errors import ClientShared, EngineBusy, Refused, UnusableConnection, first_line

if TYPE_CHECKING:
    from chdb.state.sqlitelike import Connection

ENGINE_WAIT_S = 300.0  # as long as the driver waits for a server's answer
_BUFFER_BYTES = 1 << 20
_INSERT = re.compile(
    r"\s*(?P<head>INSERT\s+INTO\s+(?P<table>\S+)\s*\((?P<columns>[^()]*)\))\s*VALUES\s*;?\s*", re.IGNORECASE
)
_CODE = re.compile(r"Code: (\d+)\. ")

_NO_SUCH_COLUMN = 16
T = TypeVar("T")
ColumnType = tuple[str, str]


class EmbeddedClient:
    """An engine at `path`, opened when first used and closed by disconnect().

    The engine takes one process at a time, so a lock file beside the directory makes the others wait. In a
    process it takes one path at a time; none where it was open when the process was forked: such a process
    has to end by os._exit(), as multiprocessing's do. Threads are served one after the other.
    """

    is_server = False
    _opened_by: ClassVar[int] = 0  # a process

    def __init__(self, where: str, path: str | Path, database: str, wait_s: float = ENGINE_WAIT_S) -> None:
        self.where, self.path, self.database = where, Path(path), database
        self._wait_s = wait_s
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
        **unused: Any,
    ) -> Any:
        """Run one statement as clickhouse_driver.Client.execute does; further arguments must be unset.

        Raises: Refused; EngineBusy; UnusableConnection; ClientShared.
        """
        if any(unused.values()):
            raise ValueError(f"the embedded engine takes no {', '.join(k for k, v in unused.items() if v)}")
        if isinstance(params, list | tuple):
            return self._insert(query, params, columnar=columnar)
        if params:
            query %= escape_params(params, self._context)
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
        engine.query(f"CREATE DATABASE IF NOT EXISTS {quoted(self.database)}")
        engine.query(f"USE {quoted(self.database)}")
        return engine

    def _acquire_directory(self) -> None:
        try:
            quoted(self.database)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=self._wait_s)
        except ValueError as error:
            raise UnusableConnection(self.where, "schema", str(error)) from None
        except Timeout:
            raise EngineBusy(self.where, str(self.path), self._wait_s) from None
        except OSError as error:
            raise UnusableConnection(self.where, "extra.path", str(error)) from None

    def _select(self, query: str) -> tuple[list[ColumnType], list[Any]]:
        data = self._refusals_named(lambda: self._engine().query(query, "Native").bytes())
        blocks = list(self._blocks(data))
        return (blocks[0].columns_with_types if blocks else []), [b for b in blocks if b.num_rows]

    def _blocks(self, data: bytes) -> Iterable[Any]:
        chunks = iter([data])
        stream = BlockInputStream(
            CompressedBufferedReader(lambda: next(chunks, b""), _BUFFER_BYTES), self._context
        )
        while True:
            try:
                yield stream.read()
            except EOFError:
                return

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
            self._refusals_named(lambda: self._send(statement["head"], self._as_native(block)))
        return int(block.num_rows)

    def _as_native(self, block: Any) -> Chunks:
        chunks = Chunks()
        writer = CompressedBufferedWriter(chunks, _BUFFER_BYTES)
        BlockOutputStream(writer, self._context).write(block)
        writer.write_into_stream()
        return chunks

    def _send(self, head: str, chunks: Chunks) -> None:
        with self._engine().send_insert(head, "Native") as insert:
            for chunk in chunks:
                insert.append(chunk)
            insert.finish()

    def _refusals_named(self, statement: Callable[[], T]) -> T:
        try:
            return statement()
        except RuntimeError as error:
            code = _CODE.search(str(error))
            reason = str(error)[code.end() :] if code else str(error)
            raise Refused(self.where, int(code[1]) if code else 0, first_line(reason)) from None


class Chunks(list[bytes]):
    """Collects what the driver writes."""

    def write(self, chunk: bytes) -> None:
        """Keep a copy: the driver uses its buffer again."""
        self.append(bytes(chunk))


def _native_format_context() -> Context:
    # Revision 0 is the Native format of files: blocks without the protocol's block info.
    unconnected = Client("unused")
    unconnected.make_query_settings(None)
    context: Context = unconnected.connection.context
    context.server_info = ServerInfo("chDB", 0, 0, 0, 0, "UTC", "chDB", 0)
    return context
