r"""Errors of engines quote data, and data of other systems may be no UTF-8: such bytes are read as `\xff`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from clickhouse_driver.connection import Connection
from clickhouse_driver.errors import ServerException
from clickhouse_driver.readhelpers import read_exception

if TYPE_CHECKING:
    from chdb.state.sqlitelike import Connection as Engine

_NEWEST_NOT_UTF8 = """
SELECT concat('Code: ', toString(code), '. DB::Exception: ', last_error_message) FROM system.errors
WHERE NOT isValidUTF8(last_error_message) AND last_error_time >= now() - 60
ORDER BY last_error_time DESC LIMIT 1
"""


class _Text(bytes):
    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)


class _Texts:
    """The buffer that the driver reads an error from."""

    def __init__(self, source: Any) -> None:
        self.read_one, self._read = source.read_one, source.read

    def read(self, size: int) -> _Text:
        return _Text(self._read(size))


def take_any_error(connection: Connection) -> None:
    """Let the driver's connection read errors whose text is no UTF-8."""

    def receive_exception() -> ServerException:
        return read_exception(_Texts(connection.fin))

    connection.receive_exception = receive_exception


def error_text(error: Exception, engine: Engine | None) -> str:
    """Return the text of an error of the embedded engine, also where Python could not read it.

    Python 3.11.2 (Debian 12) loses a text that is not UTF-8. The engine keeps the last text of each code: of
    those that are not UTF-8 the newest one, of the last minute, is taken for it.
    """
    if isinstance(error, UnicodeDecodeError):
        return _Text(error.object).decode()
    if not str(error) and engine is not None:
        with suppress(RuntimeError):
            return _Text(engine.query(_NEWEST_NOT_UTF8, "RawBLOB").bytes()).decode()
    return str(error)
