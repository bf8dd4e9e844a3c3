"""A place to call the rows of a file from: real PostgreSQL, chDB, an API that counts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.api_calls.place import Place
from tests.servers.counting_api import CountingApi
from tests.servers.postgres import PostgresServer


@pytest.fixture
def api() -> Iterator[CountingApi]:
    """An API."""
    with CountingApi().serving() as api:
        yield api


@pytest.fixture
def place(tmp_path: Path, postgres_server: PostgresServer, postgres_database: str, api: CountingApi) -> Place:
    """Everything that a try needs, of the test's own."""
    return Place(tmp_path, postgres_server.parameters | {"dbname": postgres_database}, api.url)
