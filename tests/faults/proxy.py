"""A TCP proxy that breaks a connection at a named point, or holds it there until the test has done its worst.

The point is a text of the protocol itself, such as b"REPLACE PARTITION", or a number of bytes: the code under
test is not touched. Nothing is timed: a test waits until the point is reached.

    with Proxy(server.port) as proxy:
        stop = proxy.stop_at(b"REPLACE PARTITION", ANSWERED)   # carried out, and the client does not know yet
        ...                                                    # start a client on proxy.port
        stop.wait()
        server.kill()
        stop.reset()
"""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, Self

BEFORE, INSIDE, AFTER, ANSWERED = "before", "inside", "after", "answered"
TO_SERVER, TO_CLIENT = "to server", "to client"
Way = Literal["to server", "to client"]
Moment = Literal["before", "inside", "after", "answered"]
# The last bytes of a complete answer: ClickHouse's packet EndOfStream, PostgreSQL's ReadyForQuery (idle, or
# in a transaction).
END_OF_STREAM, READY_FOR_QUERY = (b"\x05",), (b"Z\0\0\0\x05I", b"Z\0\0\0\x05T")
PATIENCE_S = 30.0


class Stop:
    """A point on the way to the server (or, by bytes, also back), armed until it is reached.

    Attributes: moment: "before": nothing of what holds the text has been passed on; "inside": the half of it;
    "after": all of it and nothing behind it, and no answer is passed back; "answered": the server's complete
    answer is at the proxy, and the client gets none.
    """

    def __init__(self, text: bytes, moment: Moment, nth: int, end_of_answer: tuple[bytes, ...]) -> None:
        self.text, self.moment, self.end_of_answer = text, moment, end_of_answer
        self.link: Link | None = None  # the connection that got there
        self._left, self._tail = nth, b""
        self._reached, self._go_on = threading.Event(), threading.Event()

    def wait(self, patience_s: float = PATIENCE_S) -> None:
        """Wait until a connection is there."""
        assert self._reached.wait(patience_s), f"nothing came {self.moment} {self.text!r}"

    @property
    def is_reached(self) -> bool:
        """Whether a connection is, or was, there."""
        return self._reached.is_set()

    def release(self) -> None:
        """Let the connection go on as if nothing had happened."""
        self._go_on.set()

    def reset(self) -> None:
        """Cut the connection that is held here, both ways, with RST."""
        assert self.link
        self.link.reset()
        self._go_on.set()

    def _found_in(self, data: bytes) -> bool:
        seen = self._tail + data
        self._left -= seen.count(self.text)
        self._tail = seen[1 - len(self.text) :] if len(self.text) > 1 else b""
        return self._left <= 0

    def _arrive(self, link: "Link") -> None:
        self.link = link
        self._reached.set()
        self._go_on.wait()


class Reset(Stop):
    """A point where the connection is cut at once."""

    def _arrive(self, link: "Link") -> None:
        self.link = link
        self._reached.set()
        link.reset()


