"""Loads one staged part into a staging table of its own: the third of the four steps of a day."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict

from include.clickhouse.client import ClickHouse, insert_rows, quoted
from include.clickhouse.cluster import connect_to_unit
from include.clickhouse.errors import DayMismatch
from include.clickhouse.load_text import load_text
from include.clickhouse.reading_ahead import read_ahead
from include.clickhouse.staging_tables import create_staging_table, staging_table_name
from include.staging.files import StagingPath
from include.staging.manifest import Manifest
from include.staging.ndjson_parts import read_batches
from include.staging.tables import Part

log = logging.getLogger(__name__)

# Rows/s as a share of this size's: 10,000 -> 0.8 to 1.0, 50,000 -> 0.9 to 1.1, 200,000 -> 0.9; the process
# peaks at 166 MiB (make bench). Each batch is a data part, which the server has to merge.
BATCH_ROWS = 100_000


class StagedPart(BaseModel):
    """A part that is in ClickHouse, not yet visible. Attributes: table; file; staging_table; rows."""

    model_config = ConfigDict(frozen=True)
    table: str
    file: str
    staging_table: str
    rows: int


def load_part(
    clickhouse: ClickHouse,
    directory: StagingPath,
    manifest: Manifest,
    *,
    table: str,
    file: str,
    attempt: str,
    batch_rows: int = BATCH_ROWS,
) -> StagedPart:
    """Insert a part by batches into a staging table of this try, and have the server count it.

    What the rows say is proved when they are published, once for all parts; of text, which nobody has looked
    at before, it is proved here too.

    Args: directory, where the run's staging files are; table and file, which part; attempt, text that no
        other try uses; batch_rows, at once in memory (twice) and in an INSERT.
    Raises: StagingFileMissing, StagingFileDamaged; BadRow, of text; DayMismatch; ClickHouseError.
    """
    part = manifest.part(table, file)
    staged = manifest.tables[table]
    name = staging_table_name(table, manifest.run_id, f"{file} {attempt}")
    connect_to_unit(clickhouse, [parts.table for parts in manifest.tables.values()], manifest.unit)
    create_staging_table(clickhouse, table, name)
    path = directory / part.file
    if staged.table.form == "text":
        load_text(clickhouse, path, manifest, table, part, name)
    else:
        batches = read_batches(path, staged.table, part, batch_rows, manifest.task)
        with _garbage_collection_paused():
            insert_rows(clickhouse, name, list(staged.table.columns), read_ahead(batches))
        _require_count(clickhouse, name, manifest, part)
    log.info("%s: %d rows of %s are in %s", clickhouse.where, part.rows, part.file, name)
    return StagedPart(table=table, file=file, staging_table=name, rows=part.rows)


def _require_count(clickhouse: ClickHouse, name: str, manifest: Manifest, part: Part) -> None:
    ((arrived,),) = clickhouse.execute(f"SELECT count() FROM {quoted(name)}")
    if arrived != part.rows:
        reason = f"{arrived} of {part.rows} rows of {part.file} arrived"
        raise DayMismatch(clickhouse.where, name, manifest.unit.name, reason, "run the task again")


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Spare the collector a look at millions of tuples that cannot form a cycle."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
