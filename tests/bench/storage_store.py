"""A store that is compared: what is done with it, and what it is asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = "bench_events"
QUERIES = {
    "by_action": "SELECT action, count(*), sum(seconds) FROM {table} GROUP BY action ORDER BY action",
    "users": "SELECT count(DISTINCT user_id) FROM {table}",
    "users_by_hour": "SELECT {hour} AS hour, count(DISTINCT user_id) FROM {table} GROUP BY hour "
    "ORDER BY hour",
    "busiest_users": "SELECT user_id, count(*) AS events FROM {table} GROUP BY user_id "
    "ORDER BY events DESC, user_id LIMIT 10",
    "last_day": "SELECT action, count(*) FROM {table} WHERE event_time >= '2026-08-30 00:00:00' "
    "GROUP BY action ORDER BY action",
    "one_user": "SELECT event_time, action, description FROM {table} WHERE user_id = 'u4711' "
    "ORDER BY event_time DESC, kafka_partition, kafka_offset LIMIT 100",
}


class NotThere(Exception):
    """A store cannot be measured here. Its text says why, and the next step."""


@dataclass(frozen=True)
class Store:
    """A database.

    Attributes: title, with its version; conditions, under which it is measured; make_table, anew and empty;
    insert, a file of rows in one statement; ask, one of QUERIES by its name; settle, bring what is inserted
    into the form in which it stays; bytes_on_disk, of the table with its indexes; forget, start anew with
    nothing of the table in memory, None where that cannot be done.
    """

    title: str
    conditions: str
    make_table: Callable[[], None]
    insert: Callable[[Path], None]
    ask: Callable[[str], Sequence[tuple[Any, ...]]]
    settle: Callable[[], None]
    bytes_on_disk: Callable[[], int]
    forget: Callable[[], None] | None


def comparable(rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Return rows as all stores have them: instants without a zone, whole numbers as int."""
    return [tuple(map(_plain, row)) for row in rows]


def drop_from_memory(directory: Path) -> None:
    """Have the kernel forget the files below a directory, which nobody has open."""
    subprocess.run(["sync", "-f", str(directory)], check=True)
    for path in directory.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file() and not path.is_symlink():
                descriptor = os.open(path, os.O_RDONLY)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)


def _plain(value: Any) -> Any:
    if hasattr(value, "tzinfo"):
        return value.replace(tzinfo=None)
    return value if isinstance(value, str) else int(value)
