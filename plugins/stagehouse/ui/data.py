"""Data, the first of our pages: each published table with its freshness, and the sources' health."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response

from include.inbox.preview import visible
from include.monitoring.facts import Published
from include.monitoring.metrics import Facts
from include.monitoring.overview import in_words, table_rows
from include.monitoring.tables import DAG_IDS, DAG_OF_SHOP
from include.published_days import DEFAULT_HOURS
from stagehouse.ui.access import tells_which_may_be_read
from stagehouse.ui.inbox import TAKERS
from stagehouse.ui.monitored import Monitor
from stagehouse.ui.responses import page
from stagehouse.ui.sections import SECTIONS

GITHUB_DAG, HEALTH_DAG = "github_top_repositories", "postgres_health"
NAMES = {"airflow": "Airflow's database", "clickhouse": "ClickHouse", "staging": "Staging", "kafka": "Kafka"}
NAMES |= {"inbox": "Inbox"}
router = APIRouter(prefix="/data")
MAY_READ = tells_which_may_be_read(*DAG_IDS)


class SourceRow(NamedTuple):
    """A source as the page shows it. Attributes: state: up, down, or none; says, in words."""

    name: str
    state: str
    says: str


@router.get("/")
def show(request: Request, dag_id: str = "", late: str = "", readable: list[str] = MAY_READ) -> Response:
    """Return the page: of one DAG, or of what is late only, where that is asked for."""
    may_read = frozenset(readable)
    monitor: Monitor = request.app.state.monitor
    facts = monitor.read()
    published = facts.published or monitor.last_published() or Published()
    last_runs = facts.airflow.last_runs if facts.airflow else {}
    rows = table_rows(published.tables, facts.hours, last_runs, published.github, facts.now, may_read)
    airflow = request.scope["root_path"].rpartition("/")[0]
    return page(
        request,
        "data.html",
        rows=[row for row in rows if dag_id in ("", row.dag_id) and (row.late or not late)],
        is_empty=not rows,
        is_old=facts.published is None,
        dag_ids=sorted({row.dag_id for row in rows}),
        dag_id=dag_id,
        late=late,
        sources=list(_sources(facts, monitor, published, may_read)),
        problems=monitor.places.problems if monitor.places else (),
        paused=sorted(set(facts.airflow.paused) & may_read) if facts.airflow else (),
        is_paused=facts.airflow.paused if facts.airflow else {},
        watched=sorted(DEFAULT_HOURS),
        with_page=frozenset(SECTIONS),
        run_link=lambda dag, run: f"{airflow}/dags/{quote(dag, '')}/runs/{quote(run, '')}",
        dag_link=lambda dag: f"{airflow}/dags/{quote(dag, '')}",
        page_link=lambda dag, run: f"../runs/?{urlencode({'dag_id': dag, 'run_id': run})}",
        shown=_shown,
        in_words=in_words,
        visible=visible,
        now=facts.now,
        restarts=sorted((facts.restarts or {}).items()),
    )


def _sources(
    facts: Facts, monitor: Monitor, published: Published, may_read: frozenset[str]
) -> Iterator[SourceRow]:
    for reading in facts.readings:
        state = "up" if reading.up else "down"
        yield SourceRow(NAMES[reading.name], state, reading.error or _found(reading.name, facts, may_read))
    if monitor.places and monitor.places.clickhouse is None:
        says = "embedded: tasks have it to themselves; what is shown, their events tell"
        yield SourceRow("ClickHouse", "none", says)
    yield from _github(published, facts.now, may_read)
    health = facts.airflow.last_runs.get(HEALTH_DAG) if facts.airflow else None
    if health and HEALTH_DAG in may_read:
        ago = in_words((facts.now - health.ended_at).total_seconds())
        state = "up" if health.state == "success" else "down"
        yield SourceRow("Postgres", state, f"{HEALTH_DAG} ended {ago} ago: {health.state}")
    synced = published.synced_at.get(DAG_OF_SHOP)
    if synced and DAG_OF_SHOP in may_read:
        says = f"published as it was {in_words((facts.now - synced).total_seconds())} ago"
        yield SourceRow("Shop", "none", says)


def _found(source: str, facts: Facts, may_read: frozenset[str]) -> str:
    """Return what a source that is up has told, in words."""
    if source == "staging" and facts.staging:
        used = sum(facts.staging.bytes.values())
        return f"{_bytes(used)} used, {_bytes(facts.staging.free_bytes)} free"
    if source == "kafka":
        lags = ((topic, lag) for (topic, dag), lag in (facts.lags or {}).items() if dag in may_read)
        return "; ".join(f"{visible(topic)}: {lag:,} messages behind" for topic, lag in lags)
    if source == "inbox" and all(taker.dag_id in may_read for taker in TAKERS):
        return f"{facts.inbox or 0:,} names"
    if source == "airflow" and facts.airflow:
        beats = sorted(facts.airflow.heartbeats.items())
        alive = (f"{name} {in_words((facts.now - beat).total_seconds())} ago" for name, beat in beats)
        return f"last heartbeats: {', '.join(alive)}" if beats else "no component has been alive yet"
    return ""


def _github(published: Published, now: datetime, may_read: frozenset[str]) -> Iterator[SourceRow]:
    run = published.github
    if run is None or GITHUB_DAG not in may_read:
        return
    ago = in_words((now - run.planned_at).total_seconds())
    left = f"{run.quota_left:,} left of the quota" if run.quota_left >= 0 else "no quota is told"
    asked = f"{run.requests_planned:,} requests planned, {run.requests:,} sent"
    yield SourceRow("GitHub", "up" if run.fits else "down", f"{left} when planned, {ago} ago; {asked}")


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004 - of the next unit
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _shown(time: Any) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else ""
