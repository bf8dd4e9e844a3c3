"""Loads one staged part into a staging table of its own: the third of the four steps of a day."""

from __future__ import annotations

import logging

from pydantic import BaseModel, ConfigDict

from include.clickhouse.client import ClickHouse, insert_rows
from include.clickhouse.contents import Contents, contents
from include.clickhouse.errors import DayMismatch
from include.clickhouse.staging_tables import create_staging_table, staging_table_name
from include.staging.files import StagingPath
from include.staging.manifest import Manifest
from include.staging.tables import Part, StagedTable, read_batches

log = logging.getLogger(__name__)

BATCH_ROWS = 50_000


class StagedPart(BaseModel):
    """A part that is in ClickHouse, not yet visible. Attributes: table; file; staging_table; rows."""

    model_config = ConfigDict(frozen=True)
    table: str
    file: str
    staging_table: str
    rows: int


def load_part(
    clickhouse: ClickHouse, directory: StagingPath, manifest: Manifest, *, table: str, file: str, attempt: str
) -> StagedPart:
    """Insert a part by batches into a staging table of this try, and prove that all of it arrived.

    Args: directory, where the run's staging files are; table and file, which part; attempt, text that no
        other try uses. Memory is bounded by a batch.
    Raises: StagingFileMissing, StagingFileDamaged; DayMismatch; ClickHouseError.
    """
    staged = manifest.tables[table]
    part = next(part for part in staged.parts if part.file == file)
    name = staging_table_name(table, manifest.run_id, f"{file} {attempt}")
    create_staging_table(clickhouse, table, name)
    batches = read_batches(directory / part.file, staged.table, part, BATCH_ROWS)
    rows = insert_rows(clickhouse, name, list(staged.table.columns), batches)
    _prove(clickhouse, manifest, staged.table, part, name)
    log.info("%s: %d rows of %s are in %s", clickhouse.where, rows, part.file, name)
    return StagedPart(table=table, file=file, staging_table=name, rows=rows)


def _prove(clickhouse: ClickHouse, manifest: Manifest, table: StagedTable, part: Part, name: str) -> None:
    day = manifest.day.isoformat()
    found = contents(clickhouse, table, day, source=name)
    expected = Contents(rows=part.rows, keys=part.rows, checksum=part.checksum)
    if found != expected:
        raise DayMismatch(
            clickhouse.where,
            name,
            day,
            f"{part.file} arrived as {found}, expected {expected}",
            "run the task again; if it repeats, the part breaks the table's key or day",
        )
