"""Files that are there whole or not at all, on a disk or in an object store."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import IO, Any, Protocol, Self


class StagingPath(Protocol):
    """What pathlib.Path, UPath and Airflow's ObjectStoragePath share, as far as staging needs it."""

    def __truediv__(self, name: str, /) -> Self: ...
    @property
    def name(self) -> str: ...  # noqa: D102
    def exists(self) -> bool: ...  # noqa: D102
    def read_bytes(self) -> bytes: ...  # noqa: D102
    def write_bytes(self, data: bytes, /) -> int: ...  # noqa: D102
    def open(self, mode: str) -> IO[Any]: ...  # noqa: D102
    def iterdir(self) -> Iterator[Self]: ...  # noqa: D102
    def mkdir(self, mode: int = ..., parents: bool = ..., exist_ok: bool = ...) -> None: ...  # noqa: D102
    def unlink(self, missing_ok: bool = ...) -> None: ...  # noqa: D102


def write_atomically(path: StagingPath, data: bytes) -> None:
    """Write `data` to `path` so that a reader, or a crash, sees all of it or the state before.

    On a disk: a temporary file beside it, fsync, rename, fsync of the directory. In an object store one
    PUT is already atomic. Parents are made.

    Raises: OSError with the path in it, also when the disk is full; nothing of the try is left then.
    """
    if not isinstance(path, Path):
        path.write_bytes(data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}: {len(data)} bytes not written", str(path)) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def run_directory(root: StagingPath, dag_id: str, day: date, run_id: str) -> StagingPath:
    """Return `<root>/<dag_id>/<day>/<hash of run_id>`: one directory a run.

    The run_id is hashed because Airflow lets it hold ':', '+', '~', even a line end, and 250 characters.
    """
    return root / dag_id / day.isoformat() / hashlib.sha256(run_id.encode()).hexdigest()[:16]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
