"""Invented events as text files, one a batch: each store is given the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

COLUMNS = {  # as PostgreSQL has them
    "user_id": "text",
    "action": "text",
    "description": "text",
    "event_time": "timestamp",
    "start_time": "text",
    "end_time": "text",
    "seconds": "integer",
    "kafka_partition": "integer",
    "kafka_offset": "bigint",
}
FIRST = datetime(2026, 8, 1, tzinfo=UTC)
DAYS, USERS, PARTITIONS = 30, 50_000, 4
_ACTIONS = ("click",) * 12 + ("view",) * 5 + ("search",) * 2 + ("buy",)
_WORDS = ("front page", "basket", "product", "search results", "account", "delivery", "help")


def event(number: int, of: int) -> str:
    """Return event `number` of so many in DAYS days as a line: tabs between, nothing to escape."""
    mixed = number * 2_654_435_761 % 2**32
    user = min(mixed % USERS, mixed // 13 % USERS)  # low numbers do more than high ones
    at = FIRST + timedelta(seconds=number * DAYS * 86_400 // of)
    clock, seconds = f"{at:%H:%M}", mixed % 60
    return (
        f"u{user}\t{_ACTIONS[mixed // 7 % 20]}\t{_WORDS[mixed // 11 % 7]} {number}\t{at:%Y-%m-%d %H:%M:%S}\t"
        f"{clock}:00\t{clock}:{seconds:02d}\t{seconds}\t{number % PARTITIONS}\t{number // PARTITIONS}\n"
    )


def write_batches(directory: Path, first: int, count: int, size: int, of: int) -> list[Path]:
    """Write `count` events from `first` on, `size` a file; return the files."""
    directory.mkdir(parents=True)
    paths = []
    for number in range(first, first + count, size):
        path = directory / f"{number:010d}.tsv"
        write_batch(path, number, min(size, first + count - number), of)
        paths.append(path)
    return paths


def write_batch(path: Path, first: int, count: int, of: int) -> None:
    """Write one file of events."""
    path.write_text("".join(event(number, of) for number in range(first, first + count)))


def smaller_batches(paths: list[Path], directory: Path, size: int, rows: int) -> Iterator[Path]:
    """Yield files of `size` rows, `rows` in all, cut from larger ones; each is gone when the next comes."""
    directory.mkdir(parents=True, exist_ok=True)
    part, written = directory / "batch.tsv", 0
    for path in paths:
        lines = path.read_text().splitlines(keepends=True)
        for at in range(0, len(lines), size):
            if written >= rows:
                return
            some = lines[at : at + min(size, rows - written)]
            part.write_text("".join(some))
            written += len(some)
            yield part
