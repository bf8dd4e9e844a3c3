"""The first copy of large tables: in ranges of keys, each read in a short transaction of its own.

Ranges are read at different instants, and writers go on meanwhile. So the state that is written says the
instant before the first of them: the run that follows sends again whatever was written since, and finds by
counting what is gone. Each finished range has a file that says so: a try after a kill goes on behind it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from time import monotonic, sleep
from typing import TYPE_CHECKING, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from include.change_capture.catalog import SourceTable
from include.change_capture.destination import live_rows, make_tables, newest_version
from include.change_capture.errors import SourceChanged
from include.change_capture.reading import TableReading, copy_rows, require_not_shrunk, select_rows
from include.change_capture.session import Snapshot, Source
from include.change_capture.state import SourceState, TableState, read_state, require_not_behind
from include.change_capture.synchronization import dropped_columns, require_same_key, save
from include.clickhouse.load import load_part
from include.staging.files import write_atomically
from include.staging.manifest import Manifest, StagedBy, parts_are_whole
from include.staging.tables import TableParts
from include.staging.text_parts import TextWriter

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg2.extensions import cursor

    from include.clickhouse.client import ClickHouse
    from include.clickhouse.load import StagedPart
    from include.staging.files import StagingPath

log = logging.getLogger(__name__)

ROWS_PER_RANGE = 1_000_000
MOST_RANGES = 900  # Airflow maps a task over 1,024 at most
PLAN = "plan.json"


class KeyRange(BaseModel):
    """Keys of a table, in its order. Attributes: table; number; after, until: keys as text, or None."""

    model_config = ConfigDict(frozen=True)
    table: str
    number: int
    after: tuple[str, ...] | None
    until: tuple[str, ...] | None

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"{self.table}-{self.number:05d}"


class Plan(BaseModel):
    """What a migration does.

    Attributes: base, the version that is published; version, that rows get; snapshot, before the first
    range; tables; rows of each, about; newest, the greatest version that each had; dropped, our columns of
    each that the source has lost, which was accepted; ranges; planned_at.
    """

    model_config = ConfigDict(frozen=True)
    base: int
    version: int
    snapshot: Snapshot
    tables: tuple[SourceTable, ...]
    rows: dict[str, int]
    newest: dict[str, int]
    dropped: dict[str, list[str]]
    ranges: tuple[KeyRange, ...]
    planned_at: AwareDatetime

    def table(self, name: str) -> SourceTable:
        """Return a table by its name."""
        return next(table for table in self.tables if table.name == name)

    @cached_property
    def name(self) -> str:
        """What its files are called by: a later plan of the run has other ranges, another version."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


class Progress(NamedTuple):
    """How far a migration is.

    Attributes: ranges, done and all; rows, done and all; seconds; seconds_left, at the rate so far.
    """

    ranges: tuple[int, int]
    rows: tuple[int, int]
    seconds: float
    seconds_left: float

    def __str__(self) -> str:
        rate = self.rows[0] / max(self.seconds, 0.001)
        return (
            f"{self.ranges[0]} of {self.ranges[1]} ranges, {self.rows[0]:,} of about {self.rows[1]:,} rows, "
            f"{rate:,.0f} rows/s, about {self.seconds_left / 60:.1f} minutes left"
        )


