"""The day that a run has rendered: one small file for each run, which leads from the run to its page.

The index of a day names the run that published it. Others belong to it too: a run that found the day
published as it would have been, and one whose day was published again later.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date

from include.pages.day_index import READABLE
from include.staging.files import StagingPath, write_atomically

FOLDER = "runs"  # beside the days


def run_note(run_id: str) -> str:
    """Return the name of the run's file: a hash, as a run_id may hold anything."""
    return f"{hashlib.sha256(run_id.encode()).hexdigest()[:32]}.json"


def write_run_note(pages: StagingPath, run_id: str, day: date) -> None:
    """Say below `pages`, the directory of all days of a DAG, that this run has rendered `day`."""
    text = json.dumps({"run_id": run_id, "day": day.isoformat()}, ensure_ascii=False)
    write_atomically(pages / FOLDER / run_note(run_id), text.encode(), mode=READABLE)
