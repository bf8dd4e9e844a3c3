"""Sources and components of the page *Data*: whether each is well, and what it has told."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import NamedTuple

from include.inbox.preview import visible
from include.monitoring.airflow_facts import AirflowFacts
from include.monitoring.facts import Published
from include.monitoring.limits import HEALTH_OLD_S, KAFKA_BEHIND, QUEUED_S, SILENT_S
from include.monitoring.metrics import Facts
from include.text import duration

GITHUB_DAG, HEALTH_DAG = "github_top_repositories", "postgres_health"
UP, DOWN, NONE = "up", "down", "none"
NAMES = {
    "airflow": "Airflow's database",
    "clickhouse": "ClickHouse",
    "staging": "Staging",
    "kafka": "Kafka",
    "inbox": "Inbox",
    "scheduler": "Scheduler",
    "dag_processor": "DAG processor",
    "triggerer": "Triggerer",
}


class HealthRow(NamedTuple):
    """A source or component. Attributes: state: up, down, none where it is not judged; says, in words."""

    name: str
    state: str
    says: str


def health_rows(facts: Facts, published: Published, may_read: Collection[str]) -> Iterator[HealthRow]:
    """Yield what somebody may see who may read these DAGs. Args: published, what is known of it last."""
    for reading in facts.readings:
        if reading.name == "kafka":
            yield from _kafka(facts, reading.error, published, may_read)
        else:
            says = reading.error or _found(reading.name, facts)
            yield HealthRow(NAMES[reading.name], UP if reading.up else DOWN, says)
    if facts.airflow:
        yield from _components(facts.airflow, facts.now)
        yield _tasks(facts.airflow, facts.now)
    yield from _github(published, facts.now, may_read)
    if facts.airflow and HEALTH_DAG in may_read:
        yield from _postgres(facts.airflow, facts.now)
    for component, count in sorted((facts.restarts or {}).items()):
        yield HealthRow(component, NONE, f"restarts: {count}")


def _found(source: str, facts: Facts) -> str:
    if source == "staging" and facts.staging:
        used = sum(facts.staging.bytes.values())
        return f"{_bytes(used)} used, {_bytes(facts.staging.free_bytes)} free"
    return f"{facts.inbox or 0:,} names" if source == "inbox" else ""


def _kafka(facts: Facts, error: str, published: Published, may_read: Collection[str]) -> Iterator[HealthRow]:
    """Yield the topics of DAGs that may be read. An error may name the topic of another one."""
    readable = {ledger.dag_id in may_read for ledger in published.ledgers}
    if error and True in readable:
        says = "the log of the API server has more" if False in readable else error
        yield HealthRow(NAMES["kafka"], DOWN, says)
    lags = sorted((topic, lag) for (topic, dag_id), lag in (facts.lags or {}).items() if dag_id in may_read)
    if lags:
        state = DOWN if max(lag for _, lag in lags) > KAFKA_BEHIND else UP
        says = "; ".join(f"{visible(topic)}: {lag:,} messages behind" for topic, lag in lags)
        yield HealthRow(NAMES["kafka"], state, says)


def _components(airflow: AirflowFacts, now: datetime) -> Iterator[HealthRow]:
    for component in {**SILENT_S, **airflow.heartbeats}:
        beat = airflow.heartbeats.get(component)
        silent_s = (now - beat).total_seconds() if beat else None
        says = "has never run" if silent_s is None else f"last heartbeat {duration(silent_s)} ago"
        if component == "dag_processor" and airflow.import_errors:
            says += f"; DAG files that cannot be imported: {airflow.import_errors}"
        limit_s = SILENT_S.get(component)  # of no other it is known whether it is meant to run
        alive = silent_s is not None and limit_s is not None and silent_s <= limit_s
        yield HealthRow(NAMES[component], NONE if limit_s is None else UP if alive else DOWN, says)


def _tasks(airflow: AirflowFacts, now: datetime) -> HealthRow:
    counts = ", ".join(f"{count:,} {state}" for state, count in sorted(airflow.tasks.items()))
    if airflow.oldest_queued is None:
        return HealthRow("Tasks", UP, counts or "none is waiting")
    waits_s = (now - airflow.oldest_queued).total_seconds()
    says = f"{counts}; one has been queued for {duration(waits_s)}"
    return HealthRow("Tasks", DOWN if waits_s > QUEUED_S else UP, says)


def _github(published: Published, now: datetime, may_read: Collection[str]) -> Iterator[HealthRow]:
    run = published.github
    if run is None or not {GITHUB_DAG, run.dag_id} <= set(may_read):
        return
    ago = duration((now - run.planned_at).total_seconds())
    left = f"{run.quota_left:,} left of the quota" if run.quota_left >= 0 else "no quota is told"
    asked = f"{run.requests_planned:,} requests planned, {run.requests:,} sent"
    yield HealthRow("GitHub", UP if run.fits else DOWN, f"{left} when planned, {ago} ago; {asked}")


def _postgres(airflow: AirflowFacts, now: datetime) -> Iterator[HealthRow]:
    run = airflow.last_runs.get(HEALTH_DAG)
    if run is None:
        return
    ago_s = (now - run.ended_at).total_seconds()
    state = UP if run.state == "success" else DOWN
    if ago_s > HEALTH_OLD_S:  # what it said then says nothing of now
        state = NONE if airflow.paused.get(HEALTH_DAG, True) else DOWN
    yield HealthRow("Postgres", state, f"{HEALTH_DAG} ended {duration(ago_s)} ago: {run.state}")


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004 - of the next unit
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
