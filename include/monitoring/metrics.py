"""The metrics: facts as Prometheus reads them. All are gauges; no label grows for ever."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from include.monitoring.airflow_facts import FINISHED, OPEN_RUNS, WAITING_TASKS, AirflowFacts
from include.monitoring.facts import (
    SHOWN_DAYS,
    GitHubRun,
    Published,
    PublishedTable,
    Staging,
    late_by,
    unpublished_days,
)
from include.monitoring.limits import SILENT_S
from include.monitoring.sources import Reading
from include.monitoring.tables import DAG_IDS, KEY_TABLES

PREFIX = "stagehouse_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metric(NamedTuple):
    """A metric without its prefix. Attributes: says what it is; labels, their names."""

    says: str
    labels: tuple[str, ...] = ()


_TABLE, _DAG = ("dag_id", "table"), ("dag_id",)
METRICS: Mapping[str, Metric] = {
    "source_up": Metric("1 where the source gave its facts in time, else 0.", ("source",)),
    "source_read_seconds": Metric("Seconds that reading the source took this scrape.", ("source",)),
    "table_covered_until_timestamp_seconds": Metric("End of the newest whole day.", _TABLE),
    "table_published_timestamp_seconds": Metric("Time of the newest publication.", _TABLE),
    "table_day_late": Metric("1 where a day is overdue by published_by_hour, else 0.", _TABLE),
    "table_late_seconds": Metric("Seconds since the first missing day was due; 0 in time.", _TABLE),
    "table_unpublished": Metric("Days missing of the last 14; of the table that every run writes.", _TABLE),
    "table_day_rows": Metric("Rows of a day, 1 to 14 days ago.", (*_TABLE, "days_ago")),
    "sync_lag_seconds": Metric("Seconds since the instant of the source that is published.", _DAG),
    "kafka_lag_messages": Metric("Messages of the topic that no run has published.", ("topic", "dag_id")),
    "github_requests": Metric("Requests of the last run.", (*_DAG, "kind")),
    "github_points": Metric("Points of GraphQL of the last run.", (*_DAG, "kind")),
    "github_commit_seconds": Metric("Seconds of the last run from its plan on.", (*_DAG, "kind")),
    "github_retries": Metric("Requests of the last run that were sent again.", _DAG),
    "github_unchanged": Metric("Answers of the last run that cost nothing: unchanged.", _DAG),
    "github_quota_left": Metric("Quota that was left when the last run was planned.", _DAG),
    "github_plan_fits": Metric("1 where the last plan fits into the quota, else 0.", _DAG),
    "github_plan_timestamp_seconds": Metric("Time of the last plan.", _DAG),
    "staging_bytes": Metric("Bytes in staging; of no DAG: what else lies there.", _DAG),
    "staging_files": Metric("Files in staging; likewise.", _DAG),
    "staging_free_bytes": Metric("Bytes that are free on the disk of staging."),
    "airflow_heartbeat_timestamp_seconds": Metric("Last heartbeat of a component; 0: never.", ("component",)),
    "airflow_dag_paused": Metric("1 where the DAG is paused, else 0.", _DAG),
    "airflow_dag_runs": Metric("Runs that are not over.", (*_DAG, "state")),
    "airflow_dag_runs_finished_recent": Metric("Runs that ended within 24 hours.", (*_DAG, "state")),
    "airflow_dag_last_run_end_timestamp_seconds": Metric("End of the last run.", (*_DAG, "state")),
    "airflow_dag_last_run_duration_seconds": Metric("Duration of the last run.", (*_DAG, "state")),
    "airflow_task_last_duration_seconds": Metric("Longest instance in the last run.", (*_DAG, "task_id")),
    "airflow_task_instances": Metric("Task instances that are not over.", ("state",)),
    "airflow_tasks_failed_recent": Metric("Tasks that failed within 24 hours.", (*_DAG, "task_id")),
    "airflow_tries_repeated_recent": Metric("Tries within 24 hours that were not the last.", _DAG),
    "airflow_oldest_queued_task_timestamp_seconds": Metric("Since when a task has waited; now where none."),
    "airflow_pool_slots": Metric("Slots of a pool: total, queued, running.", ("pool", "state")),
    "airflow_import_errors": Metric("DAG files that cannot be imported."),
    "local_restarts": Metric("Times that `make up` has started a component again.", ("component",)),
}
Sample = tuple[str, tuple[str, ...], float]


class Facts(NamedTuple):
    """All that was read for one answer; what a source did not give is None.

    Attributes: hours, by which DAGs publish the day before; readings, of the sources that were asked; lags,
    by topic and DAG; restarts, by component; inbox, how many names are in it.
    """

    now: datetime
    hours: Mapping[str, int]
    readings: tuple[Reading[object], ...]
    airflow: AirflowFacts | None = None
    published: Published | None = None
    staging: Staging | None = None
    lags: Mapping[tuple[str, str], int] | None = None
    restarts: Mapping[str, int] | None = None
    inbox: int | None = None


def exposition(facts: Facts) -> bytes:
    """Return the facts as Prometheus' text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(facts))
    return generate_latest(registry)


class _Collected:
    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def collect(self) -> Iterator[GaugeMetricFamily]:
        by_name = defaultdict[str, list[tuple[tuple[str, ...], float]]](list)
        for name, labels, value in samples(self._facts):
            by_name[name].append((labels, value))
        for name, metric in METRICS.items():
            if name in by_name:
                family = GaugeMetricFamily(PREFIX + name, metric.says, labels=metric.labels)
                for labels, value in by_name[name]:
                    family.add_metric(labels, value)
                yield family


