"""Loads a part of text: the server takes its lines apart, and what it has stored is hashed as lines again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from include.clickhouse.client import ClickHouse
from include.clickhouse.errors import DayMismatch, Refused
from include.clickhouse.fingerprint import Fingerprint, expected_fingerprint, fingerprint
from include.clickhouse.reading_ahead import read_ahead
from include.clickhouse.text_lines import LINES_TABLE, insert_lines
from include.staging.errors import BadRow
from include.staging.files import StagingPath
from include.staging.manifest import Manifest
from include.staging.tables import Part
from include.staging.text_parts import read_blocks, read_rows

# As fast as 16 MiB, with which the process peaks at 136 MiB instead of 119; 48 MB were slower (make bench).
# The server holds one of them with what it makes of it.
STATEMENT_BYTES = 8 * 2**20


def load_text(
    clickhouse: ClickHouse, path: StagingPath, manifest: Manifest, table: str, part: Part, name: str
) -> None:
    """Insert the lines of a part into the staging table `name`, and prove that each is there as it was.

    Raises: BadRow, for the first line that is not as a row of the table is written; StagingFileMissing;
        StagingFileDamaged; DayMismatch; ClickHouseError.
    """
    staged = manifest.tables[table].table
    statement = insert_lines(staged, name)
    blocks = read_blocks(path, part, manifest.task)
    try:
        for some in read_ahead(_statements(blocks)):
            lines = [
                {"name": LINES_TABLE, "structure": [("text", "String")], "data": [{"text": block}]}
                for block in some
            ]
            clickhouse.execute(statement, external_tables=lines)
    except Refused as error:
        if bad := _first_bad_row(path, manifest, table, part):
            raise bad from error
        raise
    found, expected = _found(clickhouse, manifest, table, name), expected_fingerprint(part)
    if found != expected:
        if bad := _first_bad_row(path, manifest, table, part):
            raise bad
        reason = f"{name} holds {found}, expected {expected} of {part.file}, and no row of it is wrong"
        raise DayMismatch(clickhouse.where, table, manifest.unit.name, reason, "run the task again")


def _found(clickhouse: ClickHouse, manifest: Manifest, table: str, name: str) -> Fingerprint:
    staged = manifest.tables[table].table.model_copy(update={"day_column": None, "partition_by": None})
    return fingerprint(clickhouse, staged, None, name, keys_are_unique=True)


def _first_bad_row(path: StagingPath, manifest: Manifest, table: str, part: Part) -> BadRow | None:
    """Read the part again, value by value."""
    try:
        for _ in read_rows(path, manifest.tables[table], part, manifest.task):
            pass
    except BadRow as bad:
        return bad
    return None


def _statements(blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield blocks that are sent together."""
    some, size = list[bytes](), 0
    for block in blocks:
        some.append(block)
        size += len(block)
        if size >= STATEMENT_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some
