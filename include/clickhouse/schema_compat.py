"""Compatibility with other versions of the project, which know fewer columns of a table, or more.

Migrations only add columns, as the last ones of a table. So a table that an older version loaded lacks some
at its end, and a day that another version published was hashed over the first so many.
"""

from __future__ import annotations

from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.fingerprint import Fingerprint, fingerprint
from include.staging.tables import StagedTable
from include.staging.units import PartitionValue


def has_columns_of(clickhouse: ClickHouse, table: str, staging_table: str) -> bool:
    """Tell whether the staging table has the columns that `table` has now."""
    return dict(_columns(clickhouse, table)) == dict(_columns(clickhouse, staging_table))


def fingerprint_as_published(
    clickhouse: ClickHouse, table: StagedTable, partition: PartitionValue | None, published: Fingerprint
) -> Fingerprint:
    """Return what readers see of a partition (a day), hashed over the columns that its publisher knew.

    Where no number of columns gives what was published, those of `table` count.
    """
    found = fingerprint(clickhouse, table, partition)
    if found == published or found.rows != published.rows:
        return found
    columns = _columns(clickhouse, table.name)
    for known in range(len(columns), 1, -1):  # no table has ever had one column
        other_version = table.model_copy(update={"columns": dict(columns[:known])})
        seen = fingerprint(clickhouse, other_version, partition)
        if seen == published:
            return seen
    return found


def _columns(clickhouse: ClickHouse, table: str) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind, *_ in clickhouse.execute(f"DESCRIBE TABLE {quoted(table)}")]
