"""From a run to its page: what the tab *Page* of a run and of a task shows."""

from __future__ import annotations

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.models.dagrun import DagRun
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from stagehouse.hooks.storage_roots import reports_root
from stagehouse.ui.access import may_read_the_dag_asked_for
from stagehouse.ui.archive import Archive
from stagehouse.ui.call_runs import folder_of_run
from stagehouse.ui.responses import page
from stagehouse.ui.sections import API_CALLS, SECTIONS

router = APIRouter(prefix="/runs", dependencies=[may_read_the_dag_asked_for()])


@router.get("/")
def run(request: Request, session: SessionDep, dag_id: str, run_id: str) -> Response:
    """Lead to the page that the run rendered, or say why there is none."""
    section = SECTIONS.get(dag_id)
    if section is None:
        return page(request, "message.html", title="No page", text=f"The DAG {dag_id} makes no page.")
    if section is API_CALLS and (found := folder_of_run(session, run_id)):
        return RedirectResponse(f"../{section.slug}/{found[0]}/{found[1]}/", 303)
    day = Archive(reports_root(), section.folder).day_of_run(run_id)
    if day is not None:
        return RedirectResponse(f"../{section.slug}/?day={day}", 303)
    conf = session.scalar(select(DagRun.conf).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)) or {}
    plan_only = conf.get("plan_only") is True
    return page(request, "run_without_page.html", section=section, run_id=run_id, plan_only=plan_only)
