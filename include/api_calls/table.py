"""The table api_calls: a row for each row of each file that was called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache

from include.api_calls.outcomes import Outcome, Outcomes
from include.api_calls.staging import StagedFile
from include.staging.tables import Row, StagedTable

API_CALLS = StagedTable(
    name="api_calls",
    columns={
        "date": "Date",
        "run_id": "String",
        "recipe": "String",
        "row": "UInt32",
        "line": "UInt32",
        "key": "String",
        "outcome": "String",
        "status": "UInt16",
        "reason": "String",
        "requests": "UInt32",
        "answer": "String",
        "sent_at": "DateTime('UTC')",
    },
    key=("recipe", "run_id", "row"),
    day_column=None,
    last_insert_counts=True,
)


def unit_name(recipe: str, file_sha256: str, run_id: str) -> str:
    """Return the name by which the outcomes of a run are recorded: it tells which file they are of."""
    return f"{file_prefix(recipe, file_sha256)}{hashlib.sha256(run_id.encode()).hexdigest()[:16]}"


def file_prefix(recipe: str, file_sha256: str) -> str:
    """Return how the names of all runs of a file begin."""
    return f"{recipe} {file_sha256[:32]} "


def table_rows(
    staged: StagedFile,
    outcomes: Outcomes,
    *,
    day: date,
    run_id: str,
    salt: str,
    keys: Mapping[int, str],
    unsure: Mapping[int, Outcome],
    otherwise: str,
) -> Iterator[Row]:
    """Yield a row for each row of the file, in its order.

    Args: salt, of the keys; keys, by row, of those that have another one; unsure, outcomes that are not kept;
        otherwise, why rows without an outcome were not sent.
    """
    maker = staged.maker(salt)
    for block in staged.blocks():
        called = block.to_call()
        own_keys = maker.keys(called, block.cells_of(called))
        key_of = dict(zip(called, own_keys, strict=True))
        for row, line in enumerate(block.lines, block.first):
            if row in block.problems:
                outcome = Outcome(row, "rejected", reason=block.problems[row])
            else:
                known = outcomes.get(row) or unsure.get(row)
                outcome = known or Outcome(row, "not_sent", reason=otherwise)
            yield (
                day,
                run_id,
                staged.name,
                row,
                line,
                keys.get(row) or key_of.get(row, ""),
                outcome.outcome,
                outcome.status,
                outcome.reason,
                outcome.requests,
                outcome.answer,
                _moment(outcome.sent_at),
            )


@lru_cache(1000)
def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
