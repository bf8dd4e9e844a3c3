"""API calls: the runs, one of them live while it runs, its files when it has ended."""

from __future__ import annotations

from datetime import date
from typing import Any

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from include.api_calls.results import RESULTS, TODO
from include.api_calls.staging import REJECTED
from include.inbox.preview import visible
from include.pages.api_calls import OUTCOMES, PAGE
from stagehouse.clock import now
from stagehouse.ui.access import may_read
from stagehouse.ui.archive import NotPublished, read_day
from stagehouse.ui.call_runs import CallRun, CallRuns, Folder
from stagehouse.ui.responses import download, page, rendered_page
from stagehouse.ui.sections import API_CALLS

FILES = (RESULTS, TODO, REJECTED)
FINISHED = "finished"
STATES = {
    "calling": "Calling",
    "waiting": "Waiting until the API takes more",
    "called": "Called; what came of it is being published",
    FINISHED: "Finished",
}
_NUMBERS = ("rows", "done", "outcomes", "rate", "left", "updated", "age")
router = APIRouter(prefix=f"/{API_CALLS.slug}", dependencies=[may_read(API_CALLS.dag_id)])


@router.get("/")
def show(request: Request, session: SessionDep, until: str = "") -> Response:
    """Return the list of runs, from the newest day on unless told."""
    newest = read_day(until) if until else None
    runs, older = CallRuns(session).newest(newest)
    return page(
        request,
        "api_calls.html",
        runs=runs,
        older=older,
        until=newest,
        outcomes=OUTCOMES,
        section=API_CALLS,
        visible=visible,
    )


@router.get("/{day}/{folder}/")
def run(request: Request, session: SessionDep, day: str, folder: Folder) -> Response:
    """Return the page of a run."""
    runs = CallRuns(session)
    found = runs.run(read_day(day), folder)
    files = runs.files(found)
    is_rendered = _is_rendered(found, files)
    return page(
        request,
        "api_calls_run.html",
        run=found,
        files=[name for name in FILES if name in files],
        is_rendered=is_rendered,
        said=_said(found, is_rendered=is_rendered),
        outcomes=OUTCOMES,
        airflow=request.scope["root_path"].rpartition("/")[0],
        visible=visible,
    )


@router.get("/{day}/{folder}/progress")
def progress(session: SessionDep, day: str, folder: Folder) -> Response:
    """Return how far a run is, in the words of its page."""
    runs = CallRuns(session)
    found = runs.run(read_day(day), folder)
    return JSONResponse(_said(found, is_rendered=_is_rendered(found, runs.files(found))))


@router.get("/{day}/{folder}/index.html")
def html(session: SessionDep, day: str, folder: Folder) -> Response:
    """Return the page that the run rendered."""
    return rendered_page(CallRuns(session).open(read_day(day), folder, PAGE))


@router.get("/{day}/{folder}/{name}")
def file(session: SessionDep, day: str, folder: Folder, name: str) -> Response:
    """Return a file of a run as a download."""
    if name not in FILES:
        raise NotPublished("There is no such file of a run")
    wanted: date = read_day(day)
    opened = CallRuns(session).open(wanted, folder, name)
    return download(opened, f"{API_CALLS.slug}-{wanted}-{folder}-{name}")


def _said(run: CallRun, *, is_rendered: bool) -> dict[str, Any]:
    """Return how far a run is: numbers, and texts to be shown as they are.

    `ready`: there is no more to come, so the page is to be loaded anew.
    """
    found, known = run.progress, run.known
    over = known.is_over if known else True
    said = {"over": over, "ready": over or is_rendered, "airflow": known.state if known else ""}
    if found is None:
        state = "No row was called" if over else "Not calling yet: the file is being checked"
        return said | dict.fromkeys(_NUMBERS) | {"state": state}
    calling = not over and found.state == "calling"
    stopped = over and found.state != FINISHED
    return said | {
        "state": "Stopped before its results were written"
        if stopped
        else STATES.get(found.state, found.state),
        "rows": found.rows,
        "done": found.done,
        "outcomes": {name: getattr(found, name) for name in OUTCOMES},
        "rate": f"{found.requests_per_second or 0:.1f} requests a second" if calling else "",
        "left": _left(found.seconds_left) if calling else "",
        "updated": found.updated_at.strftime("%H:%M:%S UTC"),
        "age": max(0, round((now() - found.updated_at).total_seconds())),
    }


def _is_rendered(run: CallRun, files: set[str]) -> bool:
    """Tell whether the page is there, and of the state that the run is in: a task may have been cleared."""
    return PAGE in files and run.progress is not None and run.progress.state == FINISHED


def _left(seconds: int | None) -> str:
    if seconds is None:
        return ""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return "less than a minute left"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"about {hours} h {minutes} min left" if hours else f"about {minutes} min left"
