"""The page of a run of calls: rows by outcome, and the rows that somebody has to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from include.api_calls.results import Published
from include.api_calls.rows import Row
from include.api_calls.staging import StagedFile
from include.inbox.preview import visible
from include.pages.day_index import READABLE
from include.pages.self_contained import self_contained_page
from include.staging.files import StagingPath, write_atomically

PAGE = "index.html"
ROWS_OF_AN_OUTCOME = 500  # results.csv has all of them
ROWS_AT_ONCE = 200
COLUMNS, CHARACTERS = 5, 100  # of the file, shown of a row


class Meaning(NamedTuple):
    """The explanation of an outcome. Attributes: meaning; step, what to do about it, or ""."""

    meaning: str
    step: str


OUTCOMES = {
    "ok": Meaning("the API said that it is done", ""),
    "skipped": Meaning("an earlier run, which the reason names, did it", ""),
    "rejected": Meaning("the row does not fit the recipe, and was not sent", "correct it"),
    "failed": Meaning(
        "the API refused it, or gave no usable answer",
        "see the reason; a new run of todo.csv with resend = failed",
    ),
    "unknown": Meaning(
        "sent, and the answer was lost: carried out or not", "look in the API; then a run with retry_unknown"
    ),
    "not_sent": Meaning("the run stopped before it", "clear the task call, or a new run of todo.csv"),
}
_OPEN = ("unknown", "failed", "rejected", "not_sent")


class OpenRow(NamedTuple):
    """A row that is not done. Attributes: cells, the first of the recipe's columns, cut; the rest as told."""

    row: int
    line: int
    outcome: str
    status: int
    reason: str
    requests: int
    cells: list[str]


class OpenRows:
    """The rows that are not done: of each outcome the first ones.

    Attributes: columns, of their cells; rows.
    """

    def __init__(self, staged: StagedFile) -> None:
        header = staged.layout.header
        self.columns = [name for name in staged.recipe.columns if name in header][:COLUMNS]
        self._places = [header.index(name) for name in self.columns]
        self._seen = Counter[str]()
        self.rows: list[OpenRow] = []

    def take(self, row: Row, found: Published) -> None:
        """Keep a row if it is to be shown."""
        self._seen[found.outcome] += 1
        if found.outcome not in _OPEN or self._seen[found.outcome] > ROWS_OF_AN_OUTCOME:
            return
        cells = [_cut(row.cells[place]) if place < len(row.cells) else "" for place in self._places]
        self.rows.append(
            OpenRow(
                row.row, row.line, found.outcome, found.status, visible(found.reason), found.requests, cells
            )
        )


def write_calls_page(
    directory: StagingPath,
    staged: StagedFile,
    day: date,
    run_id: str,
    counts: Mapping[str, int],
    open_rows: OpenRows,
) -> None:
    """Write the page into the run's directory; the same arguments give the same bytes.

    Args: counts: rows by outcome. Raises: OSError.
    """
    page = self_contained_page(
        "api_calls.html",
        styles=("page.css", "api_calls.css"),
        scripts=("table.js",),
        recipe=staged.name,
        path=staged.path,
        day=day,
        run_id=run_id,
        rows=staged.rows,
        counts=counts,
        outcomes=OUTCOMES,
        columns=open_rows.columns,
        open_rows=open_rows.rows,
        open_count=sum(counts[outcome] for outcome in _OPEN),
        rows_at_once=ROWS_AT_ONCE,
    )
    write_atomically(directory / PAGE, page, mode=READABLE)


def _cut(cell: str) -> str:
    return visible(cell if len(cell) <= CHARACTERS else f"{cell[:CHARACTERS]}…")
