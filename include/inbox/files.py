"""The files that may be read: those in the inbox, and nothing outside it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, cast

from include.inbox.errors import ImportFileChanged, InboxAway, OutsideInbox
from include.staging.files import StagingPath

_USER = re.compile("(?<=://)[^/@]*@")  # Airflow's URLs may carry the id of a connection


class InboxPath(StagingPath, Protocol):
    """A file of the inbox: StagingPath and a little more."""

    def is_file(self) -> bool: ...  # noqa: D102
    def stat(self) -> Any: ...  # noqa: D102


def locate(inbox: StagingPath, name: str) -> InboxPath:
    """Return the file `name`, given relative to `inbox`, a directory or URL, or as a URL below it.

    Raises: OutsideInbox: absolute, with '..', a backslash or a control character; another scheme or host; a
        link that leads out of the inbox; or no regular file (a named pipe would keep its reader waiting).
        InboxAway: a store does not say whether it is there.
    """
    path = _place(inbox, name)
    if not _is_file(inbox, path):
        raise OutsideInbox(name, f"no regular file of that name is in the inbox {inbox}")
    return path


def locate_folder(inbox: StagingPath, name: str) -> StagingPath:
    """Return the folder `name`, as locate() finds a file; "" is the inbox itself.

    A store has no folders: one without files is found too. Raises: OutsideInbox.
    """
    if not name:
        return inbox
    path = _place(inbox, name)
    if isinstance(path, Path) and not path.is_dir():
        raise OutsideInbox(name, f"no folder of that name is in the inbox {inbox}")
    return path


@contextmanager
def unchanged(path: InboxPath, name: str) -> Iterator[None]:
    """Require that nobody writes the file while the block reads it.

    Args: name, for the error.
    Raises: ImportFileChanged.
    """
    before = _version(path)
    yield
    if _version(path) != before:
        raise ImportFileChanged(name, "somebody wrote it while it was read")


def _place(inbox: StagingPath, name: str) -> InboxPath:
    if not name.strip() or any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise OutsideInbox(name, "a file name without control characters is needed")
    relative = _below(inbox, name) if "://" in name else name
    if "\\" in relative or "://" in relative:
        raise OutsideInbox(name, f"no path relative to the inbox {inbox}, with '/', and no URL below it")
    if PurePosixPath(relative).is_absolute() or ".." in PurePosixPath(relative).parts:
        raise OutsideInbox(name, f"no path relative to the inbox {inbox}, without '..'")
    return _local(inbox, relative) if isinstance(inbox, Path) else _stored(inbox, relative)


def _is_file(inbox: StagingPath, path: InboxPath) -> bool:
    if isinstance(path, Path):
        return path.is_file()
    store: Any = path
    try:
        return bool(store.fs.info(store.path)["type"] == "file")
    except FileNotFoundError:
        return False
    except Exception as error:  # a store has errors of its own, and its is_file() takes each for "no"
        raise InboxAway(str(inbox), " ".join(str(error).split())[:300]) from error


def _version(path: InboxPath) -> object:
    """Return what changes when somebody writes the file: size and time, in object stores their tag too."""
    found = path.stat()
    return dict(found) if isinstance(found, Mapping) else (found.st_size, found.st_mtime_ns)


def _below(inbox: StagingPath, url: str) -> str:
    root = f"file://{inbox}" if isinstance(inbox, Path) else _USER.sub("", str(inbox))
    below = _USER.sub("", url)
    if not below.startswith(f"{root.rstrip('/')}/"):
        raise OutsideInbox(url, f"no URL below the inbox {root}")
    return below.removeprefix(f"{root.rstrip('/')}/")


def _local(inbox: Path, name: str) -> InboxPath:
    try:
        path = (inbox / name).resolve(strict=True)
    except (OSError, RuntimeError) as error:  # which repeat the path, however long
        reason = error.strerror if isinstance(error, OSError) else "symbolic links that lead in a circle"
        raise OutsideInbox(name, f"not to be found in the inbox {inbox}: {reason}") from error
    if not path.is_relative_to(inbox.resolve()):
        raise OutsideInbox(name, f"leads out of the inbox {inbox} through a symbolic link")
    return path


def _stored(inbox: StagingPath, name: str) -> InboxPath:
    path = inbox
    for part in PurePosixPath(name).parts:  # '.' and '//' are gone: a store would take them for names
        path = path / part
    return cast("InboxPath", path)
