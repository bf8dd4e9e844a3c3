"""A file of counters through staging, load and publication, on both engines."""

from datetime import UTC, date, datetime
from io import BufferedReader, BytesIO
from pathlib import Path

import pytest

from include.clickhouse.client import ClickHouse
from include.clickhouse.load import load_part
from include.clickhouse.publish import publish_day
from include.phrase_views.import_staging import stage_counters
from tests.integration.clickhouse.conftest import clickhouse, connect

__all__ = ["clickhouse", "connect"]

NOW = datetime(2026, 8, 21, tzinfo=UTC)
# As in the contract: no version, so the same file twice must change nothing under FINAL.
TABLE = """CREATE TABLE IF NOT EXISTS phrases_views (
    campaign_id Int32, phrase String, views Int32, dt DateTime('UTC')
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(dt) ORDER BY (campaign_id, dt, phrase)"""
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


def import_file(clickhouse: ClickHouse, directory: Path, run_id: str) -> None:
    """Do what the tasks of a run do."""
    facts = {"dag_id": "d", "run_id": run_id, "day": date(2026, 8, 21), "host": "h", "written_at": NOW}
    manifest = stage_counters(directory, "a.csv", BufferedReader(BytesIO(FILE.encode())), **facts)
    parts = manifest.tables["phrases_views"].parts
    staged = [
        load_part(clickhouse, directory, manifest, table="phrases_views", file=part.file, attempt="1")
        for part in parts
    ]
    publish_day(clickhouse, manifest, staged, attempt="1", now=lambda: NOW)


@pytest.mark.parametrize("times", [1, 2])
def test_a_file_gets_in_whole_and_again_the_same(clickhouse: ClickHouse, tmp_path: Path, times: int):
    """Every row is there with its value, extremes too; the same file again changes nothing in sight."""
    clickhouse.execute(TABLE)
    for number in range(times):
        import_file(clickhouse, tmp_path / str(number), f"run {number}")
    # As a number: the engines differ in whether an instant comes back aware.
    columns = "campaign_id, phrase, views, toUnixTimestamp(dt)"
    query = f"SELECT {columns} FROM phrases_views FINAL ORDER BY campaign_id, dt"
    assert clickhouse.execute(query) == [(*row[:3], int(row[3].timestamp())) for row in STORED]
    assert [name for (name,) in clickhouse.execute("SHOW TABLES") if "__stg_" in name] == []
