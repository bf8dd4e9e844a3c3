"""Data, the first of our pages: each published table with its freshness, and the sources' health."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response

from include.inbox.preview import visible
from include.monitoring.facts import Published
from include.monitoring.health import NONE, HealthRow, health_rows
from include.monitoring.overview import table_rows
from include.monitoring.tables import DAG_IDS
from include.published_days import TABLES
from stagehouse.ui.access import tells_which_may_be_read
from stagehouse.ui.inbox import TAKERS
from stagehouse.ui.monitored import HOURS, INBOX, KAFKA, Monitor
from stagehouse.ui.responses import page
from stagehouse.ui.sections import SECTIONS, TOPICS

router = APIRouter(prefix="/data")
MAY_READ = tells_which_may_be_read(*DAG_IDS)
# A mistake in what these read is told to those who may read each of the DAGs.
OF_DAGS = {HOURS: tuple(TABLES), INBOX: tuple(taker.dag_id for taker in TAKERS), KAFKA: tuple(TOPICS)}


@router.get("/")
def show(request: Request, dag_id: str = "", late: str = "", readable: list[str] = MAY_READ) -> Response:
    """Return the page: of one DAG, or of what is late only, where that is asked for."""
    may_read = frozenset(readable)
    monitor: Monitor = request.app.state.monitor
    facts = monitor.read(inbox=may_read.issuperset(OF_DAGS[INBOX]))
    published = facts.published or monitor.last_published() or Published()
    rows = table_rows(published, facts.hours, facts.airflow, facts.now, may_read)
    health = list(health_rows(facts, published, may_read))
    places, airflow = monitor.places, request.scope["root_path"].rpartition("/")[0]
    problems = places.problems.items() if places else ()
    if places and places.clickhouse is None:
        says = "embedded: tasks have it to themselves; what is shown, their events tell"
        health.append(HealthRow("ClickHouse", NONE, says))
    return page(
        request,
        "data.html",
        rows=[row for row in rows if dag_id in ("", row.dag_id) and (row.late or not late)],
        is_empty=not rows,
        is_old=facts.published is None and not (places and places.is_new and facts.airflow),
        dag_ids=sorted({row.dag_id for row in rows}),
        dag_id=dag_id,
        late=late,
        health=health,
        problems=[text for source, text in problems if may_read.issuperset(OF_DAGS.get(source, ()))],
        may_read=may_read,
        paused=sorted(set(facts.airflow.paused) & may_read) if facts.airflow else (),
        is_paused=facts.airflow.paused if facts.airflow else {},
        with_page=frozenset(SECTIONS),
        run_link=lambda dag, run: f"{airflow}/dags/{quote(dag, '')}/runs/{quote(run, '')}",
        dag_link=lambda dag: f"{airflow}/dags/{quote(dag, '')}",
        page_link=lambda dag, run: f"../runs/?{urlencode({'dag_id': dag, 'run_id': run})}",
        shown=_shown,
        visible=visible,
        now=facts.now,
    )


def _shown(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else ""
