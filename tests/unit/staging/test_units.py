"""Units: days unless a manifest names another one, and no text that means more in SQL than it says."""

import json
from datetime import date
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from include.staging.errors import StagingFileDamaged
from include.staging.manifest import MANIFEST, Manifest, StagedBy, read_manifest, save_manifest
from include.staging.tables import Part, StagedTable, TableParts
from include.staging.units import Unit

DAY = date(2026, 8, 20)
BY = StagedBy("some_dag", "run 1", DAY, "some_task")
COLUMNS = {"date": "Date", "at": "DateTime('UTC')", "offset": "UInt64", "o": "String"}
BY_DAY = StagedTable(name="by_day", columns=COLUMNS, key=("offset",))
BY_HOUR = StagedTable(
    name="by_hour", columns=COLUMNS, key=("offset",), day_column=None, partition_by="toStartOfHour(at)"
)
BY_KEY = StagedTable(name="by_key", columns=COLUMNS, key=("offset",), day_column=None)


def manifest(*tables: StagedTable, **unit) -> Manifest:
    """A manifest of tables without rows."""
    parts = {table.name: TableParts(table=table, parts=()) for table in tables}
    return Manifest(**BY._asdict(), host="h", written_at="2026-08-21T00:31:07Z", tables=parts, **unit)


@pytest.mark.parametrize(
    ("partition_by", "sql"),
    [
        ("at", "`at`"),
        ("o", "`o`"),
        ("toStartOfHour(at)", "toStartOfHour(`at`)"),
        ("toYYYYMM(at)", "toYYYYMM(`at`)"),
        ("intDiv(offset,1000)", "intDiv(`offset`,1000)"),
    ],
)
def test_partitions_are_cut_by_a_column_or_a_function_of_one(partition_by, sql):
    """Only the column is a name of ours."""
    table = StagedTable(name="t", columns=COLUMNS, key=("o",), day_column=None, partition_by=partition_by)
    assert table.partition == sql
    assert (BY_DAY.partition, BY_KEY.partition) == ("`date`", None)


@pytest.mark.parametrize(
    "partition_by",
    [
        "",
        "1",
        "nobody",
        "toDate(nobody)",
        "sleep(at)",
        "toDate(at) OR 1",
        "intDiv(offset,0)",
        "at`",
        "toDate((at))",
    ],
)
def test_nothing_else_is_sql(partition_by):
    """Text of a manifest may be anybody's."""
    with pytest.raises(ValidationError):
        StagedTable(name="t", columns=COLUMNS, key=("o",), day_column=None, partition_by=partition_by)


def test_the_unit_is_the_day_unless_another_is_named(tmp_path: Path):
    """And comes back as it was."""
    assert manifest(BY_DAY, BY_KEY).unit == Unit(DAY, DAY, "2026-08-20")
    for unit in (
        {"unit_name": "2026-08-20T05", "partition": 5},
        {"unit_name": "[0-9) of a.b", "partition": "x"},
    ):
        made = manifest(BY_HOUR, BY_KEY, **unit)
        save_manifest(tmp_path, made)
        assert read_manifest(tmp_path, BY) == made
        assert made.unit == Unit(unit["unit_name"], DAY, unit["partition"])
    assert manifest(BY_KEY, unit_name="orders 0: 0-9").unit.partition is None


@pytest.mark.parametrize(
    ("table", "unit"),
    [
        (BY_DAY, {"unit_name": "2026-08-20T05", "partition": 5}),
        (BY_HOUR, {}),
        (BY_HOUR, {"unit_name": "2026-08-20T05"}),
        (BY_KEY, {"unit_name": ""}),
        (BY_KEY, {"unit_name": "it's"}),
        (BY_KEY, {"unit_name": "a\\"}),
        (BY_KEY, {"unit_name": "a\n"}),
        (BY_KEY, {"unit_name": "x" * 251}),
        (BY_KEY, {"unit_name": "a", "partition": True}),
        (BY_KEY, {"unit_name": "a", "partition": 1.5}),
        (BY_KEY, {"unit_name": "a", "partition": 2**64}),
    ],
)
def test_a_unit_that_fits_no_table_or_no_statement(tmp_path: Path, table, unit):
    """Is refused before any server is asked: an hour's rows never take the place of a day."""
    with pytest.raises(ValidationError):
        manifest(table, **unit)
    written = json.loads(manifest(BY_KEY).model_dump_json()) | unit
    written["tables"] = {table.name: {"table": table.model_dump(mode="json"), "parts": []}}
    (tmp_path / MANIFEST).write_text(json.dumps(written))
    with pytest.raises(StagingFileDamaged, match="clear task some_task"):
        read_manifest(tmp_path, BY)


UNKNOWN_TO_THE_VERSION_BEFORE = {
    "tables": {
        "__all__": {
            "table": {
                "partition_by",
                "form",
                "escapes",
                "replaced_whole",
                "version_column",
                "appended",
                "stamps",
            },
            "keys_are_unique": True,
            "ranges": True,
        }
    }
}


class TableOfTheVersionBefore(BaseModel):
    """What it reads of a table."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    day_column: str | None = "date"
    last_insert_counts: bool = False


class PartsOfTheVersionBefore(BaseModel):
    """What it reads of the parts."""

    table: TableOfTheVersionBefore
    parts: tuple[Part, ...]


class ManifestOfTheVersionBefore(BaseModel):
    """What it reads of a manifest."""

    dag_id: str
    run_id: str
    day: date
    tables: dict[str, PartsOfTheVersionBefore]


def test_the_version_before_reads_a_manifest_of_a_day():
    """All that it knows is there, as it was."""
    ours = manifest(BY_DAY)
    theirs = ManifestOfTheVersionBefore.model_validate_json(ours.model_dump_json())
    known = ours.model_dump(exclude=UNKNOWN_TO_THE_VERSION_BEFORE)
    assert theirs.model_dump().items() <= known.items()


def test_a_manifest_of_the_version_before_is_read():
    """Its parts are of JSON, and nobody has proved its keys."""
    ours = manifest(BY_DAY)
    assert Manifest.model_validate_json(ours.model_dump_json(exclude=UNKNOWN_TO_THE_VERSION_BEFORE)) == ours
    assert ours.tables[BY_DAY.name].table.form == "ndjson"
    assert not ours.tables[BY_DAY.name].keys_are_unique
