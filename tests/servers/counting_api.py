"""A real API in a thread of its own: it carries out what it is sent, and counts that by title."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from tests.servers.free_port import free_ports

Answer = Callable[[str, int], web.Response | None]


class CountingApi:
    """POST /posts with a JSON of `title`; GET /items/<title>. `answer` may say what a title gets instead.

    Attributes: url; done, requests that were carried out, by title; seen, all requests by title; log, of
    (method, path with query, headers, body); answer, of (title, how often it came before): None is as usual;
    latency_s, after a request is carried out and before it is answered.
    """

    def __init__(self) -> None:
        (port,) = free_ports(1)
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.done: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.log: list[tuple[str, str, dict[str, str], bytes]] = []
        self.at: list[float] = []
        self.answer: Answer = lambda _title, _before: None
        self.latency_s = 0.0

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.log.append((request.method, request.raw_path, dict(request.headers), body))
        self.at.append(asyncio.get_running_loop().time())
        sent: Any = await request.json() if body else {}
        title = str(sent.get("title", request.path.rpartition("/")[2]))
        before = self.seen[title]
        self.seen[title] += 1
        said = self.answer(title, before)
        if said is not None and said.status in range(400, 500):
            return said
        self.done[title] += 1
        await asyncio.sleep(self.latency_s)
        if said is not None:
            if said.status == 599:  # carried out, and its answer is lost
                assert request.transport is not None
                request.transport.abort()
            return said
        number = len(self.log)
        return web.json_response({"id": number, "title": title}, status=201 if body else 200)

    @contextmanager
    def serving(self) -> Iterator[CountingApi]:
        """Serve until the block ends."""
        loop, ready = asyncio.new_event_loop(), threading.Event()

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)

        async def start() -> None:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            ready.set()

        def serve() -> None:
            asyncio.set_event_loop(loop)
            loop.create_task(start())
            loop.run_forever()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
