"""One run: the source at one instant, staged as parts; brought into sight; the state written last."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from include.change_capture.buckets import Buckets
from include.change_capture.catalog import SourceTable
from include.change_capture.column_totals import Totals
from include.change_capture.destination import (
    bury_older,
    columns_of,
    gone_columns,
    make_tables,
    newest_version,
    source_name,
)
from include.change_capture.errors import ColumnsGone, DestinationUnlike, Overtaken, SourceChanged
from include.change_capture.reading import TableReader, TableReading
from include.change_capture.request import SyncRequest
from include.change_capture.session import Snapshot, Source
from include.change_capture.state import (
    TABLE,
    SourceState,
    TableState,
    checked_in_full,
    insert_of_state,
    read_state,
    read_whole_because,
    require_not_behind,
)
from include.clickhouse.cluster import await_replicas
from include.clickhouse.publication import Publication
from include.clickhouse.publish import publish_day
from include.clickhouse.upsert import await_other_inserts
from include.staging.files import write_atomically
from include.staging.manifest import Manifest, StagedBy, save_manifest
from include.staging.units import Unit

if TYPE_CHECKING:
    from include.clickhouse.client import ClickHouse
    from include.clickhouse.load import StagedPart
    from include.staging.files import StagingPath

log = logging.getLogger(__name__)

FACTS = "capture"


class TableFacts(BaseModel):
    """What later steps need to know of a table that was read.

    Attributes: as of TableReading.
    """

    model_config = ConfigDict(frozen=True)
    table: SourceTable
    whole: str
    newest: int
    rows: int
    changed: int
    gone: int
    published: int
    columns: Totals = {}
    shift: int | None

    @property
    def is_published_anew(self) -> bool:
        """Tell whether publishing changes what readers see."""
        return bool(self.whole or self.changed or self.gone)


class SyncFacts(BaseModel):
    """What later steps need to know of a run.

    Attributes: base, the version that was published when the source was read, 0 without one; state, that is
    written last; tables; buckets_file, in the run's directory, and its sha256; task, that reads anew.
    """

    model_config = ConfigDict(frozen=True)
    base: int
    state: SourceState
    tables: tuple[TableFacts, ...]
    buckets_file: str
    sha256: str
    task: str = "stage"


BUCKETS = TypeAdapter(dict[str, Buckets])


def stage(
    clickhouse: ClickHouse,
    source: Source,
    request: SyncRequest,
    staged_by: StagedBy,
    directory: StagingPath,
    *,
    host: str,
    now: Callable[[], datetime],
) -> Manifest:
    """Read the source at one instant, and write what is to be published; always anew.

    Raises: as include.change_capture.errors; what `connect` raises; DayMismatch; ClickHouseError; OSError.
    """
    described = source.describe()
    make_tables(clickhouse, described)
    _await_killed_runs(clickhouse, described, staged_by)
    state = read_state(clickhouse, source.prefix)
    taken_at = now()
    values = request.full_check or not checked_in_full(clickhouse, source.prefix, taken_at)
    with source.snapshot() as (using, taken, tables):
        require_not_behind(source.connection, taken, state)
        dropped = dropped_columns(clickhouse, source, request.accept_dropped, state, tables)
        _warn_of_old_transaction(taken, state)
        newest = {table.name: newest_version(clickhouse, table) for table in tables}
        version = max((state.version if state else 0) + 1, max(newest.values(), default=0) + 1, taken.high)
        reader = TableReader(
            clickhouse, source.connection, using, taken, state, newest, version, directory,
            values=values, may_shrink=request.accept_shrink,
        )  # fmt: skip
        readings = [
            reader.read(table, _why_whole(clickhouse, table, taken, state, request)) for table in tables
        ]
    new_state = SourceState(
        source=source.prefix,
        version=version,
        snapshot=taken,
        tables={table.name: TableState.of(table, dropped[table.name]) for table in tables},
        full_check=values,
        run_id=staged_by.run_id,
        taken_at=taken_at,
    )
    return save(directory, staged_by, readings, state.version if state else 0, new_state, host=host, now=now)


def save(
    directory: StagingPath,
    staged_by: StagedBy,
    readings: Sequence[TableReading],
    base: int,
    state: SourceState,
    *,
    host: str,
    now: Callable[[], datetime],
    task: str = "",
) -> Manifest:
    """Write what the source has by buckets, and the manifest, last."""
    data = BUCKETS.dump_json({reading.table.name: reading.buckets for reading in readings})
    sha256 = hashlib.sha256(data).hexdigest()
    file = f"buckets-{sha256[:8]}.json"
    write_atomically(directory / file, data)
    facts = SyncFacts(
        base=base,
        state=state,
        tables=tuple(
            TableFacts(**{name: getattr(reading, name) for name in TableFacts.model_fields})
            for reading in readings
        ),
        buckets_file=file,
        sha256=sha256,
        task=task or staged_by.task,
    )
    manifest = Manifest(
        **staged_by._asdict(),
        host=host,
        written_at=now(),
        tables={reading.parts.table.name: reading.parts for reading in readings if reading.parts.parts},
        facts={FACTS: json.loads(facts.model_dump_json())},
        unit_name=f"{state.source} {state.version}",
    )
    save_manifest(directory, manifest)
    return manifest


def facts_of_run(manifest: Manifest) -> SyncFacts:
    """Return what `stage` wrote into the manifest."""
    return SyncFacts.model_validate_json(json.dumps(manifest.facts[FACTS]))


def publish(
    clickhouse: ClickHouse,
    manifest: Manifest,
    staged: Sequence[StagedPart],
    *,
    attempt: str,
    now: Callable[[], datetime],
    check_lease: Callable[[], None] = lambda: None,
) -> dict[str, JsonValue]:
    """Bring the staged rows into sight, and write the state; return rows by table that are sent.

    Safe to repeat at any point, also after its end.

    Raises: Overtaken; DayMismatch; ClickHouseError; what `check_lease` raises.
    """
    facts = facts_of_run(manifest)
    sent: dict[str, JsonValue] = {each.table.name: each.changed + each.gone for each in facts.tables}
    if _published_by_this_run(clickhouse, facts):
        log.info("%s: this run has already published version %d", clickhouse.where, facts.state.version)
        return sent
    for each in facts.tables:
        _require_untouched(clickhouse, each, facts)
    publish_day(clickhouse, manifest, staged, attempt=attempt, now=now, check_lease=check_lease)
    publication = Publication(clickhouse, manifest.unit, manifest.run_id, attempt, check_lease)
    for each in facts.tables:
        if each.whole and each.published:
            publication.execute_until_confirmed(bury_older(each.table, facts.state.version))
            await_replicas(clickhouse, each.table.versions)
    publication.execute_until_confirmed(*insert_of_state(facts.state))
    await_replicas(clickhouse, TABLE)
    return sent


def _published_by_this_run(clickhouse: ClickHouse, facts: SyncFacts) -> bool:
    """Raises: Overtaken, where another run has published since this one read the source."""
    found = read_state(clickhouse, facts.state.source)
    current = (found.version, found.run_id) if found else (0, "")
    if current == (facts.state.version, facts.state.run_id):
        return True
    if current[0] != facts.base:
        published = f"run {current[1]!r} has published version {current[0]}"
        reason = f"{published}, this one goes on from version {facts.base}"
        raise Overtaken(clickhouse.where, facts.state.source, reason, facts.task)
    return False


def _require_untouched(clickhouse: ClickHouse, each: TableFacts, facts: SyncFacts) -> None:
    """Require that no run has brought rows into a table since, and ended before its state was written."""
    newest = newest_version(clickhouse, each.table)
    if newest not in (each.newest, facts.state.version):
        reason = f"table {each.table.versions} has rows of version {newest}, not {each.newest} as its newest"
        raise Overtaken(clickhouse.where, facts.state.source, reason, facts.task)


def _why_whole(
    clickhouse: ClickHouse,
    table: SourceTable,
    taken: Snapshot,
    state: SourceState | None,
    request: SyncRequest,
) -> str:
    require_same_key(clickhouse, table, state)
    return "a param says so" if table.name in request.reread else read_whole_because(table, taken, state)


def require_same_key(clickhouse: ClickHouse, table: SourceTable, state: SourceState | None) -> None:
    """Raises: DestinationUnlike where rows are there by another key than the source has now."""
    before = state.tables.get(table.name) if state else None
    key = tuple(column.name for column in table.kept_key)
    if before and before.key != key and newest_version(clickhouse, table):
        reason = (
            f"the source's key is {', '.join(key)} now, and the table is ordered by {', '.join(before.key)}"
        )
        next_step = "rename it, for it to be made anew, then run the task again"
        raise DestinationUnlike(clickhouse.where, table.versions, reason, next_step)


def _await_killed_runs(clickhouse: ClickHouse, tables: Sequence[SourceTable], staged_by: StagedBy) -> None:
    """Wait until what a killed run has begun is over: its rows would come after those are counted."""
    next_step = "wait until it is over, then run the task again"
    publication = Publication(clickhouse, Unit.of_day(staged_by.day), staged_by.run_id, next_step=next_step)
    for table in tables:
        await_other_inserts(publication, table.versions)


def dropped_columns(
    clickhouse: ClickHouse,
    source: Source,
    accepted: Sequence[str],
    state: SourceState | None,
    tables: Sequence[SourceTable],
) -> dict[str, list[str]]:
    """Return by table our columns that the source has no longer. Raises: ColumnsGone; SourceChanged."""
    dropped, missing = dict[str, list[str]](), list[str]()
    for table in tables:
        ours = list(columns_of(clickhouse, table.versions))
        if not {column.name for column in table.kept} <= set(ours):
            raise SourceChanged(source.connection, table.full_name)  # since the tables were made
        dropped[table.name] = gone = gone_columns(table, ours)
        before = state.tables.get(table.name) if state else None
        for column in gone:
            name = f"{table.name}.{source_name(column, gone)}"
            if name not in accepted and column not in (before.dropped if before else ()):
                missing.append(name)
    if missing:
        raise ColumnsGone(source.connection, tuple(dict.fromkeys(missing)))
    return dropped


def _warn_of_old_transaction(taken: Snapshot, state: SourceState | None) -> None:
    if state and taken.low == state.snapshot.low and taken.high > state.snapshot.high:
        log.warning(
            "a transaction of the source is open since before %s: what was written since is sent again with "
            "each run. Next: see pg_stat_activity and pg_prepared_xacts of the source",
            state.taken_at,
        )
