"""Serve the stand-in until SIGTERM or SIGINT: `python -m include.github_stand_in --help`."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from aiohttp import web

from include.github_stand_in.app import create_app
from include.github_stand_in.dataset import Dataset
from include.github_stand_in.quota import Quota
from include.github_stand_in.recorded import read_recording
from include.github_stand_in.recording_rows import RecordingError
from include.github_stand_in.request_log import LoggedRequest
from include.github_stand_in.sample import Sample

# Far more than one run needs: a run on a fresh machine has no token and must not wait for a quota.
UNHINDERED_CORE_PER_HOUR = 1_000_000
UNHINDERED_SEARCH_PER_MINUTE = 10_000
UNHINDERED_GRAPHQL_PER_HOUR = 1_000_000
HIGHEST_PORT = 65_535


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; says what is wrong and exits with 2 where it makes no sense."""
    parser = argparse.ArgumentParser("python -m include.github_stand_in", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=0, help="0: any free port (%(default)s)")
    parser.add_argument("--port-file", type=Path, help="the port is written here, and removed at the end")
    parser.add_argument("--data", type=Path, help="directory of a recording; without it, the sample")
    days = parser.add_mutually_exclusive_group()
    days.add_argument("--last-day", type=date.fromisoformat, help="the recording ends here (yesterday, UTC)")
    days.add_argument("--no-shift", action="store_true", help="keep the days of the recording")
    parser.add_argument(
        "--clock-ahead", type=_number, default=0, metavar="SECONDS",
        help="the server's clock; nothing dated after it is shown (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--latency-ms", type=_number, default=0, help="wait before each answer (%(default)s)")
    parser.add_argument(
        "--quota",
        type=_number,
        default=UNHINDERED_CORE_PER_HOUR,
        help="requests an hour of each token or address (%(default)s; GitHub: 5000 or 60)",
    )
    parser.add_argument(
        "--search-quota",
        type=_number,
        default=UNHINDERED_SEARCH_PER_MINUTE,
        help="searches a minute of each token or address (%(default)s; GitHub: 30 or 10)",
    )
    parser.add_argument(
        "--graphql-quota",
        type=_number,
        default=UNHINDERED_GRAPHQL_PER_HOUR,
        help="points of GraphQL an hour of each token (%(default)s; GitHub: 5000)",
    )
    parser.add_argument("--revoked-token", action="append", default=[], help="answer it with 401; repeatable")
    parser.add_argument("--request-log", type=Path, help="append each answered request here, one JSON a line")
    parser.add_argument(
        "--graphql-schema", type=Path, help="GitHub's GraphQL schema, a file; needs graphql-core (no GraphQL)"
    )
    parsed = parser.parse_args(arguments)
    if parsed.data is None and (parsed.last_day or parsed.no_shift):
        parser.error("--last-day and --no-shift are about a recording: give its directory with --data")
    return parsed


def read_dataset(options: argparse.Namespace, today: date) -> Dataset:
    """Return the sample, or the recording with its days moved as asked for. Raises RecordingError."""
    if options.data is None:
        return Sample()
    recording = read_recording(options.data)
    return (
        recording if options.no_shift else recording.shift_to(options.last_day or today - timedelta(days=1))
    )


async def serve(
    options: argparse.Namespace, dataset: Dataset, on_request: Callable[[LoggedRequest], None] | None
) -> None:
    """Serve until a signal says stop, then let requests in flight end for a second.

    Raises:
        OSError: the port is taken, or the address is not this machine's.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    quota = Quota(options.quota, options.search_quota, options.graphql_quota)
    ahead = timedelta(seconds=options.clock_ahead)
    app = create_app(
        dataset,
        now=lambda: datetime.now(UTC) + ahead,
        anonymous=quota,
        with_token=quota,
        revoked_tokens=options.revoked_token,
        latency_s=options.latency_ms / 1000,
        on_request=on_request,
        graphql_schema=options.graphql_schema,
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, options.port)
        await site.start()
        _announce(options, runner.addresses[0][1], len(dataset.repositories))
        await stop.wait()
    finally:
        await runner.cleanup()
        if options.port_file is not None:
            options.port_file.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    options = read_arguments(arguments)
    try:
        dataset = read_dataset(options, datetime.now(UTC).date())
        with contextlib.ExitStack() as opened:
            on_request = _line_writer(options.request_log, opened) if options.request_log else None
            asyncio.run(serve(options, dataset, on_request))
    except (RecordingError, OSError, ImportError) as failed:
        sys.stderr.write(f"github_stand_in: {failed}\n")
        return 1
    return 0


def _line_writer(file: Path, opened: contextlib.ExitStack) -> Callable[[LoggedRequest], None]:
    # Line by line, so that a reader sees a request as soon as it is answered.
    lines = opened.enter_context(file.open("a", buffering=1))

    def write(request: LoggedRequest) -> None:
        lines.write(f"{json.dumps(asdict(request))}\n")

    return write


def _announce(options: argparse.Namespace, port: int, repositories: int) -> None:
    """Say where the server listens; whoever reads the port file never sees half of it."""
    if options.port_file is not None:
        unfinished = options.port_file.with_name(f"{options.port_file.name}.{os.getpid()}")
        unfinished.write_text(f"{port}\n")
        unfinished.replace(options.port_file)
    source = options.data or "sample"
    sys.stdout.write(
        f"GitHub stand-in: http://{options.host}:{port} ({repositories} repositories, {source})\n"
    )
    sys.stdout.flush()


def _number(text: str) -> int:
    """Read a whole number that is not negative."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def _port(text: str) -> int:
    number = _number(text)
    if number > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: the highest is {HIGHEST_PORT}")
    return number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
