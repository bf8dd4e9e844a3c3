"""What Airflow's database knows, by queries whose cost does not grow with the tasks that it keeps.

Of the ended ones only the last day's are counted, and of each DAG the run that ended last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.jobs.job import Job
from airflow.models.asset import AssetEvent
from airflow.models.dag import DagModel, DagTag
from airflow.models.dagrun import DagRun
from airflow.models.errors import ParseImportError
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancehistory import TaskInstanceHistory
from sqlalchemy import func, select, text

from include.monitoring.airflow_facts import (
    FINISHED,
    OPEN_RUNS,
    RECENT_H,
    WAITING_TASKS,
    AirflowFacts,
    LastRun,
    TaskCost,
)
from include.monitoring.facts import SHOWN_DAYS, Published, PublishedTable, midnight_after
from include.monitoring.tables import DAG_IDS, DAG_OF_TABLE, KEY_TABLES, TAG

COMPONENTS = {
    "SchedulerJob": "scheduler",
    "DagProcessorJob": "dag_processor",
    "TriggererJob": "triggerer",
}
_DAYS_OF = {DAG_OF_TABLE[table] for table in KEY_TABLES}  # DAGs whose events name the day that is whole
_STATEMENT_MS = 3000  # a query that takes longer is called off by the server


def read_airflow(session: Any, now: datetime) -> AirflowFacts:
    """Return what is known. Raises: SQLAlchemyError."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SET LOCAL statement_timeout = {_STATEMENT_MS}"))
    ours = select(DagTag.dag_id).where(DagTag.name == TAG)
    live = select(DagModel.dag_id, DagModel.is_paused).where(
        ~DagModel.is_stale, DagModel.dag_id.in_(DAG_IDS) | DagModel.dag_id.in_(ours)
    )
    paused: dict[str, bool] = dict(_rows(session, live))
    since = now - timedelta(hours=RECENT_H)
    last_runs = _last_runs(session, tuple(paused))
    return AirflowFacts(
        paused=paused,
        open_runs=_runs(session, paused, DagRun.state.in_(OPEN_RUNS)),
        recent_runs=_runs(session, paused, DagRun.state.in_(FINISHED), DagRun.end_date >= since),
        last_runs=last_runs,
        last_tasks=tuple(_last_tasks(session, last_runs.values())),
        tasks=dict(_rows(session, _count(TaskInstance.state, TaskInstance.state.in_(WAITING_TASKS)))),
        recent_failures=_failures(session, paused, since),
        recent_repeats=_repeats(session, paused, since),
        oldest_queued=_utc(
            session.scalar(select(func.min(TaskInstance.queued_dttm)).where(TaskInstance.state == "queued"))
        ),
        pools=_pools(session),
        heartbeats=_heartbeats(session),
        import_errors=session.scalar(select(func.count()).select_from(ParseImportError)) or 0,
    )


def read_events(session: Any, now: datetime) -> Published:
    """Return what events of assets tell of published tables: for an engine that tasks have to themselves.

    A check that was green emits one. Raises: SQLAlchemyError.
    """
    asked = (
        select(AssetEvent.source_dag_id, AssetEvent.source_run_id, AssetEvent.timestamp, AssetEvent.extra)
        .where(AssetEvent.source_dag_id.in_(DAG_IDS))
        # Of DAGs by day, which have few, all: one that has published nothing for weeks is later each day.
        .where(
            (AssetEvent.timestamp >= now - timedelta(days=SHOWN_DAYS))
            | AssetEvent.source_dag_id.in_(_DAYS_OF)
        )
        .order_by(AssetEvent.timestamp)
    )
    rows, newest = defaultdict[str, dict[date, int]](dict), dict[str, tuple[datetime, str, date | None]]()
    for dag_id, run_id, emitted, extra in _rows(session, asked):
        time = _utc(emitted) or now
        named = _day_of(extra)
        by_day, day = named is not None and dag_id in _DAYS_OF, named or time.date()
        for table, count in _counts(dag_id, extra):
            rows[table][day] = count if by_day else rows[table].get(day, 0) + count
            whole = newest[table][2] if table in newest else None
            if by_day and time >= midnight_after(day):
                whole = max(day, whole or day)
            newest[table] = (time, str(run_id), whole)
    return Published(
        tuple(
            PublishedTable(
                table,
                DAG_OF_TABLE[table],
                midnight_after(whole) if whole else None,
                time,
                run_id,
                rows[table],
                by_day=DAG_OF_TABLE[table] in _DAYS_OF,
                first_day=min(rows[table], default=None),
            )
            for table, (time, run_id, whole) in sorted(newest.items())
        )
    )


