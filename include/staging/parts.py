"""Writes rows of a table as parts, in the form that the table has."""

from __future__ import annotations

from collections.abc import Iterable

from include.staging import ndjson_parts, text_parts
from include.staging.files import StagingPath
from include.staging.tables import Row, StagedTable, TableParts

ROWS_PER_PART = 500_000  # a part is built in memory: about 30 MB of text for the widest of our tables


def write_table(
    directory: StagingPath,
    table: StagedTable,
    rows: Iterable[Row],
    rows_per_part: int = ROWS_PER_PART,
) -> TableParts:
    """Write `rows` as parts of at most `rows_per_part` rows.

    The name of a part holds a hash of its content: two tries that write at once cannot mix. Instants are kept
    as their columns keep them: UTC, whole seconds, the fraction cut.

    Raises: BadRow for a value that does not fit its column, before the part it is in exists.
    """
    write_rows = text_parts.write_rows if table.form == "text" else ndjson_parts.write_rows
    return write_rows(directory, table, rows, rows_per_part)
