"""Rows and manifests: kept and read again, or refused with table, row and column, or the field."""

import json
import re
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.staging.errors import BadRow, StagingFileDamaged, StagingFileForeign, StagingFileMissing
from include.staging.manifest import MANIFEST, Manifest, StagedBy, read_manifest, save_manifest
from include.staging.ndjson_parts import read_batches
from include.staging.parts import write_table
from tests.unit.hostile.values import (
    MEGABYTE,
    OFTEN,
    any_text,
    anything,
    assert_names,
    damaged,
    json_text,
)
from tests.unit.staging.columns import EVERY_KIND, HIGHEST, LOWEST, as_kept

GOOD = dict(zip(EVERY_KIND.columns, HIGHEST, strict=True))
days = st.dates() | st.datetimes() | st.datetimes(timezones=st.just(UTC))
PART = {"file": "every_kind-0000000000-00000000.ndjson", "rows": 1, "sha256": "0" * 64, "checksum": 5}
TABLE = EVERY_KIND.model_dump(mode="json")
MANIFEST_JSON = {
    "dag_id": "d", "run_id": "r", "day": "2026-08-20", "task": "fetch", "host": "h",
    "written_at": "2026-08-20T00:00:00Z",
    "tables": {"every_kind": {"table": TABLE, "parts": [PART]}}, "facts": {"rows": 1},
}  # fmt: skip


UNIT_TABLE = TABLE | {"day_column": None, "partition_by": "toStartOfHour(at)"}
UNIT_JSON = MANIFEST_JSON | {
    "tables": {"every_kind": {"table": UNIT_TABLE, "parts": [PART]}}, "unit_name": "5", "partition": 5,
}  # fmt: skip
RUN = StagedBy("d", "r", date(2026, 8, 20), "fetch")


def with_parts(part: dict) -> dict:
    """Return a manifest with this part."""
    return MANIFEST_JSON | {"tables": {"every_kind": {"table": TABLE, "parts": [part]}}}


def with_table(table: dict) -> dict:
    """Return a manifest of this table."""
    return MANIFEST_JSON | {"tables": {"every_kind": {"table": table, "parts": [PART]}}}


@OFTEN
@given(st.sampled_from(list(GOOD)), anything | days | any_text)
@example("text", MEGABYTE)
@example("i8", 10**5000)
@example("date", date(2105, 12, 31))
@example("at", datetime(9999, 12, 31, tzinfo=UTC))
def test_a_value_of_a_row(column, value):
    """Comes back as its column keeps it, or names its column; no file is there then."""
    row = tuple((GOOD | {column: value}).values())
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        try:
            staged = write_table(directory, EVERY_KIND, [LOWEST, row])
        except BadRow as refusal:
            assert_names(refusal, f"table every_kind, row 2, column {column}: ")
            assert list(directory.iterdir()) == []
            return
        (part,) = staged.parts
        (rows,) = read_batches(directory / part.file, EVERY_KIND, part, 10)
        assert rows == [LOWEST, as_kept(row)]


@pytest.mark.parametrize("row", [None, 5, "abc", [], {}, (1,) * 10_000], ids=range(6))
def test_what_is_no_row(tmp_path: Path, row):
    """Is refused by its number."""
    with pytest.raises(BadRow) as caught:
        write_table(tmp_path, EVERY_KIND, [row])
    assert_names(caught.value, "table every_kind, row 1, column ")


manifests = st.one_of(
    damaged(MANIFEST_JSON),
    damaged(PART).map(with_parts),
    damaged(UNIT_JSON),
    damaged(UNIT_TABLE, anything | any_text).map(
        lambda table: with_table(table) | {"unit_name": "5", "partition": 5}
    ),
    damaged(TABLE, anything | st.dictionaries(any_text, any_text, max_size=2)).map(with_table),
    st.dictionaries(any_text, anything, max_size=2).map(lambda tables: MANIFEST_JSON | {"tables": tables}),
)


@OFTEN
@given(manifests.map(json_text).map(str.encode) | st.binary(max_size=30))
@example(json.dumps(with_table(TABLE | {"columns": {"date": "Date", "text": "Nothing"}})).encode())
@example(json.dumps(with_table(TABLE | {"key": ["nobody"]})).encode())
@example(json.dumps(MANIFEST_JSON | {"day": "9999-12-31"}).encode())
@example(json.dumps(UNIT_JSON).encode())
@example(json.dumps(UNIT_JSON | {"unit_name": "it's"}).encode())
@example(json.dumps(with_parts(PART | {"checksum": 2**64})).encode())
@example(json.dumps(with_parts(PART | {"file": "../../etc/passwd"})).encode())
def test_a_manifest(data):
    """Is this run's, its tables can be read and its day can be stored; or it is damaged, or another's."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / MANIFEST).write_bytes(data)
        try:
            manifest = read_manifest(directory, RUN)
        except (StagingFileDamaged, StagingFileForeign) as refusal:
            where = f"staging file {directory / MANIFEST} is"
            assert_names(refusal, f"{where} damaged (", f"{where} of DAG ")
            assert_names(refusal, ": clear task fetch with all after it")
            return
        assert_storable(manifest)
        save_manifest(directory, manifest)
        assert read_manifest(directory, RUN) == manifest


def assert_storable(manifest: Manifest) -> None:
    """Require a day, counts and sums that `loads` keeps, and files that are in the run's own directory.

    What becomes SQL has no quotes.
    """
    assert date(1970, 1, 1) <= manifest.day < date(2106, 1, 1)
    assert not set("'`\\\n") & set(str(manifest.unit.name))
    for parts in manifest.tables.values():
        assert parts.table.read_rows(b"[]") == []
        assert re.fullmatch(r"(\w+\()?`\w+`(,\d+)?\)?", parts.table.partition or "`none`")
        assert 0 <= parts.rows < 2**64
        assert 0 <= parts.checksum < 2**64
        assert all("/" not in part.file and part.file.isascii() for part in parts.parts)


@OFTEN
@given(any_text, any_text)
def test_a_part_that_the_manifest_does_not_name(table, file):
    """Whatever the name is, the error can be printed."""
    manifest = Manifest.model_validate(MANIFEST_JSON)
    with pytest.raises(StagingFileMissing) as caught:
        manifest.part(table, file)
    assert_names(caught.value, "clear task fetch")


@OFTEN
@given(st.binary(max_size=40) | anything.map(json_text).map(str.encode))
def test_the_lines_of_a_part(line):
    """A part that was written by somebody else is damaged, and says so."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (part,) = write_table(directory, EVERY_KIND, [HIGHEST]).parts
        (directory / part.file).write_bytes(line + b"\n")
        with pytest.raises(StagingFileDamaged) as caught:
            list(read_batches(directory / part.file, EVERY_KIND, part, 10))
        assert_names(caught.value, f"staging file {directory / part.file} is damaged (")
