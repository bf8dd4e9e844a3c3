"""Events: what came in of Kafka's topics, a page for each DAG that reads one, shown to who may read it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from stagehouse.ui.access import may_read_the_dag_asked_for, tells_which_may_be_read
from stagehouse.ui.archive import NotPublished, RenderedReports
from stagehouse.ui.day_pages import rendered_index, report_csv, show_day
from stagehouse.ui.sections import TOPICS, Section

router = APIRouter(prefix="/events")
OF_A_DAG = [may_read_the_dag_asked_for()]
Readable = Annotated[list[str], tells_which_may_be_read(*TOPICS)]


@router.get("/")
def first(readable: Readable) -> Response:
    """Lead to the first DAG that the user may read."""
    return RedirectResponse(f"{readable[0]}/", 303)


@router.get("/{dag_id}/", dependencies=OF_A_DAG)
def show(request: Request, readable: Readable, dag_id: str, day: str = "") -> Response:
    """Return the page of a day, the newest unless told, and links to the other DAGs' pages."""
    section, others = _section(dag_id), [TOPICS[each] for each in readable if each != dag_id]
    empty = "events_empty.html"
    return show_day(request, section, RenderedReports, "reports.html", day, empty=empty, others=others)


@router.get("/{dag_id}/{day}/index.html", dependencies=OF_A_DAG)
def html(dag_id: str, day: str, *, keep: bool = False) -> Response:
    """Return a day's rendered page, to be shown or, with `keep`, as a download."""
    return rendered_index(_section(dag_id), day, keep=keep)


@router.get("/{dag_id}/{day}/{report}.csv", dependencies=OF_A_DAG)
def csv(dag_id: str, day: str, report: str) -> Response:
    """Return a report of a day as a download."""
    return report_csv(_section(dag_id), day, report)


def _section(dag_id: str) -> Section:
    if section := TOPICS.get(dag_id):
        return section
    raise NotPublished("No such DAG reads a topic")
