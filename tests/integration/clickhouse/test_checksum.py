"""The checksum of a row is the same here and in SQL, on both engines, whatever the row holds."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given

from include.clickhouse.client import insert_rows
from include.clickhouse.fingerprint import Fingerprint, fingerprint
from include.staging.ndjson_parts import read_batches
from include.staging.parts import write_table
from include.staging.tables import Row, StagedTable
from tests.examples import examples
from tests.unit.staging.columns import EVERY_KIND, HIGHEST, LOWEST, rows

TABLE = EVERY_KIND.model_copy(update={"day_column": None})


@pytest.fixture
def every_kind(clickhouse) -> StagedTable:
    """A table with a column of every kind, there and empty."""
    columns = ", ".join(f"`{name}` {kind}" for name, kind in TABLE.columns.items())
    clickhouse.execute(f"CREATE TABLE {TABLE.name} ({columns}) ENGINE = Memory")
    return TABLE


# The table is emptied for each example.
@examples(40, shared_fixtures=True)
@given(rows)
@example([LOWEST, HIGHEST])
def test_both_sides_agree(clickhouse, every_kind: StagedTable, rows: list[Row]):
    """Staged, read, inserted and summed: rows, keys and checksum are those of the manifest."""
    with tempfile.TemporaryDirectory() as directory:
        staged = write_table(Path(directory), every_kind, rows, rows_per_part=8)
        clickhouse.execute(f"TRUNCATE TABLE {every_kind.name}")
        for part in staged.parts:
            batches = read_batches(Path(directory) / part.file, every_kind, part, batch_rows=3)
            insert_rows(clickhouse, every_kind.name, list(every_kind.columns), batches)
    found = fingerprint(clickhouse, every_kind, "")
    assert found == Fingerprint(
        rows=staged.rows, keys=len({row[2] for row in rows}), checksum=staged.checksum
    )
