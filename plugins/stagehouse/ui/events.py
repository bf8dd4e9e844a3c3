"""Events: what came in of Kafka's topics, a page for each DAG that reads one, shown to who may read it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from stagehouse.hooks.storage_roots import reports_root
from stagehouse.ui.access import may_read_the_dag_asked_for, tells_which_may_be_read
from stagehouse.ui.archive import Archive, NotPublished, RenderedReports, read_day
from stagehouse.ui.days import neighbours
from stagehouse.ui.responses import download, page, rendered_page
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
    section = _section(dag_id)
    archive = _archive(section)
    others = [TOPICS[each] for each in readable if each != dag_id]
    index = archive.index(read_day(day), RenderedReports) if day else archive.newest(RenderedReports)
    if index is None:
        return page(request, "events_empty.html", section=section, others=others)
    days = archive.days()
    return page(
        request,
        "reports.html",
        section=section,
        index=index,
        days=days,
        neighbours=neighbours(days, index.day),
        others=others,
    )


@router.get("/{dag_id}/{day}/index.html", dependencies=OF_A_DAG)
def html(dag_id: str, day: str, *, keep: bool = False) -> Response:
    """Return a day's rendered page, to be shown or, with `keep`, as a download."""
    section, wanted = _section(dag_id), read_day(day)
    file = _archive(section).open(wanted, "index.html")
    return download(file, f"{_file_name(section)}-{wanted}.html") if keep else rendered_page(file)


@router.get("/{dag_id}/{day}/{report}.csv", dependencies=OF_A_DAG)
def csv(dag_id: str, day: str, report: str) -> Response:
    """Return a report of a day as a download."""
    section, wanted = _section(dag_id), read_day(day)
    archive = _archive(section)
    known = {each: each for each in archive.index(wanted, RenderedReports).reports}
    if report not in known:
        raise NotPublished(f"{section.title} have no such report of {wanted}")
    name = known[report].replace("_", "-")
    return download(
        archive.open(wanted, f"{known[report]}.csv"), f"{_file_name(section)}-{wanted}-{name}.csv"
    )


def _section(dag_id: str) -> Section:
    if section := TOPICS.get(dag_id):
        return section
    raise NotPublished("No such DAG reads a topic")


def _archive(section: Section) -> Archive:
    return Archive(reports_root(), section.folder)


def _file_name(section: Section) -> str:
    return section.dag_id.replace("_", "-")
