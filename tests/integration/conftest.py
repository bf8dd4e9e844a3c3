"""A server that answers as a test says: for the client of any API, and for that of GitHub."""

import pytest

from tests.integration.http.server import RecordingServer, answers, ok


@pytest.fixture
async def serve():
    """Start servers that answer as told; all stop at the end of the test."""
    servers = []

    async def start(handler=None):
        server = RecordingServer(handler or answers(ok()))
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()
