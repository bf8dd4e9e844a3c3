"""A file of the inbox -> the staging files of a run, the same ones at every try."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable
from datetime import date, datetime
from typing import IO, Any

from include.inbox.errors import ImportFileChanged
from include.inbox.files import InboxPath, locate, unchanged
from include.phrase_views.counters.request import ImportRequest
from include.phrase_views.counters.staging import REJECTED, stage_counters
from include.staging.files import StagingPath
from include.staging.manifest import Manifest, StagedBy, own_manifest, parts_are_whole, save_manifest

log = logging.getLogger(__name__)

TASK = "stage"  # of the DAG: what an error of its files says to clear


class HashedFile(io.RawIOBase):
    """Reads a file and hashes what was read. Attributes: sha256."""

    def __init__(self, file: IO[Any]) -> None:
        super().__init__()
        self._file, self.sha256 = file, hashlib.sha256()

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()

    def readable(self) -> bool:
        """Say so."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill `buffer` as far as the file does."""
        data = self._file.read(len(buffer))
        self.sha256.update(data)
        buffer[: len(data)] = data
        return len(data)


def stage_file(
    inbox: StagingPath,
    request: ImportRequest,
    directory: StagingPath,
    *,
    dag_id: str,
    run_id: str,
    day: date,
    host: str,
    now: Callable[[], datetime],
) -> Manifest:
    """Stage the file that `request` names, or return what this run has staged of it already.

    Facts of the manifest: lines by what became of them (rows, rejected, repeated, blank); last_line_ended;
    reject_file; path and sha256 of the file.

    Raises: as stage_counters(); OutsideInbox; ImportFileChanged: somebody writes it while it is read, or has
        written it since this run staged it.
    """
    path = locate(inbox, request.path)
    if manifest := own_manifest(directory, StagedBy(dag_id, run_id, day, TASK)):
        _require_unchanged(path, request, manifest)
        if parts_are_whole(directory, manifest):
            log.info("%s: this run has staged it already: %s", request.path, manifest.facts)
            return manifest
    sources = list[HashedFile]()

    def open_file() -> io.BufferedReader:
        sources.append(HashedFile(path.open("rb")))
        return io.BufferedReader(sources[-1])

    with unchanged(path, request.path):
        staged = stage_counters(
            directory,
            request.path,
            open_file,
            form=request.format,
            max_rejected=request.max_rejected,
            require_last_line_end=request.require_last_line_end,
        )
    manifest = Manifest(
        dag_id=dag_id,
        run_id=run_id,
        day=day,
        task=TASK,
        host=host,
        written_at=now(),
        tables={staged.parts.table.name: staged.parts},
        facts={
            "rows": staged.parts.rows,
            **staged.model_dump(include={"rejected", "repeated", "blank", "last_line_ended"}),
            "reject_file": str(directory / REJECTED),
            "path": request.path,
            "sha256": sources[-1].sha256.hexdigest(),
        },
    )
    save_manifest(directory, manifest)
    log.info("%s: %s", request.path, manifest.facts)
    return manifest


def _require_unchanged(path: InboxPath, request: ImportRequest, staged: Manifest) -> None:
    with path.open("rb") as opened:
        found = hashlib.file_digest(io.BufferedReader(HashedFile(opened)), "sha256").hexdigest()
    if found != staged.facts.get("sha256"):
        reason = f"it is not what this run staged at {staged.written_at:%F %T %Z}"
        raise ImportFileChanged(request.path, reason)