class Proxy:
    """Listens on 127.0.0.1:`port`, passes all on to 127.0.0.1:`server_port`; several points may be armed.

    Attributes: port; connections: how many clients have come.
    """

    def __init__(self, server_port: int, end_of_answer: tuple[bytes, ...] = END_OF_STREAM) -> None:
        self.server_port, self.end_of_answer = server_port, end_of_answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.connections = 0
        self._links: list[Link] = []
        self._stops: list[Stop] = []
        self._budget: dict[str, int] = {}
        self._frozen = threading.Event()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def stop_at(self, text: bytes, moment: Moment = BEFORE, nth: int = 1) -> Stop:
        """Hold the first connection that sends `text` for the nth time, at that moment."""
        return self._armed(Stop(text, moment, nth, self.end_of_answer))

    def reset_at(self, text: bytes, moment: Moment = BEFORE, nth: int = 1) -> Stop:
        """Cut the first connection that sends `text` for the nth time, at that moment."""
        return self._armed(Reset(text, moment, nth, self.end_of_answer))

    def reset_after(self, count: int, way: Way) -> None:
        """Cut the connection that passes byte number `count`, counted from now on over all of them."""
        with self._lock:
            self._budget[way] = count

    def freeze(self) -> None:
        """Pass nothing on any more, on no connection; all stay open."""
        self._frozen.set()

    def reset_all(self) -> None:
        """Cut every connection that is open."""
        for link in self._links:
            link.reset()

    def close(self) -> None:
        """Cut everything and refuse new connections."""
        self._listening.close()
        self.reset_all()
        for stop in self._stops:
            stop.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _armed(self, stop: Stop) -> Stop:
        with self._lock:
            self._stops.append(stop)
        return stop

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self.connections += 1
                try:
                    server = socket.create_connection(("127.0.0.1", self.server_port))
                except OSError:  # the server is down: the client learns it as if there were no proxy
                    _reset(client)
                    continue
                self._links.append(Link(self, client, server))

    def _cut_in(self, data: bytes, way: Way) -> int | None:
        with self._lock:
            if way not in self._budget:
                return None
            self._budget[way] -= len(data)
            return max(0, self._budget.pop(way) + len(data)) if self._budget[way] <= 0 else None

    def _stop_reached_by(self, data: bytes) -> Stop | None:
        with self._lock:
            for stop in self._stops:
                if stop.link is None and stop._left > 0 and stop._found_in(data):
                    return stop
        return None


class Link:
    """One client's connection through the proxy: a thread each way."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        self.awaiting: Stop | None = None  # whose answer must not get through
        self._is_reset = False
        for side in (client, server):  # else each statement waits 40 ms for an acknowledgement
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for pump in (self._to_server, self._to_client):
            threading.Thread(target=pump, daemon=True).start()

    def reset(self) -> None:
        """Cut both sides with RST."""
        self._is_reset = True
        _reset(self.client)
        _reset(self.server)

    def _to_server(self) -> None:
        with self._cut_at_the_end(), suppress(OSError):
            while data := self.client.recv(1 << 16):
                stop = self.proxy._stop_reached_by(data)
                if stop is None:
                    self._pass_on(data, TO_SERVER, self.server)
                else:
                    self._at(stop, data)

    def _at(self, stop: Stop, data: bytes) -> None:
        sent = {BEFORE: 0, INSIDE: data.find(stop.text) + len(stop.text) // 2}.get(stop.moment, len(data))
        if stop.moment != BEFORE:
            self.awaiting = stop
        self.server.sendall(data[:sent])
        if stop.moment != ANSWERED:
            stop._arrive(self)
            self.awaiting = None
        self.server.sendall(data[sent:])

    def _to_client(self) -> None:
        with self._cut_at_the_end(), suppress(OSError):
            while data := self.server.recv(1 << 16):
                stop = self.awaiting
                if stop is None or (stop.moment == ANSWERED and not data.endswith(stop.end_of_answer)):
                    self._pass_on(data, TO_CLIENT, self.client)
                    continue
                if stop.moment == ANSWERED:
                    stop._arrive(self)
                    self.awaiting = None
                else:
                    stop._go_on.wait()
                self.client.sendall(data)

    def _pass_on(self, data: bytes, way: Way, side: socket.socket) -> None:
        while self.proxy._frozen.is_set():
            time.sleep(0.02)
        cut = self.proxy._cut_in(data, way)
        side.sendall(data[:cut])
        if cut is not None:
            self.reset()

    @contextmanager
    def _cut_at_the_end(self) -> Iterator[None]:
        """Pass the end of one side on to the other."""
        yield
        for side in (self.client, self.server):
            with suppress(OSError):
                if not self._is_reset:
                    side.shutdown(socket.SHUT_RDWR)


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)  # wakes the thread that reads; no FIN goes out
        connection.close()
