"""Secrets that can be found again, in whatever form they leak."""

import json
import re
import subprocess
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Self


class Canary(str):
    """A secret with signs that need escaping in URLs, JSON, HTML, SQL and shells, or with others."""

    __slots__ = ()

    def __new__(cls, name: str, middle: str = "/+$%\"'") -> Self:
        """Make one of a name of letters and signs."""
        return super().__new__(cls, f"{name}1first{middle}{name}2last")

    @property
    def traces(self) -> set[bytes]:
        """Texts one of which is in every form: each half raw, which is URL-encoded too, and in base64."""
        halves = [half.encode() for half in re.split("[^A-Za-z0-9]+", self)]
        return {
            *halves,
            *(_inner(*form) for form in product(halves, range(3), (b64encode, urlsafe_b64encode))),
        }

    def found_in(self, text: bytes) -> set[bytes]:
        """Return the traces of it that are in `text`."""
        return {trace for trace in self.traces if trace in text}


def _inner(half: bytes, before: int, encode) -> bytes:
    """The characters of base64 that depend on `half` alone, wherever in three bytes it begins."""
    first, last = -(-before * 8 // 6), (before + len(half)) * 8 // 6
    return encode(b"\0" * before + half)[first:last]


def leaks(canaries: Iterable[Canary], texts: dict[str, bytes]) -> list[tuple[str, bytes]]:
    """Return where which trace was found."""
    return [
        (place, trace) for place, text in texts.items() for each in canaries for trace in each.found_in(text)
    ]


def files_below(*directories: Path) -> dict[str, bytes]:
    """Read all files; a path is part of its content."""
    found = {}
    for path in (path for directory in directories for path in directory.rglob("*") if path.is_file()):
        with suppress(FileNotFoundError):  # something is still at work there
            found[str(path)] = f"{path}\n".encode() + _read(path)
    return found


def _read(path: Path) -> bytes:
    if path.suffix != ".db":
        return path.read_bytes()
    # Closing a file drops all locks of this process on it, SQLite's own too: the next writers damage it.
    # https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
    return subprocess.run(["cat", path], capture_output=True, check=True).stdout


def command_lines() -> dict[str, bytes]:
    """Read the arguments of every process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[str(path)] = path.read_bytes()
        except OSError:  # it has ended
            continue
    return found


def forms(canary: Canary) -> dict[str, str]:
    """Return the forms in which secrets leak, to see that they are found."""
    from html import escape
    from urllib.parse import quote, quote_plus

    return {
        "raw": canary,
        "URL": quote(canary, safe=""),
        "form": quote_plus(canary),
        "JSON": json.dumps(canary),
        "HTML": escape(canary),
        "repr": repr(canary),
        "cut": canary[:20],
        **{f"base64 {n}": b64encode(b"user:"[:n] + canary.encode()).decode() for n in range(4)},
        "base64 for URLs": urlsafe_b64encode(canary.encode()).decode(),
    }
