"""The style sheet and the script of the frame around a report."""

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
