"""An HTTP proxy: CONNECT and requests with a whole address, with a login if it is told one.

Names of hosts that no resolver knows lead where the test says, so what arrives came through it.
"""

import asyncio
from base64 import b64encode
from contextlib import suppress
from urllib.parse import urlsplit

NEEDS_LOGIN = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n"


class HttpProxy:
    """The proxy. Attributes: asked, the first line of each request; status, other than 200, of a CONNECT.

    Args: hosts: by name, the port of this machine where that host is. login: "name:password".
    """

    def __init__(self, hosts: dict[str, int], login: str = "") -> None:
        self.asked: list[str] = []
        self.status = 200
        self._hosts, self._login = hosts, login
        self._tasks: set[asyncio.Task] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.sockets[0].getsockname()[1]

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Close everything."""
        self._server.close()
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        self.asked.append(first)
        method, target, version = first.split(" ")
        shown = f"Proxy-Authorization: Basic {b64encode(self._login.encode()).decode()}"
        if self._login and shown not in lines:
            writer.write(NEEDS_LOGIN + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        elif method == "CONNECT" and self.status != 200:
            writer.write(f"HTTP/1.1 {self.status} No\r\nContent-Length: 0\r\n\r\n".encode())
        elif method == "CONNECT":
            there = await self._connect(target.rpartition(":")[0])
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await join((reader, writer), there)
        else:
            parts = urlsplit(target)
            there = await self._connect(parts.hostname or "")
            path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
            kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
            passed = "\r\n".join([f"{method} {path} {version}", *kept, "Connection: close", "", ""])
            there[1].write(passed.encode("latin-1"))
            await join((reader, writer), there)
        await writer.drain()

    async def _connect(self, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._hosts[host])


async def join(one: tuple, other: tuple) -> None:
    """Pass on what either of two connections, each its reader and writer, says until one of them ends."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    ways = [asyncio.ensure_future(pass_on(*way)) for way in ((one[0], other[1]), (other[0], one[1]))]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    other[1].close()
