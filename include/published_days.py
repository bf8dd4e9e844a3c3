"""Days that people expect in the morning and that are missing, or not as they were published."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta

from attrs import define

from include.clickhouse.client import ClickHouse
from include.clickhouse.errors import CLEAR_LOAD
from include.clickhouse.fingerprint import expected_fingerprint
from include.clickhouse.loads import RecordedLoad, recorded_load
from include.clickhouse.schema_compat import fingerprint_as_published
from include.github.commits.source import NOT_KNOWN
from include.github.tables import AUTHORS_COMMITS, OUTCOMES, POSITIONS
from include.phrase_views.gains import BY_HOUR, NEXT_STEP
from include.staging.tables import StagedTable
from include.text import safe_repr

# Tables by day only: of `repositories`, whose rows have none, `loads` says nothing.
TABLES: Mapping[str, tuple[StagedTable, ...]] = {
    "github_top_repositories": (POSITIONS, AUTHORS_COMMITS, OUTCOMES),
    "phrase_views_report": (BY_HOUR,),
}
# What mends a day that changed after it was published, in the run that published it.
MENDED_BY = {"github_top_repositories": CLEAR_LOAD, "phrase_views_report": NEXT_STEP}
DEFAULT_HOURS = dict.fromkeys(TABLES, 6)
LAST_HOUR = 23

log = logging.getLogger(__name__)


@define(slots=False)
class NotPublished(Exception):
    """A day that is due is not in sight. Attributes: where; day; missing: by DAG, what is wrong with it."""

    where: str
    day: date
    missing: dict[str, str]

    def __str__(self) -> str:
        each = "; ".join(f"{dag_id}: {problem}" for dag_id, problem in self.missing.items())
        return (
            f"{self.where}: day {self.day} is due and is not there as published. {each}. "
            "Next: look at that DAG's run of the day: paused, late, red, or never started?"
        )


def read_hours(text: str) -> dict[str, int]:
    """Return the hour (UTC) by which each watched DAG has to have published the day before; "" is 6 for all.

    Raises: ValueError for what is no JSON object of DAGs that publish days, and hours from 0 to 23.
    """
    if not text.strip():
        return DEFAULT_HOURS
    try:
        hours = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(hours, dict):
        raise ValueError(f"no JSON object like {json.dumps(DEFAULT_HOURS)}")  # noqa: TRY004 - as json.loads
    for dag_id, hour in hours.items():
        if dag_id not in TABLES:
            raise ValueError(f"{safe_repr(dag_id)} publishes no days; {', '.join(TABLES)} do")
        if type(hour) is not int or not 0 <= hour <= LAST_HOUR:
            raise ValueError(f"{dag_id} is {safe_repr(hour)}: allowed is an hour (UTC), 0 to {LAST_HOUR}")
    return hours


def require_published(clickhouse: ClickHouse, day: date, dag_ids: Iterable[str]) -> dict[str, int]:
    """Require the day of each DAG to be in `loads`, and in its tables as `loads` says; return rows by table.

    Repositories whose commits are not known, such as forbidden ones, are told, and counted too, as
    "repositories_outcomes.forbidden": it is for people to say whether they can be missed.

    Raises: NotPublished, which names all that is missing; ClickHouseError.
    """
    migrated = clickhouse.execute("EXISTS TABLE loads")[0][0]
    missing: dict[str, str] = {}
    rows: dict[str, int] = {}
    for dag_id in dag_ids:
        for table in TABLES[dag_id]:
            recorded = recorded_load(clickhouse, table.name, day) if migrated else None
            problem = _problem(clickhouse, table, day, recorded, MENDED_BY[dag_id])
            if problem:
                missing.setdefault(dag_id, problem)
            elif recorded:
                rows[table.name] = recorded.rows
    if missing:
        raise NotPublished(clickhouse.where, day, missing)
    return rows | _not_known(clickhouse, day) if OUTCOMES.name in rows else rows


def _not_known(clickhouse: ClickHouse, day: date) -> dict[str, int]:
    found = clickhouse.execute(
        f"SELECT outcome, count(), min(repo) FROM {OUTCOMES.name} "
        "WHERE date = toDate(%(day)s) AND outcome IN %(not_known)s GROUP BY outcome ORDER BY outcome",
        {"day": day, "not_known": NOT_KNOWN},
    )
    for outcome, count, example in found:
        log.warning("day %s: commits of %d repositories are not known: %s (%s)", day, count, outcome, example)
    return {f"{OUTCOMES.name}.{outcome}": count for outcome, count, _ in found}


def _problem(
    clickhouse: ClickHouse, table: StagedTable, day: date, recorded: RecordedLoad | None, mended_by: str
) -> str:
    if recorded is None:
        return f"loads has no row for table {table.name}"
    if recorded.published_at < datetime.combine(day + timedelta(days=1), time.min, UTC):
        return (
            f"table {table.name} was published by run {recorded.run_id} at {recorded.published_at}, before "
            "the day was over: run it once more for that day"
        )
    published = expected_fingerprint(recorded)
    found = fingerprint_as_published(clickhouse, table, day.isoformat(), published)
    if found == published:
        return ""
    same = found.rows == recorded.rows
    held = "other values than" if same else f"{found.rows} rows, not the {recorded.rows} that"
    return f"table {table.name} holds {held} run {recorded.run_id} published: {mended_by} in that run"
