"""Staged units other than days: hours, ranges of offsets, and the steps that a run takes with them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from include.clickhouse.publish import check_day
from include.staging.files import run_directory
from include.staging.manifest import Manifest, StagedBy, read_manifest, save_manifest
from include.staging.parts import write_table
from include.staging.tables import StagedTable
from tests.integration.clickhouse.days import DAY, load, now, publish

READINGS = StagedTable(
    name="readings",
    columns={"at": "DateTime('UTC')", "sensor": "String", "value": "Int32"},
    key=("sensor", "at"),
    day_column=None,
    partition_by="toStartOfHour(at)",
)
EVENTS = StagedTable(
    name="events",
    columns={"topic": "String", "offset": "UInt64", "action": "String"},
    key=("topic", "offset"),
    day_column=None,
    last_insert_counts=True,
)
RANGES = EVENTS.model_copy(
    update={"name": "ranges", "partition_by": "intDiv(offset,100)", "last_insert_counts": False}
)
FIVE = datetime(2026, 8, 20, 5, tzinfo=UTC)
SIX = FIVE + timedelta(hours=1)
ENGINES = (
    (READINGS, "MergeTree() PARTITION BY toStartOfHour(at) ORDER BY (sensor, at)"),
    (EVENTS, "ReplacingMergeTree() ORDER BY (topic, offset)"),
    (RANGES, "MergeTree() PARTITION BY intDiv(offset,100) ORDER BY (topic, offset)"),
)


def migrations() -> list[str]:
    """Return what makes the tables: of a source that publishes by the hour, and of one that reads a log."""
    return [
        f"CREATE TABLE IF NOT EXISTS {table.name} ("
        + ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
        + f") ENGINE = {engine}"
        for table, engine in ENGINES
    ]


def readings(count: int, hour: datetime, value: int = 1) -> list[tuple]:
    """`count` rows of one hour."""
    return [(hour + timedelta(seconds=n), f"sensor №{n % 3}", value) for n in range(count)]


def events(first: int, end: int, action: str = "click") -> list[tuple]:
    """The rows of a range of offsets."""
    return [("orders", offset, action) for offset in range(first, end)]


def hour_name(hour: datetime) -> str:
    """Return the name that an hour is recorded by."""
    return f"{hour:%Y-%m-%dT%H}"


def stage_unit(root: Path, run_id: str, table: StagedTable, rows: list[tuple], name: str, partition=None):
    """Write the rows of a unit as the staging files of a run."""
    directory = run_directory(root, "some_dag", DAY, run_id)
    by = StagedBy("some_dag", run_id, DAY, "some_task")
    parts = write_table(directory, table, rows, rows_per_part=40)
    manifest = Manifest(
        **by._asdict(),
        host="here",
        written_at=now(),
        tables={table.name: parts},
        unit_name=name,
        partition=partition,
    )
    save_manifest(directory, manifest)
    assert read_manifest(directory, by) == manifest
    return directory, manifest


def run_unit(clickhouse, root: Path, run_id: str, *staged, check: bool = True):
    """Take a unit from rows to readers."""
    directory, manifest = stage_unit(root, run_id, *staged)
    publish(clickhouse, manifest, load(clickhouse, directory, manifest))
    if check:
        check_day(clickhouse, directory, manifest, "1")
    return directory, manifest


def run_hour(clickhouse, root: Path, run_id: str, hour: datetime, rows: list[tuple], **how):
    """Take an hour from rows to readers."""
    return run_unit(clickhouse, root, run_id, READINGS, rows, hour_name(hour), int(hour.timestamp()), **how)


def seen(clickhouse, table: StagedTable) -> list[tuple]:
    """What a reader sees, in order."""
    columns = [f"toUnixTimestamp({n})" if kind.startswith("Date") else n for n, kind in table.columns.items()]
    final = " FINAL" if table.last_insert_counts else ""
    return sorted(clickhouse.execute(f"SELECT {', '.join(columns)} FROM {table.name}{final}"))


def as_seen(rows: list[tuple]) -> list[tuple]:
    """Return readings as a reader sees them."""
    return sorted((int(at.timestamp()), *others) for at, *others in rows)
