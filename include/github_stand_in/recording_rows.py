"""Reads the rows of a recording, and names file, line and column of whatever is wrong with one."""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from attrs import define

from include.text import safe_repr

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
FIRST_YEAR, LAST_YEAR = 1970, 2099
_SHA = re.compile(r"[0-9a-f]{40}")


@define(slots=False)
class RecordingError(ValueError):
    """A recording cannot be read.

    Attributes: file; line, from 1, 0 for the file as a whole; column, "" for the whole line; problem.
    """

    file: str
    line: int
    column: str
    problem: str

    def __str__(self) -> str:
        place = f"{self.file}, line {self.line}" if self.line else self.file
        column = f", column {self.column}" if self.column else ""
        return f"{place}{column}: {self.problem}. Next: correct the recording, or start without it"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a recording. Every method raises RecordingError where the value is not what it reads."""

    file: str
    line: int
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """Return a text as it is; it may be empty."""
        return self.cells[column]

    def name(self, column: str) -> str:
        """Return an owner's or a repository's name."""
        return self._matching(column, _NAME, "a name of letters, digits, '.', '_' and '-'")

    def sha(self, column: str) -> str:
        """Return the id of a commit."""
        return self._matching(column, _SHA, "40 hexadecimal digits in lower case")

    def count(self, column: str) -> int:
        """Return a whole number that is not negative."""
        return int(self._matching(column, re.compile(r"\d{1,18}", re.ASCII), "a whole number"))

    def moment(self, column: str) -> datetime:
        """Return an aware UTC time."""
        try:
            at = datetime.fromisoformat(self.cells[column])
            # As GitHub has it; further away a recording could not be moved to another day.
            if at.tzinfo is not None and FIRST_YEAR <= at.year <= LAST_YEAR:
                return at.astimezone(UTC)
        except ValueError:
            pass
        raise self.wrong(column, f"a time like 2026-08-21T12:39:13Z, from {FIRST_YEAR} to {LAST_YEAR}")

    def wrong(self, column: str, expected: str) -> RecordingError:
        """Return the error of a value that is not as expected."""
        return RecordingError(
            self.file, self.line, column, f"{safe_repr(self.cells[column])} is not {expected}"
        )

    def _matching(self, column: str, pattern: re.Pattern[str], expected: str) -> str:
        if not pattern.fullmatch(self.cells[column]):
            raise self.wrong(column, expected)
        return self.cells[column]


def read_rows(file: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """Read a CSV file in UTF-8 with a header line; packed when its name ends in .gz.

    Raises:
        RecordingError: the file is missing, broken, not UTF-8, or a line or the header has other columns.
    """
    try:
        opened = gzip.open if file.suffix == ".gz" else open
        with opened(file, "rt", encoding="utf-8", newline="") as lines:
            yield from _rows(str(file), csv.reader(lines), columns)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as broken:
        reason = broken.strerror if isinstance(broken, OSError) and broken.strerror else str(broken)
        raise RecordingError(str(file), 0, "", f"cannot be read: {reason}") from broken


def _rows(file: str, lines: Iterator[list[str]], columns: tuple[str, ...]) -> Iterator[Row]:
    header = next(lines, [])
    for column in columns:
        if column not in header:
            raise RecordingError(file, 1, column, f"is missing; the header is {safe_repr(','.join(header))}")
    for number, cells in enumerate(lines, start=2):
        if len(cells) != len(header):
            raise RecordingError(file, number, "", f"has {len(cells)} columns, the header has {len(header)}")
        yield Row(file, number, dict(zip(header, cells, strict=True)))
