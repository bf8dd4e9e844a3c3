"""The table `runs`: what each run was expected to cost, and what it did."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from pydantic import JsonValue

from include.clickhouse.client import ClickHouse, insert_rows, quoted
from include.clickhouse.cluster import await_replicas
from include.clickhouse.errors import Refused
from include.errors import facts_of
from include.github.plan import COMMITS_PER_PAGE, Plan
from include.github.tables import OUTCOMES
from include.staging.manifest import Manifest

RUNS = "runs"
_UNKNOWN_TABLE = 60
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_QUOTA_NOT_TOLD = -1

log = logging.getLogger(__name__)


class RecordedRun(NamedTuple):
    """A row of `runs`: its columns, see the migration. Times are aware, UTC."""

    dag_id: str
    run_id: str
    date: date
    top: int = 0
    api: str = ""
    plan_only: int = 0
    planned_at: datetime = _NEVER
    requests_planned: int = 0
    points_planned: int = 0
    seconds_planned: int = 0
    quota_left: int = _QUOTA_NOT_TOLD
    fits: int = 1
    finished_at: datetime = _NEVER
    requests: int = 0
    points: int = 0
    retries: int = 0
    unchanged: int = 0
    seconds: int = 0
    seconds_waited: int = 0

    @property
    def is_planned(self) -> bool:
        """Whether there is a plan: a version before this made none."""
        return self.planned_at > _NEVER

    @property
    def is_finished(self) -> bool:
        """Whether the run has published."""
        return self.finished_at > _NEVER


def record_plan(
    clickhouse: ClickHouse,
    run: Mapping[str, str],
    day: date,
    top: int,
    plan: Plan,
    *,
    plan_only: bool,
    check_lease: Callable[[], None],
) -> None:
    """Write down the plan of a run (dag_id, run_id).

    One that was made before anything was asked stays: this one is of the rest. So does what the run has cost.
    """
    before = _row_of(clickhouse, run, day)
    if before.is_planned and plan.work.finished:
        return
    row = before._replace(
        date=day,
        top=top,
        api=plan.api,
        plan_only=int(plan_only),
        planned_at=plan.planned_at,
        requests_planned=plan.requests,
        points_planned=plan.points,
        seconds_planned=plan.seconds,
        quota_left=_QUOTA_NOT_TOLD if plan.quota_left is None else plan.quota_left,
        fits=int(plan.fits),
    )
    _write(clickhouse, row, check_lease)


def record_cost(
    clickhouse: ClickHouse, manifest: Manifest, finished_at: datetime, check_lease: Callable[[], None]
) -> None:
    """Write what a published run has cost beside its plan: the manifest's facts, by whatever try."""
    facts = manifest.facts
    before = _row_of(clickhouse, {"dag_id": manifest.dag_id, "run_id": manifest.run_id}, manifest.day)
    ranked_at = datetime.fromisoformat(str(facts.get("ranked_at", manifest.written_at.isoformat())))
    begun_at = before.planned_at if before.is_planned else ranked_at
    row = before._replace(
        top=_number(facts.get("top")),
        finished_at=finished_at,
        requests=_number(facts.get("requests")),
        points=_number(facts.get("points")),
        retries=_number(facts.get("retries")),
        unchanged=_number(facts.get("unchanged")),
        seconds=max(0, round((manifest.written_at - begun_at).total_seconds())),
        seconds_waited=_number(facts.get("waited_s")),
    )
    _write(clickhouse, row, check_lease)


def read_run(clickhouse: ClickHouse, day: date, run_id: str) -> RecordedRun | None:
    """Return the row of the run that published a day; None where a version before this did."""
    return _read(clickhouse, "date = toDate(%(date)s) AND run_id = %(run_id)s", date=day, run_id=run_id)


def extra_pages_of_a_repository(clickhouse: ClickHouse) -> float:
    """Return how many pages beyond the first a repository took on the newest published day; 0 without one."""
    ((day, published),) = clickhouse.execute(
        "SELECT max(date), count() FROM loads FINAL WHERE `table` = %(table)s", {"table": OUTCOMES.name}
    )
    if not published:
        return 0.0
    ((pages, asked),) = clickhouse.execute(
        f"SELECT sum(intDiv(if(commits > 0, commits - 1, 0), {COMMITS_PER_PAGE})), count() "
        f"FROM {OUTCOMES.name} WHERE date = toDate(%(day)s) AND outcome != 'unpushed'",
        {"day": day},
    )
    return float(pages / asked) if asked else 0.0


def _row_of(clickhouse: ClickHouse, run: Mapping[str, str], day: date) -> RecordedRun:
    same = "dag_id = %(dag_id)s AND run_id = %(run_id)s"
    return _read(clickhouse, same, **run) or RecordedRun(run["dag_id"], run["run_id"], day)


def _write(clickhouse: ClickHouse, row: RecordedRun, check_lease: Callable[[], None]) -> None:
    try:
        check_lease()
        insert_rows(clickhouse, RUNS, RecordedRun._fields, [[row]])
    except Refused as error:
        if error.code != _UNKNOWN_TABLE:
            raise
        log.warning(
            "%s. This run began before the table was made: what it costs is not kept", facts_of(error)
        )
        return
    await_replicas(clickhouse, RUNS)


def _read(clickhouse: ClickHouse, condition: str, **bound: object) -> RecordedRun | None:
    columns = ", ".join(map(quoted, RecordedRun._fields))
    try:
        rows = clickhouse.execute(f"SELECT {columns} FROM {RUNS} FINAL WHERE {condition}", bound)
    except Refused as error:
        if error.code != _UNKNOWN_TABLE:
            raise
        return None
    found = [RecordedRun(*map(_aware, row)) for row in rows]
    return max(found, key=lambda run: run.finished_at, default=None)  # two DAGs may have one run_id


def _aware(value: object) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _number(value: JsonValue) -> int:
    return round(value) if isinstance(value, int | float) else 0
