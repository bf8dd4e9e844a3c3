"""Serve the stand-in until SIGTERM or SIGINT: `python -m include.api_stand_in --help`."""

import argparse
import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from aiohttp import web

from include.api_stand_in.app import create_app


async def serve(options: argparse.Namespace) -> None:
    """Serve until a signal says stop. Raises: OSError: the port is taken, or the address is not ours."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(create_app(options.rate, time.monotonic), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port).start()
        port = runner.addresses[0][1]
        if options.port_file is not None:  # whoever reads it never sees half of it
            unfinished = options.port_file.with_name(f"{options.port_file.name}.{os.getpid()}")
            unfinished.write_text(f"{port}\n")
            unfinished.replace(options.port_file)
        sys.stdout.write(f"API stand-in: http://{options.host}:{port} ({options.rate} requests a second)\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await runner.cleanup()
        if options.port_file is not None:
            options.port_file.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser("python -m include.api_stand_in", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0: any free port (%(default)s)")
    parser.add_argument("--port-file", type=Path, help="the port is written here, and removed at the end")
    parser.add_argument("--rate", type=int, default=7, help="requests allowed in any second (%(default)s)")
    options = parser.parse_args(arguments)
    if not 1 <= options.rate <= 1000:  # noqa: PLR2004 - the bound is said right here
        parser.error("--rate: from 1 to 1000")
    try:
        asyncio.run(serve(options))
    except (OSError, OverflowError) as failed:
        sys.stderr.write(f"api_stand_in: {failed}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
