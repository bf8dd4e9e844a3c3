"""Calls of earlier runs: rows that a run of the same file, or of the same rows, leaves out."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

from include.api_calls.calling import NAMED_BY
from include.api_calls.outcomes import Outcome
from include.api_calls.request import CallsRequest
from include.api_calls.staging import StagedFile
from include.api_calls.table import API_CALLS, file_prefix
from include.clickhouse.client import ClickHouse
from include.staging.tables import batches

PAGE = 50_000  # rows read at once
_RECORDED = (
    "SELECT run_id, unit FROM loads_by_unit FINAL WHERE `table` = %(table)s AND position(unit, %(of)s) = 1"
)
_READ = f"""
SELECT row, key, outcome, status, reason, toUnixTimestamp(sent_at)
FROM {API_CALLS.name} FINAL
WHERE recipe = %(recipe)s AND run_id = %(run_id)s AND row > %(row)s
    AND outcome IN ('ok', 'unknown', 'failed')
ORDER BY row LIMIT {PAGE}
"""
_KEEP = """
INSERT INTO done VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (named_by) DO UPDATE SET
    key = excluded.key, run_id = excluded.run_id, outcome = excluded.outcome, status = excluded.status,
    reason = excluded.reason, sent_at = excluded.sent_at, same_file = excluded.same_file
WHERE (excluded.outcome = 'ok', excluded.sent_at) > (done.outcome = 'ok', done.sent_at)
"""
_FIND = "SELECT named_by, key, run_id, outcome, status, reason, same_file FROM done WHERE named_by IN ({})"
_SOUGHT_AT_ONCE = 500  # of the 32,766 that SQLite takes

Known = tuple[int, str, str, int, str, int]  # row, key, outcome, status, reason, sent_at


class Done(NamedTuple):
    """An earlier run's knowledge of a call.

    Attributes: key, by which it was sent; run_id; outcome, ok, unknown or failed; status; reason; same_file,
    whether it had this file.
    """

    key: str
    run_id: str
    outcome: str
    status: int
    reason: str
    same_file: bool


class Earlier:
    """The calls of earlier runs of a recipe by key, in a temporary file. Of several one that is ok counts.

    Args: run_id, of this run, which is no earlier one; nothing, of the earlier ones counts.
    Attributes: empty.
    """

    def __init__(
        self, clickhouse: ClickHouse, staged: StagedFile, run_id: str, *, nothing: bool = False
    ) -> None:
        self._file = tempfile.NamedTemporaryFile(suffix=".sqlite")  # noqa: SIM115 - gone with this object
        self._known = sqlite3.connect(self._file.name, check_same_thread=False)
        self._known.execute("PRAGMA journal_mode = OFF")
        self._known.execute(
            "CREATE TABLE done (named_by BLOB PRIMARY KEY, key BLOB, run_id TEXT, outcome TEXT, status INT, "
            "reason TEXT, sent_at INT, same_file INT) WITHOUT ROWID"
        )
        self.empty = True
        if nothing:
            return
        of_file = _runs(clickhouse, file_prefix(staged.name, staged.sha256))
        # Without unique columns a key is of one file: runs of others cannot have it.
        runs = _runs(clickhouse, f"{staged.name} ") if staged.recipe.unique else of_file
        for run in sorted(runs - {run_id}):
            for page in _pages(clickhouse, staged.name, run):
                self.take(page, run, same_file=run in of_file)

    def take(self, page: Sequence[Known], run_id: str, *, same_file: bool) -> None:
        """Know rows of a run. Args: same_file, whether it had this file."""
        self.empty = False
        self._known.executemany(
            _KEEP,
            [
                (*_named(key), run_id, outcome, status, reason, sent_at, same_file)
                for _, key, outcome, status, reason, sent_at in page
            ],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._known.close()
        self._file.close()

    def of(self, keys: Sequence[str]) -> dict[str, Done]:
        """Return what is known of calls by key, whichever run sent them anew."""
        found: dict[str, Done] = {}
        for some in batches(keys, _SOUGHT_AT_ONCE):
            named_by = {_named(key)[0]: key for key in some}
            asked = self._known.execute(_FIND.format(", ".join("?" * len(named_by))), list(named_by))
            found |= {named_by[named]: Done(key.hex(), *facts) for named, key, *facts in asked}
        return found


def left_out(row: int, done: Done | None, request: CallsRequest) -> Outcome | None:
    """Return the outcome of a row that is not sent because of what is known of it; None where it is sent."""
    if done is None or request.resend == "all":
        return None
    if done.outcome == "ok":
        return Outcome(row, "skipped", done.status, f"ok in run {done.run_id}")
    if done.outcome == "unknown":
        reason = f"unknown since run {done.run_id}, param retry_unknown sends it again: {done.reason}"
        return None if request.retry_unknown else Outcome(row, "unknown", done.status, _cut(reason))
    if done.same_file and request.resend == "none":
        reason = f"failed in run {done.run_id}, param resend = failed sends it again: {done.reason}"
        return Outcome(row, "failed", done.status, _cut(reason))
    return None


def _named(key: str) -> tuple[bytes, bytes]:
    whole = bytes.fromhex(key)
    return whole[: NAMED_BY // 2], whole


def _cut(reason: str) -> str:
    return reason[:500]


def _runs(clickhouse: ClickHouse, beginning: str) -> set[str]:
    found = clickhouse.execute(_RECORDED, {"table": API_CALLS.name, "of": beginning})
    return {run_id for run_id, _ in found}


def _pages(clickhouse: ClickHouse, recipe: str, run_id: str) -> Iterator[list[Known]]:
    row = 0
    while page := clickhouse.execute(_READ, {"recipe": recipe, "run_id": run_id, "row": row}):
        yield page
        row = page[-1][0]