def samples(facts: Facts) -> Iterator[Sample]:
    """Yield name, labels and value of each sample."""
    for reading in facts.readings:
        yield "source_up", (reading.name,), float(reading.up)
        yield "source_read_seconds", (reading.name,), reading.seconds
    if facts.published is not None:
        for table in facts.published.tables:
            yield from _of_table(table, facts.hours.get(table.dag_id), facts.now)
        for synced in facts.published.synced:
            yield "sync_lag_seconds", (synced.dag_id,), (facts.now - synced.taken_at).total_seconds()
        if facts.published.github:
            yield from _of_github(facts.published.github)
    for (topic, dag_id), lag in (facts.lags or {}).items():
        yield "kafka_lag_messages", (topic, dag_id), lag
    if facts.staging is not None:
        dags = {*DAG_IDS, *(facts.airflow.paused if facts.airflow else ())}
        yield from _of_staging(facts.staging, dags)
    if facts.airflow is not None:
        yield from _of_dags(facts.airflow)
        yield from _of_tasks(facts.airflow, facts.now)
    for component, count in (facts.restarts or {}).items():
        yield "local_restarts", (component,), count


def _of_table(table: PublishedTable, hour: int | None, now: datetime) -> Iterator[Sample]:
    labels = (table.dag_id, table.table)
    yield "table_published_timestamp_seconds", labels, table.published_at.timestamp()
    if table.covered_until:
        yield "table_covered_until_timestamp_seconds", labels, table.covered_until.timestamp()
    if table.by_day:
        late = late_by(table, hour, now).total_seconds()
        yield "table_day_late", labels, float(late > 0)
        yield "table_late_seconds", labels, late
    if table.table in KEY_TABLES:
        yield "table_unpublished", labels, unpublished_days(table, now)
    for ago in range(1, SHOWN_DAYS + 1):
        rows = table.rows.get((now - timedelta(days=ago)).date())
        if rows is not None:
            yield "table_day_rows", (*labels, str(ago)), rows


def _of_github(run: GitHubRun) -> Iterator[Sample]:
    dag = (run.dag_id,)
    for name, planned, actual in (
        ("github_requests", run.requests_planned, run.requests),
        ("github_points", run.points_planned, run.points),
        ("github_commit_seconds", run.seconds_planned, run.seconds),
    ):
        yield name, (*dag, "planned"), planned
        yield name, (*dag, "actual"), actual
    yield "github_commit_seconds", (*dag, "waited"), run.seconds_waited
    yield "github_retries", dag, run.retries
    yield "github_unchanged", dag, run.unchanged
    yield "github_plan_fits", dag, run.fits
    yield "github_plan_timestamp_seconds", dag, run.planned_at.timestamp()
    if run.quota_left >= 0:
        yield "github_quota_left", dag, run.quota_left


def _of_staging(staging: Staging, dags: Collection[str]) -> Iterator[Sample]:
    yield "staging_free_bytes", (), staging.free_bytes
    if staging.is_whole:
        for name, counted in (("staging_bytes", staging.bytes), ("staging_files", staging.files)):
            of_dags = Counter[str]()
            for folder, count in counted.items():  # names of others are not ours to tell, and may be many
                of_dags[folder if folder in dags else ""] += count
            yield from ((name, (dag_id,), count) for dag_id, count in of_dags.items())


def _of_dags(airflow: AirflowFacts) -> Iterator[Sample]:
    for dag_id, paused in airflow.paused.items():
        yield "airflow_dag_paused", (dag_id,), float(paused)
        yield "airflow_tries_repeated_recent", (dag_id,), airflow.recent_repeats.get(dag_id, 0)
        for state in OPEN_RUNS:
            yield "airflow_dag_runs", (dag_id, state), airflow.open_runs.get((dag_id, state), 0)
        for state in FINISHED:
            count = airflow.recent_runs.get((dag_id, state), 0)
            yield "airflow_dag_runs_finished_recent", (dag_id, state), count
    for run in airflow.last_runs.values():
        labels = (run.dag_id, run.state)
        yield "airflow_dag_last_run_end_timestamp_seconds", labels, run.ended_at.timestamp()
        yield "airflow_dag_last_run_duration_seconds", labels, run.seconds
    for task in airflow.last_tasks:
        labels = (task.dag_id, task.task_id)
        yield "airflow_task_last_duration_seconds", labels, task.seconds
        yield "airflow_tasks_failed_recent", labels, airflow.recent_failures.get(labels, 0)
    known = {(task.dag_id, task.task_id) for task in airflow.last_tasks}
    for labels, count in airflow.recent_failures.items():
        if labels not in known:
            yield "airflow_tasks_failed_recent", labels, count


def _of_tasks(airflow: AirflowFacts, now: datetime) -> Iterator[Sample]:
    for state in WAITING_TASKS:
        yield "airflow_task_instances", (state,), airflow.tasks.get(state, 0)
    oldest = airflow.oldest_queued or now
    yield "airflow_oldest_queued_task_timestamp_seconds", (), oldest.timestamp()
    yield from (("airflow_pool_slots", labels, slots) for labels, slots in airflow.pools.items())
    for component in {**SILENT_S, **airflow.heartbeats}:
        beat = airflow.heartbeats.get(component)
        yield "airflow_heartbeat_timestamp_seconds", (component,), beat.timestamp() if beat else 0
    yield "airflow_import_errors", (), airflow.import_errors
