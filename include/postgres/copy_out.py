"""Rows out of Postgres as the text that COPY writes, by the megabyte."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from psycopg2.extensions import cursor

_AT_ONCE = 2**20


def copy_out(using: cursor, query: str, write: Callable[[memoryview], int]) -> None:
    """Give `write` what a SELECT returns, in UTF-8 and in pieces that end anywhere.

    The driver brings one row at a time; they are gathered outside of Python.

    Raises: psycopg2.Error, also in the middle of it; whatever `write` raises.
    """
    with _Passed(write) as passed:  # closed at the end: what was gathered before a failure goes nowhere
        gathered = io.BufferedWriter(passed, _AT_ONCE)
        using.copy_expert(f"COPY ({query}) TO STDOUT (ENCODING 'UTF8')", gathered)
        gathered.flush()


class _Passed(io.RawIOBase):
    def __init__(self, write: Callable[[memoryview], int]) -> None:
        self._write = write

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        return self._write(memoryview(data))
