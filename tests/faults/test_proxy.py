"""The proxy itself: it breaks what it is told to break, where it is told, and nothing else."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.faults.proxy import AFTER, ANSWERED, BEFORE, INSIDE, TO_CLIENT, TO_SERVER, Moment, Proxy


class Upper(socketserver.ThreadingTCPServer):
    """A server that answers each message in capitals, with a full stop. Attributes: port; heard."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.heard = b""
        self.port = self.server_address[1]


class Conversation(socketserver.BaseRequestHandler):
    """One connection to it."""

    server: Upper

    def handle(self) -> None:
        """Answer until the connection ends, in whatever way."""
        with suppress(OSError):
            while data := self.request.recv(1000):
                self.server.heard += data
                self.request.sendall(data.upper() + b".")


@pytest.fixture
def server() -> Iterator[Upper]:
    """A server to talk to."""
    with Upper() as upper:
        threading.Thread(target=upper.serve_forever, args=(0.05,), daemon=True).start()
        yield upper
        upper.shutdown()


@pytest.fixture
def through(server: Upper) -> Iterator[Proxy]:
    """A proxy in front of it."""
    with Proxy(server.port, end_of_answer=(b".",)) as proxy:
        yield proxy


def ask(connection: socket.socket, text: bytes) -> bytes:
    """Send a message and return the answer."""
    connection.sendall(text)
    return connection.recv(1000)


def talk(connection: socket.socket, text: bytes) -> None:
    """Say the same until the connection ends."""
    while ask(connection, text):
        pass


def connect(proxy: Proxy) -> socket.socket:
    """Open a connection that gives up after a while."""
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


@pytest.mark.parametrize("moment", [BEFORE, INSIDE, AFTER, ANSWERED])
def test_a_reset_reaches_the_client_at_the_moment_asked_for(server: Upper, through: Proxy, moment: Moment):
    """The client learns of it by RST; the server has heard no more than the moment allows; others pass."""
    stop = through.reset_at(b"two", moment)
    with connect(through) as client:
        assert ask(client, b"hello ") == b"HELLO ."
        with pytest.raises(ConnectionResetError):
            ask(client, b"one two three")
    assert stop.is_reached
    most = {BEFORE: b"hello ", INSIDE: b"hello one t"}.get(moment, b"hello one two three")
    assert most.startswith(server.heard)
    assert moment != ANSWERED or server.heard == most
    with connect(through) as client:
        assert ask(client, b"one two three") == b"ONE TWO THREE."


def test_a_connection_that_is_held_goes_on_when_released(server: Upper, through: Proxy):
    """Meanwhile others pass; nothing is lost; only the nth time counts."""
    stop = through.stop_at(b"two", nth=2)
    with connect(through) as client, connect(through) as other:
        assert ask(client, b"two") == b"TWO."
        client.sendall(b"again two")
        stop.wait()
        assert ask(other, b"two") == b"TWO."
        assert b"again" not in server.heard
        stop.release()
        assert client.recv(1000) == b"AGAIN TWO."


def test_an_answer_can_be_held(server: Upper, through: Proxy):
    """The server has done it and the client does not know."""
    stop = through.stop_at(b"two", ANSWERED)
    with connect(through) as client:
        client.sendall(b"two")
        stop.wait()
        assert server.heard == b"two"
        stop.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(1000)


@pytest.mark.parametrize("way", [TO_SERVER, TO_CLIENT])
def test_a_number_of_bytes_is_a_point_too(server: Upper, through: Proxy, way: str):
    """Counted over connections."""
    through.reset_after(6, way)
    with connect(through) as client, connect(through) as other:
        assert ask(client, b"abc") == b"ABC."
        with pytest.raises(ConnectionResetError):
            talk(other, b"defg")
    assert (b"abc" + 2 * b"defg").startswith(server.heard)


def test_frozen_is_neither_closed_nor_answered(through: Proxy):
    """As a network that swallows everything."""
    with connect(through) as client:
        client.settimeout(0.3)
        assert ask(client, b"a") == b"A."
        through.freeze()
        with pytest.raises(TimeoutError):
            ask(client, b"b")


def test_a_server_that_is_down_is_down_through_the_proxy():
    """The connection ends at once; sending may notice first."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with Proxy(port) as proxy, pytest.raises(ConnectionError), connect(proxy) as client:
        talk(client, b"a")
