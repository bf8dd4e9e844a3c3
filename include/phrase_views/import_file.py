"""A file of the inbox -> the staging files of a run, the same ones at every try."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable
from datetime import date, datetime
from typing import IO, Any

from include.phrase_views.import_errors import ImportFileChanged
from include.phrase_views.import_inbox import InboxPath, locate, version
from include.phrase_views.import_request import ImportRequest
from include.phrase_views.import_staging import stage_counters
from include.staging.files import StagingPath
from include.staging.manifest import MANIFEST, Manifest, read_manifest

log = logging.getLogger(__name__)


class HashedFile(io.RawIOBase):
    """Reads a file and hashes what was read. Attributes: sha256."""

    def __init__(self, file: IO[Any]) -> None:
        super().__init__()
        self._file, self.sha256 = file, hashlib.sha256()

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

    Facts of the manifest: those of stage_counters(); sha256 of the file.

    Raises: as stage_counters(); OutsideInbox; ImportFileChanged: somebody writes it while it is read, or has
        written it since this run staged it.
    """
    path = locate(inbox, request.path)
    before = version(path)
    if (directory / MANIFEST).exists():
        return _staged_before(path, request, directory)
    with path.open("rb") as opened:
        source = HashedFile(opened)

        def unchanged_source() -> dict[str, str]:
            if version(path) != before:
                reason = "somebody wrote it while it was read: when it is complete, clear task stage"
                raise ImportFileChanged(request.path, reason)
            return {"path": request.path, "sha256": source.sha256.hexdigest()}

        return stage_counters(
            directory,
            request.path,
            io.BufferedReader(source),
            dag_id=dag_id,
            run_id=run_id,
            day=day,
            host=host,
            written_at=now(),
            form=request.format,
            max_rejected=request.max_rejected,
            source=unchanged_source,
        )


def _staged_before(path: InboxPath, request: ImportRequest, directory: StagingPath) -> Manifest:
    manifest = read_manifest(directory)
    with path.open("rb") as opened:
        found = hashlib.file_digest(io.BufferedReader(HashedFile(opened)), "sha256").hexdigest()
    if found != manifest.facts["sha256"]:
        reason = f"it is not what this run staged at {manifest.written_at:%F %T %Z}: trigger a new run for it"
        raise ImportFileChanged(request.path, reason)
    log.info("%s: this run has staged it already: %s", request.path, manifest.facts)
    return manifest
