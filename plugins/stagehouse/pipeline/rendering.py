"""The end of a rendering, for pages of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stagehouse.clock import now
from stagehouse.pipeline.run_context import run_context

if TYPE_CHECKING:
    from datetime import date

    from include.staging.files import StagingPath


def end_rendering(pages: StagingPath, day: date) -> None:
    """Say that this run has rendered `day` below `pages`, and drop what killed tries have left there.

    Raises: OSError.
    """
    from include.pages.run_note import write_run_note
    from include.staging.cleaning import drop_unfinished_files

    write_run_note(pages, run_context()["run_id"], day)
    drop_unfinished_files(pages, now())
