"""A source of three tables, on both engines."""

from collections.abc import Callable, Iterator
from functools import partial

import psycopg2
import pytest

from tests.integration.change_capture.place import TABLES, Place
from tests.integration.clickhouse.conftest import clickhouse, connect

__all__ = ["clickhouse", "connect"]


@pytest.fixture
def to_source(postgres_server, postgres_database) -> Callable:
    """A function that opens a connection to a database of the test's own."""
    return partial(psycopg2.connect, **(postgres_server.parameters | {"dbname": postgres_database}))


@pytest.fixture
def place(to_source, clickhouse, tmp_path) -> Iterator[Place]:
    """Three tables of some rows, not published yet."""
    made = Place(to_source, clickhouse, tmp_path)
    made.sql(TABLES)
    yield made
    made.connection.close()
