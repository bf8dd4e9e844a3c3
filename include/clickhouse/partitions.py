"""Replaces a partition of a table: readers see the old day, or hour, or the new one, never a part of it.

A table without a PARTITION BY has one partition, `tuple()`: it is replaced whole.

Why this way and no other (tested on 18.16 and 26.9): DROP PARTITION and INSERT shows readers an empty day;
ATTACH PARTITION FROM doubles the day when it is repeated; REPLACE PARTITION is atomic and may be repeated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import date

from include.clickhouse.client import ClickHouse, beside_params, quoted
from include.clickhouse.cluster import await_replicas, each_server, rows_database, rows_of
from include.clickhouse.fingerprint import Fingerprint, expected_fingerprint
from include.clickhouse.loads import RecordedLoad, load_in_sight
from include.clickhouse.publication import Publication
from include.clickhouse.schema_compat import fingerprint_as_published
from include.staging.tables import StagedTable
from include.staging.units import Unit

log = logging.getLogger(__name__)

OLD_PARTS_WAIT_S = 60.0  # 10 s were measured on 18.16


def replace_partition(
    publication: Publication, table: StagedTable, source: str | None, expected: Fingerprint
) -> None:
    """Put the rows of the staging table `source` in the place of the unit's; `source` keeps its rows.

    Args: expected, what `source` holds: proved before and after; with 0 rows, `source` may be None and the
        partition is emptied.
    Raises: DayMismatch; ClickHouseError; what `check_lease` raises, right before the change, and again before
        it is repeated.
    """
    clickhouse, unit, name = publication.clickhouse, publication.unit, partition_name(table)
    if expected.rows and source:
        require_fingerprint(publication, table, expected, source)
        # One part, so that a crash inside REPLACE leaves all of the partition or nothing of it.
        merge = f"OPTIMIZE TABLE {quoted(source)} PARTITION {name} FINAL"
        clickhouse.execute(merge, {"partition": unit.partition})
    replace_proved_partition(publication, table, source, expected)
    await_replicas(clickhouse, table.name)
    require_fingerprint(publication, table, expected)
    log.info("%s: table %s, %s: %d rows published", clickhouse.where, table.name, unit.name, expected.rows)


def replace_proved_partition(
    publication: Publication, table: StagedTable, source: str | None, expected: Fingerprint
) -> None:
    """Replace the partition by that of `source`, which may have others and is known to hold what is expected.

    Args, Raises: as of replace_partition(); nothing is proved here.
    """
    name = partition_name(table)
    if expected.rows and source:
        change = f"REPLACE PARTITION {name} FROM {quoted(source)}"
    else:  # REPLACE from a table without the partition wipes the day on 18.16 and is refused on 26.9
        change = f"DROP PARTITION {name}"
    statement = f"ALTER TABLE {beside_params(rows_of(publication.clickhouse, table.name))} {change}"
    publication.execute_until_confirmed(statement, {"partition": publication.unit.partition})


def partition_name(table: StagedTable) -> str:
    """Return what names the partition of the unit in a statement; its value is bound."""
    return "tuple()" if table.replaced_whole else "%(partition)s"


def require_fingerprint(
    publication: Publication,
    table: StagedTable,
    expected: Fingerprint,
    source: str | None = None,
    *,
    keys_are_unique: bool = False,
) -> None:
    """Require the unit's rows in `table`, or all rows of the staging table `source`, to be what is expected.

    Args: keys_are_unique: of the rows that are expected, as far as those who staged them know.
    Raises: DayMismatch.
    """
    found = publication.fingerprint(table, source, keys_are_unique=keys_are_unique)
    if found != expected:
        raise publication.mismatch(table.name, f"{source or 'it'} holds {found}, expected {expected}")


def check_published(publication: Publication, table: StagedTable, expected: Fingerprint) -> int:
    """Compare what readers see of the unit, and its row in `loads`, with what this run published.

    A unit, or a whole table, that another run has published since must be what that run recorded. Returns the
    rows.

    Raises: DayMismatch.
    """
    clickhouse, unit = publication.clickhouse, publication.unit
    published = (expected.rows, expected.checksum)
    recorded = load_in_sight(clickhouse, table, unit.name)
    if recorded and recorded.run_id != publication.run_id and recorded[:2] != published:
        log.warning("table %s, %s: run %s has published it since", table.name, unit.name, recorded.run_id)
    elif recorded is None or recorded[:2] != published:
        reason = f"loads says {recorded}, this run published {published}"
        raise publication.mismatch(table.name, reason)
    _require_as_recorded(publication, table, recorded)
    return recorded.rows


def require_recorded(clickhouse: ClickHouse, table: StagedTable, day: date, next_step: str) -> RecordedLoad:
    """Require the day to be what its row in `loads` says, before something is made from it; return that row.

    Raises: DayMismatch.
    """
    read = Publication(clickhouse, Unit.of_day(day), run_id="", next_step=next_step)
    recorded = load_in_sight(clickhouse, table, day)
    if recorded is None:
        raise read.mismatch(table.name, "loads has no row of it")
    _require_as_recorded(read, table, recorded)
    return recorded


def await_removal_of_old_parts(
    clickhouse: ClickHouse, tables: Iterable[str], wait_s: float = OLD_PARTS_WAIT_S
) -> None:
    """Wait until replaced parts are off the disk: a server that restarts before brings them back.

    Source: https://github.com/ClickHouse/ClickHouse/issues/107605
    """
    bound = {"database": rows_database(clickhouse), "tables": tuple(tables)}
    if not clickhouse.is_server or not bound["tables"]:
        return
    old_parts = (
        "SELECT count() FROM system.parts "
        "WHERE database = %(database)s AND table IN %(tables)s AND NOT active"
    )
    until = time.monotonic() + wait_s
    while left := sum(each.execute(old_parts, bound)[0][0] for each in each_server(clickhouse)):
        if time.monotonic() > until:
            log.warning(
                "%s: %d replaced parts are still on disk; after a restart of the server run task check again",
                clickhouse.where,
                left,
            )
            return
        time.sleep(0.5)


def _require_as_recorded(publication: Publication, table: StagedTable, recorded: RecordedLoad) -> None:
    expected, partition = expected_fingerprint(recorded), publication.unit.partition
    if recorded.run_id != publication.run_id:  # whose texts may have escapes that those of this run had not
        table = table.model_copy(update={"escapes": True})
    found = fingerprint_as_published(publication.clickhouse, table, partition, expected)
    if found != expected:
        raise publication.mismatch(table.name, f"it holds {found}, expected {expected}")
