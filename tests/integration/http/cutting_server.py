"""A real server that cuts its connections at a stage of the answer, and counts what reached it."""

import asyncio
from collections import Counter

WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n" + b'{"done": true}'
HEADERS_END = WHOLE.index(b"\r\n\r\n") + 4
# What is sent before the connection is closed, and the status that a client may have seen by then.
STAGES = {
    "no byte": (b"", 0),
    "reset": (b"", 0),  # by RST, where the others end by FIN
    "status line": (WHOLE[:7], 0),
    "headers": (WHOLE[:30], 0),
    "no HTTP": (b"\0\1 nonsense\r\n\r\n", 0),
    "no body": (WHOLE[:HEADERS_END], 200),
    "half a body": (WHOLE[: HEADERS_END + 5], 200),
}


class CuttingServer:
    """Answers `stages` in turn, each the name of a stage or "whole"; what comes later is answered whole.

    At "unread" it hangs up: it closes the connection and waits for no request.

    Args: deaf: it stops to listen with the first cut.
    Attributes: seen, requests that arrived, by method; connections; hung_up, an event.
    """

    def __init__(self, stages, *, deaf=False):
        self._stages, self._deaf = list(stages), deaf
        self.seen, self.connections, self.hung_up = Counter(), 0, asyncio.Event()

    @property
    def url(self):
        """Root of the server."""
        return f"http://127.0.0.1:{self.port}/"

    async def start(self, port=0):
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        """Listen no more; open connections end by themselves."""
        self._server.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                if self._stages[:1] == ["unread"]:
                    self._stages.pop(0)
                    writer.close()
                    await writer.wait_closed()
                    self.hung_up.set()
                    return
                request = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(_length(request))
                self.seen[request.split(b" ")[0].decode()] += 1
                stage = self._stages.pop(0) if self._stages else "whole"
                if stage != "whole":
                    if self._deaf:
                        self._server.close()
                    writer.write(STAGES[stage][0])
                    await writer.drain()
                    if stage == "reset":
                        writer.transport.abort()
                    return
                writer.write(WHOLE)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def _length(request):
    for line in request.lower().splitlines():
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0
