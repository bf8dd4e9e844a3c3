"""What ClickHouse knows of published tables: `loads`, `loads_by_unit`, ledgers, `runs`. Read, never written.

A database that no run has used yet has none of these tables, and an older one not all of them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from include.clickhouse.client import ClickHouse
from include.clickhouse.errors import NoDatabase
from include.monitoring.facts import (
    SHOWN_DAYS,
    GitHubRun,
    Ledger,
    Published,
    PublishedTable,
    Synced,
    midnight_after,
)
from include.monitoring.tables import DAG_OF_SHOP, DAG_OF_TABLE, SHOP

# A day that was published before it was over is not whole. `loads` has few rows: one for each table and day.
_DAYS = """
SELECT `table`, toUnixTimestamp(max(published_at)), argMax(run_id, published_at),
    maxIf(date, toDate(published_at, 'UTC') > date), countIf(toDate(published_at, 'UTC') > date), min(date)
FROM loads GROUP BY `table` ORDER BY `table`
"""
_ROWS_OF_DAYS = """
SELECT `table`, date, rows FROM loads FINAL WHERE date >= toDate(%(since)s) ORDER BY `table`, date
"""
_UNITS = """
SELECT `table`, toUnixTimestamp(max(published_at)), argMax(run_id, published_at)
FROM loads_by_unit GROUP BY `table` ORDER BY `table`
"""
_ROWS_OF_UNITS = """
SELECT `table`, date, sum(rows) FROM loads_by_unit FINAL WHERE date >= toDate(%(since)s)
GROUP BY `table`, date ORDER BY `table`, date
"""
_TOPICS = """
SELECT dag_id, toUnixTimestamp(max(published_at)), argMax(run_id, published_at)
FROM kafka_offsets GROUP BY dag_id ORDER BY dag_id
"""
_ROWS_OF_TOPICS = """
SELECT dag_id, toDate(published_at, 'UTC') AS day, sum(rows) FROM kafka_offsets
WHERE toDate(published_at, 'UTC') >= toDate(%(since)s) GROUP BY dag_id, day ORDER BY dag_id, day
"""
_OFFSETS = """
SELECT dag_id, topic, epoch, `partition`, max(to_offset), toUnixTimestamp(max(published_at))
FROM kafka_offsets GROUP BY dag_id, topic, epoch, `partition` ORDER BY dag_id, topic, epoch, `partition`
"""
_SNAPSHOT = """
SELECT toUnixTimestamp(argMax(taken_at, version)), argMax(run_id, version), argMax(tables, version)
FROM source_snapshots
WHERE source = %(source)s HAVING count() > 0
"""
_AGGREGATES = """
SELECT `table`, toUnixTimestamp(max(aggregated_at)), argMax(run_id, aggregated_at)
FROM aggregated_days GROUP BY `table` ORDER BY `table`
"""
_ROWS_OF_AGGREGATES = """
SELECT `table`, date, rows FROM aggregated_days FINAL WHERE date >= toDate(%(since)s) ORDER BY `table`, date
"""
_GITHUB = """
SELECT dag_id, run_id, toUnixTimestamp(planned_at), toUnixTimestamp(finished_at), requests_planned, requests,
    points_planned, points, seconds_planned, seconds, seconds_waited, retries, unchanged, quota_left, fits
FROM runs FINAL ORDER BY greatest(planned_at, finished_at) DESC LIMIT 1
"""


def read_published(clickhouse: ClickHouse, now: datetime) -> Published:
    """Return what is published: nothing where no run has made the database yet. Raises: ClickHouseError."""
    try:
        found = clickhouse.execute("SELECT name FROM system.tables WHERE database = currentDatabase()")
    except NoDatabase:
        return Published()
    names = {name for (name,) in found}
    since = {"since": (now.date() - timedelta(days=SHOWN_DAYS)).isoformat()}
    tables = list[PublishedTable]()
    if "loads" in names:
        tables += _days(clickhouse, since)
    for name, newest, rows in (
        ("loads_by_unit", _UNITS, _ROWS_OF_UNITS),
        ("kafka_offsets", _TOPICS, _ROWS_OF_TOPICS),
        ("aggregated_days", _AGGREGATES, _ROWS_OF_AGGREGATES),
    ):
        if name in names:
            tables += _units(clickhouse, newest, rows, since)
    return Published(
        tables=tuple(tables),
        github=_github(clickhouse) if "runs" in names else None,
        ledgers=_ledgers(clickhouse, now) if "kafka_offsets" in names else (),
        synced=_synced(clickhouse) if "source_snapshots" in names else (),
    )


def _days(clickhouse: ClickHouse, since: dict[str, str]) -> Iterable[PublishedTable]:
    rows = _by_table(clickhouse.execute(_ROWS_OF_DAYS, since))
    for table, seconds, run_id, newest, whole, first in clickhouse.execute(_DAYS):
        until = midnight_after(newest) if whole else None
        dag_id = DAG_OF_TABLE.get(table, "")
        published_at = _instant(seconds)
        yield PublishedTable(
            table, dag_id, until, published_at, run_id, rows[table], by_day=True, first_day=first
        )


def _units(
    clickhouse: ClickHouse, newest: str, of_days: str, since: dict[str, str]
) -> Iterable[PublishedTable]:
    rows = _by_table(clickhouse.execute(of_days, since))
    for table, seconds, run_id in clickhouse.execute(newest):
        yield PublishedTable(table, DAG_OF_TABLE.get(table, ""), None, _instant(seconds), run_id, rows[table])


def _by_table(found: Iterable[tuple[str, date, int]]) -> dict[str, dict[date, int]]:
    rows = defaultdict[str, dict[date, int]](dict)
    for table, day, count in found:
        rows[table][day] = count
    return rows


def _synced(clickhouse: ClickHouse) -> tuple[Synced, ...]:
    found = clickhouse.execute(_SNAPSHOT, {"source": SHOP})
    return tuple(
        Synced(DAG_OF_SHOP, SHOP, _instant(taken_at), run_id, tuple(sorted(json.loads(tables))))
        for taken_at, run_id, tables in found
    )


def _ledgers(clickhouse: ClickHouse, now: datetime) -> tuple[Ledger, ...]:
    """Return those of topics that were read in the last days, and of each DAG the one that it read last.

    A topic that was tried once is not waited for for ever.
    """
    read_at = dict[tuple[str, str], datetime]()
    newest = dict[tuple[str, str], tuple[int, dict[int, int]]]()
    for dag_id, topic, epoch, partition, offset, seconds in clickhouse.execute(_OFFSETS):
        known, offsets = newest.get((dag_id, topic), (epoch, {}))
        newest[dag_id, topic] = (epoch, (offsets if known == epoch else {}) | {partition: offset})
        read_at[dag_id, topic] = max(read_at.get((dag_id, topic), _instant(0)), _instant(seconds))
    last = {dag_id: topic for _, dag_id, topic in sorted((at, *names) for names, at in read_at.items())}
    since = now - timedelta(days=SHOWN_DAYS)
    return tuple(
        Ledger(dag_id, topic, offsets)
        for (dag_id, topic), (_, offsets) in newest.items()
        if read_at[dag_id, topic] >= since or last[dag_id] == topic
    )


def _github(clickhouse: ClickHouse) -> GitHubRun | None:
    for dag_id, run_id, planned, finished, *numbers in clickhouse.execute(_GITHUB):
        return GitHubRun(dag_id, run_id, _instant(planned), _instant(finished), *numbers)
    return None


def _instant(seconds: Any) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
