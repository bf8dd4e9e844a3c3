"""Which file an import may read: one in the inbox, and nothing outside it."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PurePosixPath

from include.phrase_views.import_errors import OutsideInbox


def locate(inbox: Path, name: str) -> Path:
    """Return the file `name`, given relative to the directory `inbox`.

    Raises: OutsideInbox: absolute, with '..', a backslash, a URL or a control character; a link that leads
        out of the inbox; or no regular file (a named pipe would keep its reader waiting for ever).
    """
    if not name.strip() or any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise OutsideInbox(name, "a file name without control characters is needed")
    if "\\" in name or "://" in name:
        raise OutsideInbox(name, "give the path relative to the inbox, with '/', and no URL")
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise OutsideInbox(name, "give the path relative to the inbox, without '..'")
    try:
        path = (inbox / name).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise OutsideInbox(name, f"not to be found in the inbox {inbox}: {error}") from error
    if not path.is_relative_to(inbox.resolve()):
        raise OutsideInbox(name, f"leads out of the inbox {inbox} through a symbolic link")
    if not path.is_file():
        raise OutsideInbox(name, f"no regular file in the inbox {inbox}")
    return path
