"""Servers and clients for the tests of the HTTP client, which know no API."""

import pytest

from include.http.cooldown_store import CooldownStore
from tests.clock import now
from tests.integration.http.client import PlainClient
from tests.integration.http.cutting_server import CuttingServer


@pytest.fixture
def make_client(tmp_path):
    """Make a client of a URL: fast, with short waits, its limits remembered in this test's directory."""

    def make(url, **options):
        return PlainClient(f"{url}", CooldownStore(tmp_path), **{"clock": now} | options)

    return make


@pytest.fixture
async def serve_cutting():
    """Start servers that cut connections; all stop at the end of the test."""
    servers = []

    async def start(*stages, **options):
        server = CuttingServer(stages, **options)
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()
