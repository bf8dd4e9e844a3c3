"""Uploads into the inbox: from our own page only, by those who may start runs, into one file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from urllib.parse import urlsplit

from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.configuration import conf
from anyio import CapacityLimiter, fail_after, from_thread, to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from include.inbox.errors import BadUpload, UploadCut, UploadTooLarge
from include.inbox.uploads import Sender, store_upload
from stagehouse.clock import now
from stagehouse.ui.access import may_read, may_start
from stagehouse.ui.inbox import TAKERS, UPLOADS, open_inbox, uploads_are_on
from stagehouse.ui.responses import refusal
from stagehouse.ui.sections import API_CALLS

logger = logging.getLogger(__name__)

HEADER = "X-Stagehouse-Upload"  # a form of another site cannot set it, and its script has to ask first
SILENT_S = 60.0
_AT_ONCE = CapacityLimiter(4)  # threads of uploads alone: the rest of the server does not wait for them
_PORTS = {"http": ":80", "https": ":443"}
_NOT_OURS = (
    "An upload comes from the page Inbox of this Airflow. Next: open it there; where a proxy changes the "
    "address, set [api] base_url of Airflow to the one that users see"
)
router = APIRouter(
    prefix="/inbox",
    dependencies=[*(may_read(taker.dag_id) for taker in TAKERS), may_start(API_CALLS.dag_id)],
)


@router.put("/uploads")
async def upload(request: Request, name: str, user: GetUserDep) -> Response:
    """Keep the body as a file of the inbox; return its path, or say why nothing is kept."""
    if not _is_ours(request):
        return refusal(request, HTTPStatus.FORBIDDEN, _NOT_OURS)
    if not await to_thread.run_sync(uploads_are_on):
        off = f"Uploads are off. Next: set the Airflow variable {UPLOADS} to on"
        return refusal(request, HTTPStatus.FORBIDDEN, off)
    sender = Sender(name=name, user=user.get_name(), sent_at=now())
    try:
        path = await to_thread.run_sync(partial(_store, request, sender), limiter=_AT_ONCE)
    except UploadTooLarge as error:
        return refusal(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
    except BadUpload as error:
        logger.info("an upload of %s: %s", user.get_name(), error)
        return refusal(request, HTTPStatus.BAD_REQUEST, str(error))
    logger.info("%s sent %s into the inbox", user.get_name(), path)
    return JSONResponse({"path": path}, HTTPStatus.CREATED)


def _store(request: Request, sender: Sender) -> str:
    announced = request.headers.get("content-length", "")
    expected = int(announced) if announced.isdecimal() else None
    with open_inbox() as inbox:
        return store_upload(inbox, sender, _pieces(request), expected)


def _pieces(request: Request) -> Iterator[bytes]:
    """Yield the body, in a thread. Raises: UploadCut: the sender is gone, or fell silent."""
    stream = request.stream()

    async def following() -> bytes:
        try:
            with fail_after(SILENT_S):
                return await anext(stream, b"")
        except (ClientDisconnect, TimeoutError) as error:
            raise UploadCut("the rest of it never came") from error

    while piece := from_thread.run(following):
        yield piece


def _is_ours(request: Request) -> bool:
    """Tell whether a page of this very site sent the request: Airflow has no token against others.

    A browser says where a request comes from, and scripts cannot change that.
    """
    shown = request.headers.getlist("origin")
    own = {_origin(str(request.base_url)), _origin(conf.get("api", "base_url", fallback="") or "")}
    return len(shown) == 1 and HEADER in request.headers and _origin(shown[0]) in own - {""}


def _origin(url: str) -> str:
    """Return scheme, host and port of a URL as browsers write them, "" where it has none."""
    try:
        scheme, place = urlsplit(url)[:2]
    except ValueError:
        return ""
    place = place.rpartition("@")[2].lower().removesuffix(_PORTS.get(scheme, "\0"))
    return f"{scheme}://{place}" if place and scheme in _PORTS else ""
