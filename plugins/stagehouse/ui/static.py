"""The style sheet and the scripts of our own pages."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

_STATIC = Path(__file__).with_name("static")
router = APIRouter(prefix="/static")


@router.get("/frame.css")
def style() -> FileResponse:
    """Return the style sheet."""
    return FileResponse(_STATIC / "frame.css", media_type="text/css")


@router.get("/frame.js")
def script() -> FileResponse:
    """Return the script: a choice is shown at once, without the button."""
    return FileResponse(_STATIC / "frame.js", media_type="text/javascript")


@router.get("/upload.js")
def upload() -> FileResponse:
    """Return the script that sends a file into the inbox, and that copies."""
    return FileResponse(_STATIC / "upload.js", media_type="text/javascript")


@router.get("/progress.js")
def progress() -> FileResponse:
    """Return the script that shows how far a run is."""
    return FileResponse(_STATIC / "progress.js", media_type="text/javascript")
