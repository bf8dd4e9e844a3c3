"""The table `loads`, for units other than days `loads_by_unit`: what is published, and by which run."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import NamedTuple

from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.cluster import await_replicas
from include.clickhouse.fingerprint import Fingerprint
from include.staging.tables import StagedTable
from include.staging.units import UNIT_NAME, Unit, UnitName

_VALUES = {"date": "toDate(%(date)s)", "published_at": "toDateTime(%(published_at)s, 'UTC')"}


class RecordedLoad(NamedTuple):
    """A row of `loads`: what of a unit is published. published_at is aware, UTC."""

    rows: int
    checksum: int
    run_id: str
    published_at: datetime


def record_load(
    clickhouse: ClickHouse,
    table: str,
    unit: Unit,
    published: Fingerprint,
    run_id: str,
    published_at: datetime,
    *,
    newest_of_all_units: bool = False,
) -> None:
    """Write the unit's row in `loads`; written twice, it counts once.

    The newest `published_at` counts, of the unit or of all units of the table, so it is made later than those
    that are there: clocks differ. A statement that arrives when another has published since writes nothing.
    """
    loads, key = _loads(unit.name)
    condition, newest = unless_published_since(clickhouse, table, unit.name, of_all_units=newest_of_all_units)
    row = {
        "table": table,
        "date": unit.day.isoformat(),
        key: str(unit.name),
        "rows": published.rows,
        "checksum": published.checksum,
        "run_id": run_id,
        "published_at": max(int(published_at.timestamp()), newest + 1),
    }
    values = ", ".join(_VALUES.get(column, f"%({column})s") for column in row)
    columns = ", ".join(map(quoted, row))
    insert = f"INSERT INTO {quoted(loads)} ({columns}) SELECT {values} WHERE {condition}"
    clickhouse.execute(insert, row)
    await_replicas(clickhouse, loads)


def recorded_load(clickhouse: ClickHouse, table: str, unit: UnitName) -> RecordedLoad | None:
    """Return what `loads` says is published, None where nothing is."""
    loads, key = _loads(unit)
    found = clickhouse.execute(
        f"SELECT rows, checksum, run_id, toUnixTimestamp(published_at) FROM {loads} FINAL "
        f"WHERE `table` = %(table)s AND {key} = %(unit)s",
        {"table": table, "unit": unit},
    )
    return _recorded(found)


def newest_load(clickhouse: ClickHouse, table: str, unit: UnitName = date.max) -> RecordedLoad | None:
    """Return the newest row for `table`, of any of its units, where units of this kind are."""
    loads, key = _loads(unit)
    found = clickhouse.execute(
        f"SELECT rows, checksum, run_id, toUnixTimestamp(published_at) FROM {loads} FINAL "
        f"WHERE `table` = %(table)s ORDER BY published_at DESC, {key} DESC LIMIT 1",
        {"table": table},
    )
    return _recorded(found)


def last_publisher(clickhouse: ClickHouse, table: str, unit: UnitName = date.max) -> str | None:
    """Return the run_id of the newest row for `table`, where units of this kind are; None without one."""
    newest = newest_load(clickhouse, table, unit)
    return newest.run_id if newest else None


def load_in_sight(clickhouse: ClickHouse, table: StagedTable, unit: UnitName) -> RecordedLoad | None:
    """Return what `loads` says of the rows that readers find where the unit is, or was."""
    find = newest_load if table.replaced_whole else recorded_load
    return find(clickhouse, table.name, unit)


def unless_published_since(
    clickhouse: ClickHouse, table: str, unit: UnitName, *, of_all_units: bool = False
) -> tuple[str, int]:
    """Return a condition, for a statement, and the newest `published_at` it stands for, as Unix seconds.

    The condition: no run has recorded the unit of `table`, or any of its units, in `loads` from now on. The
    server asks it when it begins with the statement. Who sent it may have lost the lease by then.
    """
    loads, key = _loads(unit)
    newest = f"SELECT toUnixTimestamp(max(published_at)) FROM {loads} WHERE `table` = '{table}'"
    newest += "" if of_all_units else f" AND {key} = '{unit}'"
    ((seconds,),) = clickhouse.execute(newest)
    return f"({newest}) = {seconds}", seconds


def _recorded(found: list[tuple[int, int, str, int]]) -> RecordedLoad | None:
    if not found:
        return None
    rows, checksum, run_id, published_at = found[0]
    return RecordedLoad(rows, checksum, run_id, datetime.fromtimestamp(published_at, UTC))


def _loads(unit: UnitName) -> tuple[str, str]:
    """Return the table that has a row of the unit, and its column that names the unit."""
    if isinstance(unit, date):
        return "loads", "date"
    if not re.fullmatch(UNIT_NAME, unit):  # it becomes SQL
        raise ValueError(f"{unit!r} is no name of a unit")
    return "loads_by_unit", "unit"
