"""DB-API 2.0 over either engine: the driver's own cursors on our clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clickhouse_driver.dbapi.connection import Connection
from clickhouse_driver.dbapi.cursor import Cursor
from clickhouse_driver.dbapi.errors import InterfaceError

from include.clickhouse.client import ClickHouse


class ClickHouseConnection(Connection):  # type: ignore[misc]
    """A DB-API connection whose cursors share the client that `connect` gives, opened when first used.

    Errors are DB-API's, with our one line as their text. Parameters are bound as `%(name)s`.
    """

    def __init__(self, connect: Callable[[], ClickHouse]) -> None:
        super().__init__()
        self._client = connect()

    def cursor(self, cursor_factory: Callable[[Any, Any], Any] | None = None) -> Any:
        """Return a new cursor."""
        if self.is_closed:
            raise InterfaceError("connection already closed")
        cursor = (cursor_factory or Cursor)(self._client, self)
        self.cursors.append(cursor)
        return cursor

    def close(self) -> None:
        """Close the cursors and the client; closing again does nothing."""
        for cursor in list(self.cursors):  # a cursor takes itself off the list
            cursor.close()
        self._client.disconnect()
        self.is_closed = True
