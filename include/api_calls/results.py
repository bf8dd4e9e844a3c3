"""The files of a run for people: every row of the file with its outcome, what is to do, what was refused."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from include.api_calls.layout import Layout
from include.api_calls.outcomes import OUTCOMES
from include.api_calls.progress import READABLE
from include.api_calls.rows import Row
from include.api_calls.staging import INPUT, REJECTED, StagedFile
from include.api_calls.table import API_CALLS
from include.clickhouse.client import ClickHouse
from include.staging.files import StagingPath, open_buffered, written_atomically
from include.text import clean_text

RESULTS, TODO = "results.csv", "todo.csv"
PAGE = 20_000  # rows read at once
_OURS = ("outcome", "status", "reason", "requests")
_TO_DO = ("failed", "not_sent")
_LINE_END = "\r\n"
_READ = f"""
SELECT row, outcome, status, reason, requests, answer FROM {API_CALLS.name} FINAL
WHERE recipe = %(recipe)s AND run_id = %(run_id)s AND row > %(row)s ORDER BY row LIMIT {PAGE}
"""
_COUNT = f"""
SELECT outcome, count() FROM {API_CALLS.name} FINAL
WHERE recipe = %(recipe)s AND run_id = %(run_id)s GROUP BY outcome
"""


class Published(NamedTuple):
    """A row as readers see it."""

    row: int
    outcome: str
    status: int
    reason: str
    requests: int
    answer: str


def published_counts(clickhouse: ClickHouse, recipe: str, run_id: str) -> dict[str, int]:
    """Return the rows of a run by outcome, as readers see them."""
    found = dict(clickhouse.execute(_COUNT, {"recipe": recipe, "run_id": run_id}))
    return {name: int(found.get(name, 0)) for name in OUTCOMES}


def write_results(
    clickhouse: ClickHouse,
    staged: StagedFile,
    staging: StagingPath,
    reports: StagingPath,
    run_id: str,
    *,
    tell: Callable[[Row, Published], None] = lambda *_: None,
) -> None:
    """Write the files of a run below `reports` from what readers see, a page of rows in memory.

    Args: tell: is given each row, and what became of it.
    Raises: ValueError: the table has not one row for each row of the file; OSError.
    """
    layout, width = staged.layout, len(staged.layout.header)
    kept = list(staged.recipe.keep)
    published = _published(clickhouse, staged.name, run_id)
    with ExitStack() as files:
        results = _writer(files, reports / RESULTS, "utf-8", layout)
        todo = _writer(files, reports / TODO, todo_encoding(layout), layout)
        results([*layout.header, *_own_names(layout.header, [*_OURS, *(f"answer_{name}" for name in kept)])])
        todo(layout.header)
        for row in staged:
            found = next(published, None)
            if found is None or found.row != row.row:
                raise ValueError(f"table api_calls has no row {row.row} of run {run_id}: clear task publish")
            cells = [*row.cells[:width], *[""] * (width - len(row.cells))]
            answer = json.loads(found.answer) if found.answer else {}
            values = [_text(answer.get(name)) for name in kept]
            results([*cells, found.outcome, found.status, found.reason, found.requests, *values])
            if found.outcome in _TO_DO:
                todo(cells)
            tell(row, found)
    with (
        open_buffered(staging / INPUT / REJECTED) as rejected,
        written_atomically(reports / REJECTED, mode=READABLE) as write,
    ):
        for line in rejected:
            write(line)


def todo_encoding(layout: Layout) -> str:
    """Return the encoding of todo.csv: the file's own, so that the same params read it again.

    Of the many forms of Unicode it is UTF-8, by its mark where the params name another one. So it is of JSON,
    whose escapes can say what its encoding has no letter for.
    """
    encoding = layout.encoding.lower()
    if encoding.replace("_", "-") in ("utf-8", "utf8"):
        return "utf-8"
    is_unicode = layout.format == "ndjson" or encoding.startswith(("utf", "u8"))
    return "utf-8-sig" if is_unicode else layout.encoding


def _published(clickhouse: ClickHouse, recipe: str, run_id: str) -> Iterator[Published]:
    row = 0
    while page := clickhouse.execute(_READ, {"recipe": recipe, "run_id": run_id, "row": row}):
        yield from map(Published._make, page)
        row = page[-1][0]


def _own_names(header: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    taken = set(header)
    for name in names:
        while name in taken:
            name = f"call_{name}"  # noqa: PLW2901 - until it is free
        taken.add(name)
        yield name


def _text(value: Any) -> str:
    if value is None:
        return ""
    return clean_text(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _writer(
    files: ExitStack, path: StagingPath, encoding: str, layout: Layout
) -> Callable[[Sequence[object]], None]:
    """Return what writes a row; the file is there when `files` is closed without an error."""
    write = files.enter_context(written_atomically(path, mode=READABLE))
    pieces: Any = _Pieces(write)
    text = io.TextIOWrapper(pieces, encoding=encoding, newline="")
    files.callback(text.flush)
    writer = csv.writer(_Lines(text), delimiter=layout.delimiter, lineterminator=_LINE_END)

    def row(cells: Sequence[object]) -> None:
        writer.writerow(cells)

    return row


class _Lines(NamedTuple):
    r"""A file of lines that end by \n. The writer is told of \r\n: it quotes no other line end in a cell."""

    text: io.TextIOWrapper

    def write(self, line: str) -> None:
        self.text.write(f"{line.removesuffix(_LINE_END)}\n")


class _Pieces(io.RawIOBase):
    """A file that gives what is written to a function."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        super().__init__()
        self._write = write

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._write(bytes(data))
        return len(data)
