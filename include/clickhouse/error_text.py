r"""Errors of engines quote data, and data of other systems may be no UTF-8: such bytes are read as `\xff`."""

from __future__ import annotations

from typing import Any

from clickhouse_driver.connection import Connection
from clickhouse_driver.errors import ServerException
from clickhouse_driver.readhelpers import read_exception


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


def error_text(error: Exception) -> str:
    """Return the text of an error of the embedded engine, also where Python could not read it."""
    return as_text(error.object) if isinstance(error, UnicodeDecodeError) else str(error)


def as_text(source: bytes) -> str:
    """Return what an engine says."""
    return _Text(source).decode()
