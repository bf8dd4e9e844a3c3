"""A replica, and ports that behave badly."""

import socket
from collections.abc import Iterator

import pytest

from tests.servers.free_port import free_ports
from tests.servers.postgres import PostgresServer, running_postgres


@pytest.fixture(scope="session")
def postgres_replica(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A streaming replica of the session's server."""
    with running_postgres(replica_of=postgres_server) as replica:
        yield replica


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """A port that nobody listens on."""
    return free_ports(1)[0]
