"""Inbox: the files that runs can take, how each begins, and the way from a file to a run of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, NamedTuple

from airflow.sdk import Variable
from fastapi import APIRouter, Query, Request, Response

from include.inbox.errors import BadUpload, InboxAway, OutsideInbox
from include.inbox.files import locate
from include.inbox.listing import list_folder
from include.inbox.params import MAX_PATH
from include.inbox.preview import first_lines, visible
from include.inbox.uploads import FOLDER, MAX_BYTES, sender_of
from include.staging.files import StagingPath, open_buffered
from stagehouse.hooks.storage_roots import (
    INBOX_ROOT,
    StorageAway,
    impatient,
    inbox_root,
    names_below,
    storage_errors,
)
from stagehouse.ui.access import may_read, tells_who_may_start
from stagehouse.ui.archive import NotPublished
from stagehouse.ui.responses import page
from stagehouse.ui.sections import API_CALLS

MOST = 200  # files shown of a folder
UPLOADS = "inbox_uploads"
_NOTES_AT_ONCE = 16
Below = Annotated[str, Query(max_length=MAX_PATH)]


class Taker(NamedTuple):
    """A DAG that takes files of the inbox, in a param of the title File. Attributes: dag_id; takes, what."""

    dag_id: str
    takes: str


TAKERS = (
    Taker(API_CALLS.dag_id, "each row becomes one call to an API; name the recipe too"),
    Taker("phrases_views_import", "counters of search phrases"),
)
# The inbox holds the files of all these DAGs: who sees it may read each of them.
router = APIRouter(prefix="/inbox", dependencies=[may_read(taker.dag_id) for taker in TAKERS])
MAY_SEND = tells_who_may_start(API_CALLS.dag_id)


@router.get("/")
def show(request: Request, folder: Below = "", may_send: bool = MAY_SEND) -> Response:
    """Return the page of a folder, the inbox itself unless told."""
    place = _plain(folder)
    with open_inbox() as inbox:
        entries = list_folder(inbox, place)
        shown = entries[:MOST]
        senders = {}
        if place == FOLDER:
            with ThreadPoolExecutor(_NOTES_AT_ONCE) as pool:
                paths = [entry.path for entry in shown if not entry.problem]
                senders = dict(zip(paths, pool.map(lambda path: sender_of(inbox, path), paths), strict=True))
    return page(
        request,
        "inbox.html",
        entries=shown,
        more=len(entries) - len(shown),
        senders=senders,
        folder=place,
        above=_above(place),
        uploads=uploads_are_on(),
        may_send=may_send,
        max_bytes=MAX_BYTES,
        visible=visible,
    )


@router.get("/file")
def file(request: Request, path: Below) -> Response:
    """Return the page of a file: its first lines, and what starts a run of it."""
    place = _plain(path)
    with open_inbox() as inbox:
        found = locate(inbox, place)
        facts = found.stat()
        with open_buffered(found) as opened:
            preview = first_lines(opened)
        sender = sender_of(inbox, place)
    return page(
        request,
        "inbox_file.html",
        path=place,
        above=_above(place),
        size=facts.st_size,
        written=datetime.fromtimestamp(facts.st_mtime, UTC),
        preview=preview,
        sender=sender,
        takers=TAKERS,
        airflow=request.scope["root_path"].rpartition("/")[0],
        visible=visible,
    )


def uploads_are_on() -> bool:
    """Tell whether files may be sent by a browser: the Airflow variable `inbox_uploads` says `on`."""
    return str(Variable.get(UPLOADS, default="") or "").strip() == "on"


@contextmanager
def open_inbox() -> Iterator[StagingPath]:
    """Yield the inbox; turn its errors, and those of a name in it, into a page's text.

    Raises: NotPublished; BadUpload; BadVariable, BadConnection; StorageAway.
    """
    inbox = impatient(inbox_root())
    found: Exception | None = None
    try:
        with storage_errors(INBOX_ROOT, inbox):
            try:
                yield inbox
            except InboxAway as error:
                raise error.__cause__ or error  # noqa: B904 - what the store said
            except OutsideInbox as error:
                found = NotPublished(error.reason)
            except BadUpload as error:
                found = error
    except StorageAway:
        raise
    except OSError as error:
        step = "see what the user of the API server may do there"
        raise StorageAway(INBOX_ROOT, f"'{inbox}': {error.strerror or error}", step) from error
    if found and not isinstance(inbox, Path):  # without its bucket a store says so of any file
        names_below(INBOX_ROOT, inbox)
    if found:
        raise found


def _plain(path: str) -> str:
    plain = str(PurePosixPath(path))
    return "" if plain == "." else plain


def _above(path: str) -> list[tuple[str, str]]:
    """Return name and path of each folder on the way to a path."""
    parts = PurePosixPath(path).parts[:-1]
    return [(name, "/".join(parts[: number + 1])) for number, name in enumerate(parts)]
