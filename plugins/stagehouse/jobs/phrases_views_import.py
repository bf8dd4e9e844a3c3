"""The work of phrases_views_import: its request and its own tasks."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from include.phrase_views.counters.request import read_request
from stagehouse.clock import now
from stagehouse.hooks.storage_roots import inbox_root
from stagehouse.pipeline.run_context import run_context, run_date, staging_of
from stagehouse.pipeline.staged import part_list

if TYPE_CHECKING:
    from include.phrase_views.counters.request import ImportRequest
    from include.staging.manifest import Manifest

TABLE = "phrases_views"


def run_request() -> ImportRequest:
    """Return what the run is asked for. Raises: BadParam."""
    return read_request(get_current_context()["params"])


def require_file() -> None:
    """Require the file to be there, inside the inbox. Raises: BadParam, BadVariable, OutsideInbox."""
    from include.inbox.files import locate

    locate(inbox_root(), run_request().path)


def stage_run() -> list[dict[str, str]]:
    """Stage the file; return table and file of each part. Raises: as include.phrase_views.counters.file."""
    from include.phrase_views.counters.file import stage_file

    manifest = stage_file(
        inbox_root(),
        run_request(),
        staging_of(run_date()),
        **run_context(),
        day=run_date(),
        host=socket.gethostname(),
        now=now,
    )
    get_current_context()["ti"].xcom_push("counts", manifest.facts)
    return part_list(manifest)


def imported_event(_: Manifest, rows: dict[str, int]) -> dict[str, Any]:
    """Return the extra of an imported file's event: its path and its rows."""
    return {"path": run_request().path, "rows": rows[TABLE]}


def file_counts(manifest: Manifest, _: dict[str, int]) -> dict[str, Any]:
    """Return what was found in the file: its path, rows, rejected, repeated and blank lines, its end."""
    return dict(manifest.facts)
