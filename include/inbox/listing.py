"""The list of a folder of the inbox, for people: names of any kind, sizes, times."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from include.inbox.errors import OutsideInbox
from include.inbox.files import locate, locate_folder
from include.staging.cleaning import last_written, store_of
from include.staging.files import StagingPath

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Entry(NamedTuple):
    """A file or folder.

    Attributes: name; path, below the inbox; is_folder; size, in bytes; written (UTC), None where it is not
    known; problem, why no run can take it, or "".
    """

    name: str
    path: str
    is_folder: bool
    size: int
    written: datetime | None
    problem: str = ""


def list_folder(inbox: StagingPath, folder: str) -> list[Entry]:
    """Return what lies in a folder of the inbox, "" for the inbox itself: folders first, then the newest.

    Names that begin with a dot are left out: files that are still being written, and notes of uploads.
    Raises: OutsideInbox: there is no such folder; OSError, or what the client of a store raises.
    """
    place = locate_folder(inbox, folder)
    if isinstance(place, Path) and place.is_file():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
    files, top = store_of(place)
    try:
        found = files.ls(top, detail=True)
    except FileNotFoundError as error:
        if folder:
            raise OutsideInbox(folder, f"no folder of that name is in the inbox {inbox}") from error
        if error.__cause__:  # the store said so of the bucket
            raise
        return []
    entries = [_entry(inbox, folder, facts) for facts in found if _is_shown(facts["name"], top)]
    return sorted(entries, key=lambda entry: (entry.is_folder, entry.written or _LONG_AGO), reverse=True)


def _is_shown(path: str, top: str) -> bool:
    name = _name(path)
    return bool(name) and not name.startswith(".") and path.rstrip("/") != top


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _entry(inbox: StagingPath, folder: str, facts: Mapping[str, Any]) -> Entry:
    name = _name(facts["name"])
    path = f"{folder}/{name}" if folder else name
    is_folder, problem = facts["type"] == "directory", ""
    try:
        if is_folder:
            locate_folder(inbox, path)
        elif facts["type"] != "file" or not name.isprintable() or "\\" in name:
            is_folder = _leads_to_folder(inbox, path)
    except OutsideInbox as error:
        problem = error.reason
    written = last_written(facts)
    return Entry(name, path, is_folder, facts.get("size") or 0, written and written.astimezone(UTC), problem)


def _leads_to_folder(inbox: StagingPath, path: str) -> bool:
    """Tell whether a link leads to a folder of the inbox.

    Raises: OutsideInbox: it leads to no file or folder of it.
    """
    try:
        locate(inbox, path)
    except OutsideInbox as no_file:
        try:
            locate_folder(inbox, path)
        except OutsideInbox:
            raise no_file from None
        return True
    return False