def plan(
    clickhouse: ClickHouse,
    source: Source,
    directory: StagingPath,
    *,
    rows_per_range: int = ROWS_PER_RANGE,
    now: Callable[[], datetime],
) -> Plan:
    """Cut the tables into ranges; what an earlier try has planned stays, until another run has published.

    What a run of changes would refuse is refused here: nothing that readers see is replaced by less.

    Raises: as include.change_capture.errors; what `connect` raises; ClickHouseError; OSError.
    """
    make_tables(clickhouse, source.describe())
    state = read_state(clickhouse, source.prefix)
    base = state.version if state else 0
    earlier = _read_plan(directory)
    if earlier and earlier.base == base:
        return earlier
    with source.snapshot() as (using, snapshot, tables):
        require_not_behind(source.connection, snapshot, state)
        dropped = dropped_columns(clickhouse, source, (), state, tables)
        rows = {table.name: _count(using, table) for table in tables}
        for table in tables:
            require_same_key(clickhouse, table, state)
            require_not_shrunk(source.connection, table, rows[table.name], live_rows(clickhouse, table))
        step = max(rows_per_range, -(-sum(rows.values()) // MOST_RANGES))
        ranges = [each for table in tables for each in _cut(using, table, step)]
    newest = {table.name: newest_version(clickhouse, table) for table in tables}
    made = Plan(
        base=base,
        version=max(base + 1, max(newest.values(), default=0) + 1, snapshot.high),
        snapshot=snapshot,
        tables=tuple(tables),
        rows=rows,
        newest=newest,
        dropped=dropped,
        ranges=tuple(ranges),
        planned_at=now(),
    )
    write_atomically(directory / PLAN, made.model_dump_json().encode())
    return made


def read_plan(directory: StagingPath) -> Plan:
    """Return what plan() has written. Raises: FileNotFoundError; ValidationError."""
    return Plan.model_validate_json((directory / PLAN).read_bytes())


def copy_range(
    clickhouse: ClickHouse,
    source: Source,
    planned: Plan,
    wanted: KeyRange,
    staged_by: StagedBy,
    directory: StagingPath,
    *,
    attempt: str,
    host: str,
    now: Callable[[], datetime],
    rows_per_second: int = 0,
) -> list[StagedPart]:
    """Read a range, unless an earlier try has, and load it into staging tables; return these.

    Args: rows_per_second: at most so many are read, 0 for as many as come.
    Raises: SourceChanged; SourceFailed; ValueRefused; BadRow; ClickHouseError; OSError.
    """
    table = planned.table(wanted.table)
    manifest = Manifest(
        **staged_by._asdict(),
        host=host,
        written_at=now(),
        tables={},
        unit_name=f"{source.prefix} {planned.version}",
    )
    parts = _finished(directory, planned, wanted)
    if parts is None or not parts_are_whole(directory, _with(manifest, parts)):
        parts = _read(source, planned, wanted, table, directory, rows_per_second)
        write_atomically(directory / _marker(planned, wanted), parts.model_dump_json().encode())
    manifest = _with(manifest, parts)
    loaded = [
        load_part(clickhouse, directory, manifest, table=parts.table.name, file=part.file, attempt=attempt)
        for part in parts.parts
    ]
    log.info("range %s: %s", wanted.name, progress(directory, planned, now()))
    return loaded


def progress(directory: StagingPath, planned: Plan, at: datetime) -> Progress:
    """Return how far a migration is, by the files of its ranges."""
    finished = [parts for each in planned.ranges if (parts := _finished(directory, planned, each))]
    done, rows = sum(parts.rows for parts in finished), sum(planned.rows.values())
    seconds = (at - planned.planned_at).total_seconds()
    left = seconds * max(rows - done, 0) / done if done else 0.0
    return Progress((len(finished), len(planned.ranges)), (done, rows), seconds, left)


def gather(
    clickhouse: ClickHouse,
    source: Source,
    planned: Plan,
    staged_by: StagedBy,
    directory: StagingPath,
    *,
    host: str,
    now: Callable[[], datetime],
) -> Manifest:
    """Write the manifest of all ranges, as that of a run that has read each table whole.

    Raises: FileNotFoundError for a range that is not finished; OSError.
    """
    readings = []
    for table in planned.tables:
        found = [_finished(directory, planned, each) for each in planned.ranges if each.table == table.name]
        if None in found:
            raise FileNotFoundError(f"a range of {table.name} is not finished in {directory}")
        several = [parts for parts in found if parts]
        escapes = any(parts.table.escapes for parts in several)
        together = TableParts(
            table=table.staged.model_copy(update={"escapes": escapes}),
            parts=tuple(part for parts in several for part in parts.parts),
            keys_are_unique=True,  # each key is of one range
        )
        readings.append(
            TableReading(
                table=table,
                parts=together,
                whole="it is migrated",
                newest=planned.newest[table.name],
                changed=together.rows,
                gone=0,
                published=live_rows(clickhouse, table),
                buckets={},
                columns={},
                shift=None,
            )
        )
    state = SourceState(
        source=source.prefix,
        version=planned.version,
        snapshot=planned.snapshot,
        tables={table.name: TableState.of(table, planned.dropped[table.name]) for table in planned.tables},
        run_id=staged_by.run_id,
        taken_at=planned.planned_at,
    )
    return save(directory, staged_by, readings, planned.base, state, host=host, now=now, task="plan")


def _read(
    source: Source,
    planned: Plan,
    wanted: KeyRange,
    table: SourceTable,
    directory: StagingPath,
    rows_per_second: int,
) -> TableParts:
    with source.snapshot((table.name,)) as (using, _, (found,)):
        if (found.oids, found.schema_hash) != (table.oids, table.schema_hash):
            raise SourceChanged(source.connection, table.full_name)
        query = select_rows(table, planned.version, _condition(using, table, wanted))
        with TextWriter(directory, table.staged) as writer:
            write = _throttled(writer.write, rows_per_second)
            copy_rows(using, source.connection, table, query, write)
    return writer.parts


def _throttled(write: Callable[[memoryview], int], rows_per_second: int) -> Callable[[memoryview], int]:
    """Return what writes as fast as it may: COPY waits for who reads it."""
    if not rows_per_second:
        return write
    began, rows = monotonic(), 0

    def slowly(data: memoryview) -> int:
        nonlocal rows
        rows += bytes(data).count(b"\n")
        sleep(max(0.0, began + rows / rows_per_second - monotonic()))
        return write(data)

    return slowly


def _condition(using: cursor, table: SourceTable, wanted: KeyRange) -> str:
    types = {column.name: column.type for column in table.columns}
    names = ", ".join(f'"{name}"' for name in table.key)

    def key(values: Sequence[str]) -> str:
        typed = (f"%s::{types[name]}" for name in table.key)
        return str(using.mogrify(f"({', '.join(typed)})", list(values)).decode())

    conditions = [f"({names}) > {key(wanted.after)}"] if wanted.after else []
    conditions += [f"({names}) <= {key(wanted.until)}"] if wanted.until else []
    return " AND ".join(conditions)


def _count(using: cursor, table: SourceTable) -> int:
    using.execute(f"SELECT count(*) FROM {table.quoted}")
    ((rows,),) = using.fetchall()
    return int(rows)


def _cut(using: cursor, table: SourceTable, step: int) -> Iterator[KeyRange]:
    """Yield ranges of `step` rows; the last one has no end, as keys may come after it."""
    names = ", ".join(f'"{name}"' for name in table.key)
    texts = ", ".join(f'"{name}"::text' for name in table.key)
    using.execute(
        f"SELECT {texts} FROM (SELECT {names}, row_number() OVER (ORDER BY {names}) AS place "
        f"FROM {table.quoted}) AS numbered WHERE place % {step} = 0 ORDER BY place"
    )
    ends = [*using.fetchall(), None]
    for number, (after, until) in enumerate(zip([None, *ends], ends, strict=False)):
        yield KeyRange(table=table.name, number=number, after=after, until=until)


def _marker(planned: Plan, wanted: KeyRange) -> str:
    return f"range-{planned.name}-{wanted.name}.json"


def _finished(directory: StagingPath, planned: Plan, wanted: KeyRange) -> TableParts | None:
    path = directory / _marker(planned, wanted)
    try:
        return TableParts.model_validate_json(path.read_bytes()) if path.exists() else None
    except ValidationError:
        log.warning("%s is not readable: its range is read again", path)
        return None


def _with(manifest: Manifest, parts: TableParts) -> Manifest:
    return manifest.model_copy(update={"tables": {parts.table.name: parts}})


def _read_plan(directory: StagingPath) -> Plan | None:
    try:
        return read_plan(directory) if (directory / PLAN).exists() else None
    except ValidationError:
        log.warning("%s is not readable: it is made anew", directory / PLAN)
        return None
