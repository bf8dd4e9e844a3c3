"""A file of counters through staging, load and publication, on both engines."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.clickhouse.client import ClickHouse
from include.clickhouse.errors import DayMismatch
from include.clickhouse.load import StagedPart, load_part
from include.clickhouse.publish import check_day, publish_day
from include.phrase_views.counters.file import stage_file
from include.phrase_views.counters.request import ImportRequest
from include.staging.manifest import Manifest
from tests.integration.clickhouse.conftest import clickhouse, connect

__all__ = ["clickhouse", "connect"]

NOW = datetime(2026, 8, 21, tzinfo=UTC)
FILE = """campaign_id,phrase,views,dt
1111111,платье,100,2025-01-01 11:50:00
1111111,платье,101,2025-01-01 12:40:00
2147483647,"a ""quoted"", one",0,1970-01-01 00:00:00
1,late,2147483647,2105-12-31 23:59:59
"""
STORED = [
    (1, "late", 2147483647, datetime(2105, 12, 31, 23, 59, 59, tzinfo=UTC)),
    (1111111, "платье", 100, datetime(2025, 1, 1, 11, 50, tzinfo=UTC)),
    (1111111, "платье", 101, datetime(2025, 1, 1, 12, 40, tzinfo=UTC)),
    (2147483647, 'a "quoted", one', 0, datetime(1970, 1, 1, tzinfo=UTC)),
]


def import_file(clickhouse: ClickHouse, directory: Path, run_id: str, text: str = FILE) -> Manifest:
    """Do what the tasks of a run do up to its check."""
    (directory / "a.csv").write_text(text)
    staging = directory / run_id
    manifest = stage_file(
        directory,
        ImportRequest(path="a.csv"),
        staging,
        dag_id="d",
        run_id=run_id,
        day=NOW.date(),
        host="h",
        now=lambda: NOW,
    )
    publish(clickhouse, staging, manifest)
    return manifest


def publish(clickhouse: ClickHouse, staging: Path, manifest: Manifest, attempt: str = "1") -> None:
    """Load and publish what is staged."""
    staged = [
        load_part(clickhouse, staging, manifest, table="phrases_views", file=part.file, attempt=attempt)
        for part in manifest.tables["phrases_views"].parts
    ]
    publish_day(clickhouse, manifest, staged, attempt=attempt, now=lambda: NOW)


@pytest.mark.parametrize("times", [1, 2])
def test_a_file_gets_in_whole_and_again_the_same(clickhouse: ClickHouse, tmp_path: Path, times: int):
    """Every row is there with its value, extremes too; the same file again changes nothing in sight."""
    for number in range(times):
        manifest = import_file(clickhouse, tmp_path, f"run {number}")
        check_day(clickhouse, tmp_path / f"run {number}", manifest, "1")
    assert counters(clickhouse) == [(*row[:3], int(row[3].timestamp())) for row in STORED]
    assert [name for (name,) in clickhouse.execute("SHOW TABLES") if "__stg_" in name] == []


def counters(clickhouse: ClickHouse) -> list[tuple]:
    """Return what readers see, instants as numbers: the engines differ in whether they come back aware."""
    columns = "campaign_id, phrase, views, toUnixTimestamp(dt)"
    return clickhouse.execute(f"SELECT {columns} FROM phrases_views FINAL ORDER BY campaign_id, dt, phrase")


CORRECTED = FILE.replace("платье,101", "платье,99")


def test_a_correction_counts_until_the_old_run_is_cleared(clickhouse: ClickHouse, tmp_path: Path):
    """The check of an older run asks for its keys only; publishing it again brings its values back."""
    older = import_file(clickhouse, tmp_path, "run 1")
    before = counters(clickhouse)
    newer = import_file(clickhouse, tmp_path, "run 2", CORRECTED)
    assert [row[2] for row in counters(clickhouse)] == [row[2] if row[2] != 101 else 99 for row in before]
    check_day(clickhouse, tmp_path / "run 1", older, "2")
    check_day(clickhouse, tmp_path / "run 2", newer, "1")
    publish(clickhouse, tmp_path / "run 1", older, "2")
    assert counters(clickhouse) == before
    check_day(clickhouse, tmp_path / "run 1", older, "3")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("INSERT INTO phrases_views SELECT campaign_id, phrase, 7, dt FROM phrases_views", "readers see"),
        ("TRUNCATE TABLE phrases_views", "readers see .*rows=0"),
        ("TRUNCATE TABLE loads", "no run has published"),
    ],
    ids=["other values", "lost", "not recorded"],
)
def test_the_check_finds_what_is_not_as_it_was_published(
    clickhouse: ClickHouse, tmp_path: Path, damage: str, said: str
):
    """Every value counts while no newer run has published; clearing the load mends it."""
    manifest = import_file(clickhouse, tmp_path, "run 1")
    expected = counters(clickhouse)
    clickhouse.execute(damage)
    with pytest.raises(DayMismatch, match=f"table phrases_views, .*{said}.*clear task load"):
        check_day(clickhouse, tmp_path / "run 1", manifest, "1")
    publish(clickhouse, tmp_path / "run 1", manifest, "2")
    check_day(clickhouse, tmp_path / "run 1", manifest, "2")
    assert counters(clickhouse) == expected


def test_lost_rows_are_found_after_a_newer_run_too(clickhouse: ClickHouse, tmp_path: Path):
    """Keys are never taken away by a newer import."""
    older = import_file(clickhouse, tmp_path, "run 1")
    clickhouse.execute("TRUNCATE TABLE phrases_views")
    import_file(clickhouse, tmp_path, "run 2", FILE.rsplit("1,late", 1)[0])
    with pytest.raises(DayMismatch, match="1 rows of this run are not there"):
        check_day(clickhouse, tmp_path / "run 1", older, "2")


PART_OF_JSON = """[1111111,"платье",100,1735732200]
[1111111,"платье",101,1735735200]
[2147483647,"a \\"quoted\\", one",0,0]
[1,"late",2147483647,4291747199]
"""
MANIFEST_OF_JSON = """{"dag_id": "d", "run_id": "run 1", "day": "2026-08-21", "task": "stage", "host": "h",
"written_at": "2026-08-21T00:00:00Z",
"tables": {"phrases_views": {"table": {"name": "phrases_views",
    "columns": {"campaign_id": "Int32", "phrase": "String", "views": "Int32", "dt": "UInt32"},
    "key": ["campaign_id", "phrase", "dt"], "day_column": null, "last_insert_counts": true},
  "parts": [{"file": "phrases_views-0000000000-6e113858.ndjson", "rows": 4, "checksum": 13016324417721113621,
    "sha256": "6e1138588e79f504e196838e16d52358d899efb0f15cc9ed8b4c6ba5cc846733"}],
  "keys_are_unique": true}},
"facts": {"rows": 4, "rejected": 0, "repeated": 0, "blank": 0, "path": "a.csv",
  "sha256": "bc45e3fe7467c8bbfe674793594af6d17cf5a71d15aefe0b38063ca48b6840db"}}"""


def test_a_run_that_was_staged_as_json_goes_on(clickhouse: ClickHouse, tmp_path: Path):
    """Staged once, published in the form it has, as older versions do; runs of text before and after it."""
    import_file(clickhouse, tmp_path, "run 0", CORRECTED)
    staging = tmp_path / "run 1"
    staging.mkdir()
    (staging / "phrases_views-0000000000-6e113858.ndjson").write_text(PART_OF_JSON)
    (staging / "manifest.json").write_text(MANIFEST_OF_JSON)
    older = import_file(clickhouse, tmp_path, "run 1")
    assert older.tables["phrases_views"].table.form == "ndjson"
    assert counters(clickhouse) == [(*row[:3], int(row[3].timestamp())) for row in STORED]
    check_day(clickhouse, staging, older, "1")
    newer = import_file(clickhouse, tmp_path, "run 2", CORRECTED)
    assert newer.tables["phrases_views"].table.form == "text"
    check_day(clickhouse, staging, older, "2")
    publish(clickhouse, staging, older, "2")
    check_day(clickhouse, staging, older, "3")
    check_day(clickhouse, tmp_path / "run 2", newer, "1")
    assert counters(clickhouse) == [(*row[:3], int(row[3].timestamp())) for row in STORED]


def test_publish_may_be_repeated_after_its_end(clickhouse: ClickHouse, tmp_path: Path):
    """The second time it finds its own work, though the staging tables are gone."""
    manifest = import_file(clickhouse, tmp_path, "run 1")
    gone = [
        StagedPart(table="phrases_views", file=part.file, staging_table="gone", rows=part.rows)
        for part in manifest.tables["phrases_views"].parts
    ]
    assert publish_day(clickhouse, manifest, gone, attempt="2", now=lambda: NOW) == {"phrases_views": 4}
    import_file(clickhouse, tmp_path, "run 2", CORRECTED)
    with pytest.raises(DayMismatch, match="staging table gone is gone"):
        publish_day(clickhouse, manifest, gone, attempt="3", now=lambda: NOW)


def test_rows_between_those_of_the_file_are_left_alone(clickhouse: ClickHouse, tmp_path: Path):
    """Another phrase of the same campaign and instant, from elsewhere, disturbs neither proof."""
    clickhouse.execute(
        "INSERT INTO phrases_views SELECT 1111111, 'туфли', 5, toDateTime('2025-01-01 11:50:00', 'UTC')"
    )
    manifest = import_file(clickhouse, tmp_path, "run 1")
    check_day(clickhouse, tmp_path / "run 1", manifest, "1")
    assert len(counters(clickhouse)) == 5
