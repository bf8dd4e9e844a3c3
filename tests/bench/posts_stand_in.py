"""An API of posts for the benchmarks of calls: it notes each request as it comes, before it answers.

`python -m tests.bench.posts_stand_in --port-file FILE --log FILE [--rate N]`: with a rate, one request more
than that within a second is refused with 429, and not carried out.
"""

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from include.api_stand_in.app import Allowance

LATENCY_S = 0.05


class Seen(NamedTuple):
    """A request that came. Attributes: at_s, by the server's clock; title; done, carried out."""

    at_s: float
    title: str
    done: bool


def seen_in(log: Path) -> list[Seen]:
    """Return what has come so far."""
    if not log.exists():
        return []
    return [Seen(*json.loads(line)) for line in log.read_text().splitlines()]


async def serve(options: argparse.Namespace) -> None:
    """Serve until this process is ended."""
    allowance = Allowance(options.rate or 1_000_000, time.monotonic)
    numbers = iter(range(1, 2**31))
    with options.log.open("a", buffering=1) as log:

        async def post(request: web.Request) -> web.Response:
            at_s, allowed = time.monotonic(), allowance.take()
            title = (await request.json())["title"]
            log.write(json.dumps([at_s, title, allowed]) + "\n")
            if not allowed:
                return web.json_response({}, status=429, headers={"Retry-After": "1"})
            await asyncio.sleep(LATENCY_S)
            return web.json_response({"id": next(numbers)}, status=201)

        app = web.Application()
        app.router.add_post("/posts", post)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        unfinished = options.port_file.with_suffix(".new")
        unfinished.write_text(f"{runner.addresses[0][1]}\n")
        unfinished.replace(options.port_file)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--rate", type=int, default=0)
    asyncio.run(serve(parser.parse_args()))
