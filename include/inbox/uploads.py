"""Files that people send into the inbox by a browser: under a name of ours, whole or not at all."""

from __future__ import annotations

import codecs
import json
import re
import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from include.inbox.errors import BadUpload, OutsideInbox, UploadCut, UploadTooLarge
from include.inbox.files import locate, locate_folder
from include.staging.cleaning import drop_unfinished_files
from include.staging.files import StagingPath, open_buffered, write_atomically, written_atomically

FOLDER = "uploads"
MAX_BYTES = 100 * 1024**2
MAX_NAME = 255
_MAX_NOTE_BYTES = 16 * 1024
READABLE = 0o644  # less the umask: the workers that read the files may run as another user
_ENDING = re.compile(r"\.(?:csv|tsv|txt|ndjson|jsonl|json)(?:\.gz)?\Z", re.ASCII | re.IGNORECASE)
_MAY_HOLD_NUL = (b"\x1f\x8b", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # gzip, and texts by their mark


class Sender(BaseModel):
    """The origin of an upload. Attributes: name, of the file at the user's; user; sent_at."""

    model_config = ConfigDict(frozen=True)
    name: str
    user: str
    sent_at: AwareDatetime


def store_upload(inbox: StagingPath, sender: Sender, pieces: Iterable[bytes], expected: int | None) -> str:
    """Write what `pieces` yields into the inbox; return its path there.

    The file has a name of ours, which keeps of the user's a known ending. Where `pieces` raises, nothing
    stays. Half-written files of killed servers go.

    Args: expected, its size, where that was announced.
    Raises: BadUpload: of that name, size or content; OutsideInbox: the folder of uploads is a link out of it;
        OSError; what `pieces` raises.
    """
    if not sender.name.strip() or len(sender.name) > MAX_NAME or "\0" in sender.name:
        limit = f"the file's name is empty, has a NUL or more than {MAX_NAME} characters"
        raise BadUpload(limit, "rename it")
    refuse_size(expected or 0)
    if isinstance(inbox, Path) and (inbox / FOLDER).exists():
        drop_unfinished_files(locate_folder(inbox, FOLDER), sender.sent_at)
    moment = sender.sent_at.astimezone(UTC)
    name = f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(8)}{_ending(sender.name)}"
    path = inbox / FOLDER / name
    with written_atomically(path, mode=READABLE) as write:
        size = 0
        for piece in _checked(pieces):
            size += len(piece)
            write(piece)
        if expected is not None and size != expected:
            raise UploadCut(f"{size} of {expected} bytes arrived")
        if not size:
            raise BadUpload("the file is empty", "choose another one")
    try:
        note = json.dumps(sender.model_dump(mode="json")).encode()
        write_atomically(inbox / FOLDER / _note(name), note, mode=READABLE)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return f"{FOLDER}/{name}"


def refuse_size(size: int) -> None:
    """Raises: UploadTooLarge: an upload may not have so many bytes."""
    if size > MAX_BYTES:
        raise UploadTooLarge(f"more than {MAX_BYTES // 1024**2} MiB")


def sender_of(inbox: StagingPath, path: str) -> Sender | None:
    """Return where a file of the inbox came from; None where it was no upload, or nothing is known of it."""
    folder, _, name = path.rpartition("/")
    if folder != FOLDER:
        return None
    try:
        with open_buffered(locate(inbox, f"{FOLDER}/{_note(name)}")) as file:
            return Sender.model_validate_json(file.read(_MAX_NOTE_BYTES))
    except (OutsideInbox, FileNotFoundError, ValidationError):
        return None


def _note(name: str) -> str:
    return f".{name}.json"  # a dot: no file for a run


def _ending(name: str) -> str:
    found = _ENDING.search(name)
    return found[0].lower() if found else ".data"


def _checked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    size, head = 0, b""
    for piece in pieces:
        size += len(piece)
        refuse_size(size)
        head = head if len(head) > 1 else head + piece[:2]
        if b"\0" in piece and not head.startswith(_MAY_HOLD_NUL):
            raise BadUpload("it has a NUL, as texts do not", "save it as text in UTF-8")
        yield piece
