"""Removes staging that nobody needs any more: runs long ended, and half-written files of killed writers.

Nothing is removed by the run that wrote it: a task that is cleared later still needs its run's files.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from include.staging.files import StagingPath
from include.staging.manifest import MANIFEST

log = logging.getLogger(__name__)

# Runs end within a day (dagrun_timeout); the rest is time for a person to look at a red one and clear a task.
KEPT_AFTER_LAST_WRITE = timedelta(days=14)
# No writer lives longer than its run.
KEPT_UNFINISHED = timedelta(days=2)
_DAY, _RUN, _UNFINISHED = r"\d{4}-\d{2}-\d{2}", "[0-9a-f]{16}", r"\..+\.part"
_REMOVED_AT_ONCE = 16  # a store takes 20 ms and more for each
_NEVER_OLD = datetime.max.replace(tzinfo=UTC)
_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "created")  # as each store calls it


def drop_old_runs(root: StagingPath, dag_id: str, now: datetime) -> list[str]:
    """Remove the directories of this DAG's runs that wrote nothing for KEPT_AFTER_LAST_WRITE.

    Args: root, dag_id as for run_directory(); now, aware. Safe to repeat, and to run from two runs at once;
    what cannot be removed stays for the next time, by a warning.
    Returns: "<day>/<hash of run_id>" of each that was removed.
    """
    files, top = store_of(root / dag_id)
    removed = []
    for day in _children(files, top, _DAY):
        for run in _children(files, day, _RUN):
            name = run.removeprefix(f"{top}/")
            if not _written_since(files, run, now - KEPT_AFTER_LAST_WRITE) and _removed(files, run, name):
                removed.append(name)
        with suppress(OSError):  # it is not empty, or a store that has no directories
            files.rmdir(day)
    log.info("staging of %s: %d old runs removed", dag_id, len(removed))
    return removed


def drop_unfinished_files(directory: StagingPath, now: datetime) -> list[str]:
    """Remove what killed writers left anywhere below `directory`; object stores have none.

    Returns: their paths below it.
    """
    files, top = store_of(directory)
    removed = []
    for path, written in _written(files, top):
        name = path.removeprefix(f"{top}/")
        unfinished = re.fullmatch(_UNFINISHED, path.rpartition("/")[2])
        if unfinished and written < now - KEPT_UNFINISHED and _removed(files, path, name):
            removed.append(name)
    return removed


def store_of(path: StagingPath) -> tuple[Any, str]:
    """Return the fsspec file system of a path, and the path as that one writes it."""
    if isinstance(path, Path):
        return fsspec.filesystem("file"), str(path)
    store: Any = path
    return store.fs, store.path.rstrip("/")


def remove_all(files: Any, path: str) -> None:
    """Remove a file, or all below a directory, of a file system of store_of(). Raises: OSError."""
    if isinstance(files, LocalFileSystem):
        files.rm(path, recursive=True)
        return
    # Not as a list: some stores take none, or want it signed as S3's client no longer does; and where an
    # answer says for each file why it was kept, that client believes that all are gone.
    with ThreadPoolExecutor(_REMOVED_AT_ONCE) as pool:
        list(pool.map(files.rm_file, files.find(path)))


def last_written(facts: Mapping[str, Any]) -> datetime | None:
    """Return when a file was last written, by what its fsspec file system says of it; None if it does not."""
    moment = next((facts[name] for name in _MODIFIED if facts.get(name)), None)
    return moment if moment is None or isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)


def _children(files: Any, directory: str, pattern: str) -> list[str]:
    try:
        found = files.ls(directory, detail=True)
    except FileNotFoundError:
        return []
    # A link is none of ours, and leads to files that are none of ours.
    paths = [facts["name"].rstrip("/") for facts in found if not facts.get("islink")]
    return sorted(path for path in paths if re.fullmatch(pattern, path.rpartition("/")[2]))


def _written(files: Any, directory: str) -> Iterator[tuple[str, datetime]]:
    for path, facts in files.find(directory, detail=True).items():
        yield path, last_written(facts) or _NEVER_OLD


def _written_since(files: Any, run: str, earliest: datetime) -> bool:
    return any(written >= earliest for _, written in _written(files, run))


def _removed(files: Any, path: str, name: str) -> bool:
    try:
        if files.exists(f"{path}/{MANIFEST}"):  # first: without it the rest does not count
            files.rm_file(f"{path}/{MANIFEST}")
        remove_all(files, path)
    except OSError as error:
        log.warning("%s stays for now: %s", name, error)
        return False
    return True
