"""Ports for servers that cannot choose one themselves."""

import socket
from contextlib import suppress
from secrets import choice

# Below those of outgoing connections (from 32768 on): one of them may take a port before its server does.
PORTS = range(10_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Return `count` different TCP ports of 127.0.0.1 that nobody listens on."""
    sockets: list[socket.socket] = []
    try:
        while len(sockets) < count:
            with suppress(OSError):
                sockets.append(socket.create_server(("127.0.0.1", choice(PORTS))))
        return [opened.getsockname()[1] for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()
