"""Responses: a page from a template, a rendered file, a refusal; and their security headers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import IO

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.pages.policy import content_security_policy
from stagehouse.ui.archive import chunks

logger = logging.getLogger(__name__)

# 'self': Airflow's UI shows these pages in an iframe of its own origin, and they show the report in another.
FRAME_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
)
# A rendered page may run the scripts it carries, but in an origin of its own: it cannot act in Airflow with
# the rights of who looks at it, whatever got into the file.
SANDBOX = "sandbox allow-scripts"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": FRAME_POLICY,
}
MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


async def add_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """Fence in every answer, a failure too: no sniffing, no copies, no foreign frames or sources."""
    try:
        response = await answer(request)
    except Exception:
        logger.exception("%s failed", request.url.path)
        response = refusal(request, 500, "This failed for a reason that the log of the API server tells")
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def page(request: Request, template: str, status: int = 200, **facts: object) -> HTMLResponse:
    """Return a page made of a template of ours; all `facts` are escaped."""
    home = request.scope["root_path"]  # where the app is mounted, also below a proxy's path
    here = request.scope["path"].removeprefix(home).strip("/").partition("/")[0]
    return HTMLResponse(_TEMPLATES.get_template(template).render(home=home, here=here, **facts), status)


def rendered_page(file: IO[bytes]) -> Response:
    """Return a rendered page to be shown in place, allowed to use what it carries and nothing else."""
    with file:
        html = file.read()
    policy = f"{content_security_policy(html)}; {SANDBOX}"
    return Response(html, media_type=MEDIA_TYPES["html"], headers={"Content-Security-Policy": policy})


def download(file: IO[bytes], file_name: str) -> Response:
    """Return a file to be saved under `file_name` (ASCII, made by us), in constant memory."""
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"'}
    media_type = MEDIA_TYPES[file_name.rpartition(".")[2]]
    return StreamingResponse(chunks(file), media_type=media_type, headers=headers)


def refusal(request: Request, status: int, text: str) -> Response:
    """Say why there is nothing to see: a page for a person, JSON for a program."""
    if "text/html" in request.headers.get("accept", ""):
        return page(request, "message.html", status, title=HTTPStatus(status).phrase, text=text)
    return JSONResponse({"detail": text}, status)
