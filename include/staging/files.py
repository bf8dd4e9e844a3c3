"""Files that are there whole or not at all, on a disk or in an object store."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import secrets
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import IO, Any, Protocol, Self

_READ_BYTES, _ASKED_FOR_BYTES = 1024 * 1024, 8 * 1024 * 1024
_READ_AT_ONCE = 16  # small files: an object store takes 20 ms and more for each
_OURS_ALONE = 0o600


class StagingPath(Protocol):
    """A path, as far as staging needs it: pathlib.Path, UPath and Airflow's ObjectStoragePath are such."""

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


def open_buffered(path: StagingPath) -> io.BufferedReader:
    """Open `path` to be read, also line by line. Raises: OSError, or what the client of a store raises."""
    if isinstance(path, Path):
        return path.open("rb")
    store: Any = path
    # The store's own is many times slower by lines, and asks for 50 MB at a time.
    opened = store.fs.open(store.path, "rb", block_size=_ASKED_FOR_BYTES)
    return io.BufferedReader(opened, _READ_BYTES)


def read_files(paths: Iterable[StagingPath]) -> Iterator[tuple[StagingPath, bytes]]:
    """Yield small files with their bytes, in order; a few are read at once, and held. Raises: OSError."""
    with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
        reading: deque[tuple[StagingPath, Future[bytes]]] = deque()
        for path in paths:
            reading.append((path, pool.submit(path.read_bytes)))
            if len(reading) == _READ_AT_ONCE:
                yield _read(*reading.popleft())
        while reading:
            yield _read(*reading.popleft())


def write_atomically(path: StagingPath, data: bytes, *, mode: int = _OURS_ALONE) -> None:
    """Write `data` to `path` so that a reader, or a crash, sees all of it or the state before.

    On a disk: a temporary file beside it, fsync, rename, fsync of the directory. In an object store one
    PUT is already atomic. Parents are made.

    Args: mode: of a file on a disk, less what the umask takes.
    Raises: OSError with the path in it, also when the disk is full; nothing of the try is left then.
    """
    if not isinstance(path, Path):
        store: Any = path
        with _named(path, len(data)):
            store.fs.pipe_file(store.path, data)
        return
    with written_atomically(path, mode=mode) as write:
        write(data)


@contextmanager
def written_atomically(
    path: StagingPath, *, mode: int = _OURS_ALONE, named: Callable[[], StagingPath] | None = None
) -> Iterator[Callable[[bytes], None]]:
    """Give a function that takes the content of `path` piece by piece, for what is too large for memory.

    The file is there, as by write_atomically, when the block ends; where the block raises, all is as
    before. For an object store the pieces are gathered in a temporary file of this machine first.

    Args: mode: as for write_atomically. named: what gives, at the end, the path that the file gets in the
        place of `path`, in the same folder: a name that says what is in it.
    Raises: OSError as write_atomically does; what the block itself raises is passed on.
    """
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = str(path.with_name(f".{path.name}.{secrets.token_hex(4)}.part"))
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    else:
        descriptor, temporary = tempfile.mkstemp(suffix=".part")
    size = 0

    def write(data: bytes) -> None:
        nonlocal size
        size += len(data)
        with _named(path, size):
            file.write(data)

    file = os.fdopen(descriptor, "w+b")
    try:
        yield write
        with _named(path, size):
            _put_in_place(file, Path(temporary), named() if named else path)
    finally:
        with suppress(OSError):  # bytes that a failed write left behind: that failure is on its way up
            file.close()
        Path(temporary).unlink(missing_ok=True)


def run_directory(root: StagingPath, dag_id: str, day: date, run_id: str) -> StagingPath:
    """Return `<root>/<dag_id>/<day>/<hash of run_id>`: one directory a run."""
    return root / dag_id / day.isoformat() / run_folder(run_id)


def run_folder(run_id: str) -> str:
    """Return the name of a run's directory.

    The run_id is hashed because Airflow lets it hold ':', '+', '~', even a line end, and 250 characters.
    """
    return hashlib.sha256(run_id.encode()).hexdigest()[:16]


def _read(path: StagingPath, data: Future[bytes]) -> tuple[StagingPath, bytes]:
    return path, data.result()


def _put_in_place(file: IO[bytes], temporary: Path, path: StagingPath) -> None:
    file.flush()
    if isinstance(path, Path):
        os.fsync(file.fileno())
        temporary.replace(path)
        _sync_directory(path.parent)
        return
    store: Any = path
    store.fs.put_file(
        str(temporary), store.path
    )  # a file opened for writing is kept, cut short, on a failure


@contextmanager
def _named(path: StagingPath, size: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno or _errno(error), f"{reason}: {size} bytes not written", str(path)
        ) from error
    except Exception as error:
        if isinstance(path, Path):
            raise
        # A store's own: its client knows nothing of OSError where the network fails.
        raise OSError(errno.EIO, f"{error}: {size} bytes not written", str(path)) from error


def _errno(error: OSError) -> int:
    kinds = {FileNotFoundError: errno.ENOENT, PermissionError: errno.EACCES}
    return kinds.get(type(error), errno.EIO)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