def _day_of(extra: Any) -> date | None:
    with suppress(TypeError, KeyError, ValueError):
        return date.fromisoformat(extra["day"])
    return None


def _counts(dag_id: str, extra: Any) -> Iterable[tuple[str, int]]:
    """Return rows by table: of an event that counts one table only, those of the DAG's own."""
    counted = extra.get("rows") if isinstance(extra, Mapping) else None
    if isinstance(counted, int):
        counted = {table: counted for table, owner in DAG_OF_TABLE.items() if owner == dag_id}
    if isinstance(counted, Mapping):
        yield from ((name, count) for name, count in counted.items() if DAG_OF_TABLE.get(name) == dag_id)


def _last_runs(session: Any, dag_ids: tuple[str, ...]) -> dict[str, LastRun]:
    ended = (
        select(DagRun.dag_id, func.max(DagRun.end_date))
        .where(DagRun.dag_id.in_(dag_ids), DagRun.state.in_(FINISHED))
        .group_by(DagRun.dag_id)
    )
    newest = {dag_id: end for dag_id, end in _rows(session, ended) if end}
    asked = select(DagRun.dag_id, DagRun.run_id, DagRun.state, DagRun.start_date, DagRun.end_date)
    found = _rows(session, asked.where(DagRun.end_date.in_(newest.values()))) if newest else ()
    return {
        dag_id: LastRun(dag_id, run_id, _state(state), end, (end - (_utc(start) or end)).total_seconds())
        for dag_id, run_id, state, start, ended_at in found
        if ended_at == newest.get(dag_id) and (end := _utc(ended_at))
    }


def _last_tasks(session: Any, runs: Iterable[LastRun]) -> Iterable[TaskCost]:
    for run in runs:  # each by its index: one query for all of them would read every task
        asked = select(
            TaskInstance.task_id, func.max(TaskInstance.duration), func.sum(TaskInstance.try_number)
        ).where(TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id)
        for task_id, seconds, tries in _rows(session, asked.group_by(TaskInstance.task_id)):
            yield TaskCost(run.dag_id, task_id, float(seconds or 0), int(tries or 0))


def _runs(session: Any, dag_ids: Mapping[str, bool], *conditions: Any) -> dict[tuple[str, str], int]:
    asked = select(DagRun.dag_id, DagRun.state, func.count()).where(*conditions)
    found = _rows(session, asked.group_by(DagRun.dag_id, DagRun.state))
    return {(dag_id, _state(state)): count for dag_id, state, count in found if dag_id in dag_ids}


def _failures(session: Any, dag_ids: Mapping[str, bool], since: datetime) -> dict[tuple[str, str], int]:
    asked = select(TaskInstance.dag_id, TaskInstance.task_id, func.count()).where(
        TaskInstance.state == "failed", TaskInstance.end_date >= since
    )
    found = _rows(session, asked.group_by(TaskInstance.dag_id, TaskInstance.task_id))
    return {(dag_id, task_id): count for dag_id, task_id, count in found if dag_id in dag_ids}


def _repeats(session: Any, dag_ids: Mapping[str, bool], since: datetime) -> dict[str, int]:
    found = _rows(session, _count(TaskInstanceHistory.dag_id, TaskInstanceHistory.end_date >= since))
    return {dag_id: count for dag_id, count in found if dag_id in dag_ids}


def _pools(session: Any) -> dict[tuple[str, str], int]:
    pools = {(pool, "total"): slots for pool, slots in _rows(session, select(Pool.pool, Pool.slots))}
    pools |= {(pool, state): 0 for pool, _ in tuple(pools) for state in OPEN_RUNS}
    taken = select(TaskInstance.pool, TaskInstance.state, func.sum(TaskInstance.pool_slots))
    taken = taken.where(TaskInstance.state.in_(OPEN_RUNS)).group_by(TaskInstance.pool, TaskInstance.state)
    return pools | {(pool, _state(state)): int(slots) for pool, state, slots in _rows(session, taken)}


def _heartbeats(session: Any) -> dict[str, datetime]:
    asked = select(Job.job_type, func.max(Job.latest_heartbeat)).where(Job.job_type.in_(COMPONENTS))
    found = _rows(session, asked.group_by(Job.job_type))
    return {COMPONENTS[kind]: time for kind, beat in found if (time := _utc(beat))}


def _count(column: Any, condition: Any) -> Any:
    return select(column, func.count()).where(condition).group_by(column)


def _rows(session: Any, asked: Any) -> Any:
    return session.execute(asked).all()


def _state(state: Any) -> str:
    return str(getattr(state, "value", state))


def _utc(time: datetime | None) -> datetime | None:
    return time.astimezone(UTC) if time else None
