"""The aggregates of the shop by day: which days are made anew, and how.

A day is made anew when what it is made from has changed, whatever has changed it: a late row, a deleted one,
a sale that moved to another day, a category of another name. Each day's rows are counted and hashed for that,
and compared with what is written in `aggregated_days`. While none of the tables has moved, nothing is read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from attrs import define

from include.clickhouse.client import ClickHouse, insert_rows, quoted
from include.clickhouse.cluster import await_replicas
from include.clickhouse.errors import ClickHouseError
from include.clickhouse.fingerprint import fingerprints_by_day
from include.clickhouse.partitions import OLD_PARTS_WAIT_S, await_removal_of_old_parts
from include.clickhouse.replaced_days import replace_days
from include.clickhouse.staging_tables import drop_abandoned_staging_tables, drop_staging_tables
from include.errors import PermanentError
from include.staging.tables import StagedTable

log = logging.getLogger(__name__)

NEXT_STEP = "start a run of shop_sync with full_check, which makes the day anew"
LARGEST = 10**18  # hundredths: what Decimal(18,2) does not hold any more
SESSIONS = "user_sessions"
DAILY_SALES = StagedTable(
    name="daily_sales_aggregation",
    columns={
        "date": "Date",
        "dimension": "String",
        "id": "Int64",
        "name": "String",
        "total_sales": "UInt64",
        "total_quantity": "Int64",
        "total_revenue": "Decimal(18,2)",
    },
    key=("dimension", "id"),
    form="none",
)
USER_ACTIVITY = StagedTable(
    name="user_activity_aggregation",
    columns={
        "date": "Date",
        "user_id": "String",
        "total_sessions": "UInt64",
        "total_clicks": "UInt64",
        "avg_clicks_per_session": "Float64",
        "cart_adds": "UInt64",
        "purchases": "UInt64",
        "revenue": "Decimal(18,2)",
    },
    key=("user_id",),
    form="none",
)


@define(slots=False)
class RevenueTooLarge(ClickHouseError, PermanentError):
    """The revenue of a day may be more than its column holds. Attributes: where; table; day; revenue."""

    where: str
    table: str
    day: date
    revenue: float

    def __str__(self) -> str:
        return (
            f"{self.where}, table {self.table}, day {self.day}: quantities times prices come to "
            f"{self.revenue:.0f}, and its column holds less than 10^16. Next: find the sale of "
            "that day whose quantity or price is wrong, correct it in the source, then start a run"
        )


class Aggregate(NamedTuple):
    """A table by day that is computed. Attributes: table; sql, name of its files; inputs, tables."""

    table: StagedTable
    sql: str
    inputs: tuple[str, ...]


class Rebuilt(NamedTuple):
    """What was done to an aggregate. Attributes: days made anew; days that it has; rows of the new ones."""

    days: list[date]
    of: int
    rows: int


AGGREGATES = (
    Aggregate(DAILY_SALES, "daily_sales", ("shop_sales", "shop_products", "shop_sellers", "shop_categories")),
    Aggregate(USER_ACTIVITY, "user_activity", ("shop_sales", "shop_cart_items", SESSIONS)),
)


def aggregate(
    clickhouse: ClickHouse,
    run_id: str,
    attempt: str,
    *,
    now: Callable[[], datetime],
    check_lease: Callable[[], None] = lambda: None,
    full: bool = False,
    old_parts_wait_s: float = OLD_PARTS_WAIT_S,
) -> dict[str, Rebuilt]:
    """Make the days anew whose input has changed; return what was done, by table.

    Safe to repeat and to kill at any point. A reader finds each day as it was or as it is now.

    Args: full: look at each day even where no table has moved, and mend days that are not as published.
    Raises: RevenueTooLarge; DayMismatch; ClickHouseError; what `check_lease` raises.
    """
    done = {}
    for each in AGGREGATES:
        moved = _how_far(clickhouse, each)
        if not full and moved == _made_from(clickhouse, each.table.name):
            log.info("table %s: nothing that it is made from has changed", each.table.name)
            done[each.table.name] = Rebuilt([], 0, 0)
            continue
        done[each.table.name] = _rebuild(
            clickhouse, each, run_id, attempt, now=now, check_lease=check_lease, full=full
        )
        row = {"table": each.table.name, "inputs": moved, "run_id": run_id, "aggregated_at": now()}
        _insert(clickhouse, "aggregated_inputs", [row])
    changed = [table for table, rebuilt in done.items() if rebuilt.days]
    await_removal_of_old_parts(clickhouse, changed, old_parts_wait_s)
    drop_staging_tables(clickhouse, done, run_id)
    drop_abandoned_staging_tables(clickhouse)
    return done


def _rebuild(
    clickhouse: ClickHouse,
    each: Aggregate,
    run_id: str,
    attempt: str,
    *,
    now: Callable[[], datetime],
    check_lease: Callable[[], None],
    full: bool,
) -> Rebuilt:
    inputs, known = day_inputs(clickhouse, each), _recorded(clickhouse, each.table.name)
    days = {day for day in inputs.keys() | known.keys() if inputs.get(day) != known.get(day)}
    if full:
        days |= _damaged(clickhouse, each.table)

    def rows_of(some: Sequence[date]) -> tuple[str, dict[str, object]]:
        return _sql(each.sql), {"days": tuple(day.isoformat() for day in some)}

    rows = replace_days(
        clickhouse, each.table, days, rows_of,
        run_id=run_id, attempt=attempt, now=now, check_lease=check_lease, next_step=NEXT_STEP,
    )  # fmt: skip
    check_lease()
    made_at = now()
    records = [
        {
            "table": each.table.name,
            "date": day,
            "input_rows": inputs.get(day, (0, 0))[0],
            "input_checksum": inputs.get(day, (0, 0))[1],
            "rows": count,
            "run_id": run_id,
            "aggregated_at": made_at,
        }
        for day, count in rows.items()
    ]
    _insert(clickhouse, "aggregated_days", records)
    log.info("table %s: %d of %d days made anew", each.table.name, len(days), len(inputs))
    return Rebuilt(sorted(days), len(inputs), sum(rows.values()))


def day_inputs(clickhouse: ClickHouse, each: Aggregate) -> dict[date, tuple[int, int]]:
    """Return of each day that has any: how many rows it is made from, and their hash.

    Raises: RevenueTooLarge.
    """
    found = {}
    for day, rows, checksum, reach in clickhouse.execute(_sql(f"{each.sql}_input")):
        if reach >= LARGEST:
            raise RevenueTooLarge(clickhouse.where, each.table.name, day, reach / 100)
        found[day] = (rows, checksum)
    return found


def _sql(name: str) -> str:
    return (Path(__file__).parent / f"{name}.sql").read_text()


def _how_far(clickhouse: ClickHouse, each: Aggregate) -> str:
    """Return a text that is another one when any row of the inputs has changed: versions only grow."""
    texts = []
    for table in each.inputs:
        newest = "toUnixTimestamp(max(published_at))" if table == SESSIONS else "max(_version)"
        rows = table if table == SESSIONS else f"{table}_versions"
        ((count, last),) = clickhouse.execute(f"SELECT count(), {newest} FROM {quoted(rows)}")
        texts.append(f"{table} {count} {last}")
    return ", ".join(texts)


def _made_from(clickhouse: ClickHouse, table: str) -> str:
    query = "SELECT inputs FROM aggregated_inputs FINAL WHERE `table` = %(table)s"
    found = clickhouse.execute(query, {"table": table})
    return str(found[0][0]) if found else ""


def _recorded(clickhouse: ClickHouse, table: str) -> dict[date, tuple[int, int]]:
    rows = clickhouse.execute(
        "SELECT date, input_rows, input_checksum FROM aggregated_days FINAL "
        "WHERE `table` = %(table)s AND input_rows > 0",
        {"table": table},
    )
    return {day: (count, checksum) for day, count, checksum in rows}


def _damaged(clickhouse: ClickHouse, table: StagedTable) -> set[date]:
    """Return the days that readers do not find as `loads` says that they were published."""
    query = "SELECT date, rows, checksum FROM loads FINAL WHERE `table` = %(table)s AND rows > 0"
    published = {day: facts for day, *facts in clickhouse.execute(query, {"table": table.name})}
    seen = {day: [f.rows, f.checksum] for day, f in fingerprints_by_day(clickhouse, table).items()}
    return {day for day in published.keys() | seen.keys() if published.get(day) != seen.get(day)}


def _insert(clickhouse: ClickHouse, table: str, rows: Iterable[dict[str, object]]) -> None:
    """Insert rows that count from now on: what is there has an earlier time, whatever clocks say."""
    rows = list(rows)
    if not rows:
        return
    ((newest,),) = clickhouse.execute(f"SELECT toUnixTimestamp(max(aggregated_at)) FROM {quoted(table)}")
    for row in rows:
        at = row["aggregated_at"]
        assert isinstance(at, datetime)  # noqa: S101 - of our own rows
        row["aggregated_at"] = datetime.fromtimestamp(max(int(at.timestamp()), newest + 1), UTC)
    insert_rows(clickhouse, table, list(rows[0]), [[list(row.values()) for row in rows]])
    await_replicas(clickhouse, table)
