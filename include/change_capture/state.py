"""What is published of a source: the newest row of `source_snapshots`, which a run writes last."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter

from include.change_capture.catalog import SourceTable
from include.change_capture.errors import SourceBehind
from include.change_capture.session import Snapshot

if TYPE_CHECKING:
    from include.clickhouse.client import ClickHouse

TABLE = "source_snapshots"
WINDOW = 2**32  # transactions that a row's xmin tells apart
MOST_LISTED, HASHED_LISTS = 10_000, 140_000  # transactions; a server's version


class TableState(BaseModel):
    """What a table was when it was read.

    Attributes: oids, of it and its partitions; schema_hash; key, our columns; dropped, our columns that the
    source has lost, which was accepted.
    """

    model_config = ConfigDict(frozen=True)
    oids: tuple[int, ...]
    schema_hash: str
    key: tuple[str, ...]
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: SourceTable, dropped: Iterable[str] = ()) -> TableState:
        """Return what a table is now."""
        key = tuple(column.name for column in table.kept_key)
        return cls(oids=table.oids, schema_hash=table.schema_hash, key=key, dropped=tuple(dropped))


class SourceState(BaseModel):
    """A row of `source_snapshots`.

    Attributes: source; version, which grows with each run; snapshot, what is published; tables by name;
    full_check, whether its run compared all values; run_id; taken_at.
    """

    model_config = ConfigDict(frozen=True)
    source: str
    version: int
    snapshot: Snapshot
    tables: dict[str, TableState]
    full_check: bool = False
    run_id: str
    taken_at: AwareDatetime


_TABLES = TypeAdapter(dict[str, TableState])
_COLUMNS = "version, low, high, system_identifier, started_at, tables, full_check, run_id"


def read_state(clickhouse: ClickHouse, source: str) -> SourceState | None:
    """Return what is published of a source; None where nothing is."""
    found = clickhouse.execute(
        f"SELECT {_COLUMNS}, toUnixTimestamp(taken_at) FROM {TABLE} FINAL WHERE source = %(source)s "
        "ORDER BY version DESC LIMIT 1",
        {"source": source},
    )
    if not found:
        return None
    version, low, high, identifier, started_at, tables, full_check, run_id, taken_at = found[0]
    return SourceState(
        source=source,
        version=version,
        snapshot=Snapshot(low=low, high=high, identifier=identifier, started_at=started_at),
        tables=_TABLES.validate_json(tables),
        full_check=bool(full_check),
        run_id=run_id,
        taken_at=datetime.fromtimestamp(taken_at, UTC),
    )


def insert_of_state(state: SourceState) -> tuple[str, dict[str, object]]:
    """Return the statement that writes a state, and its params; run twice, it counts once."""
    row = {
        "source": state.source,
        "version": state.version,
        "low": state.snapshot.low,
        "high": state.snapshot.high,
        "system_identifier": state.snapshot.identifier,
        "started_at": state.snapshot.started_at,
        "tables": _TABLES.dump_json(state.tables).decode(),
        "full_check": int(state.full_check),
        "run_id": state.run_id,
        "taken_at": int(state.taken_at.timestamp()),
    }
    values = ", ".join(f"%({name})s" for name in row if name != "taken_at")
    select = f"SELECT {values}, toDateTime(%(taken_at)s, 'UTC')"
    return f"INSERT INTO {TABLE} ({', '.join(row)}) {select}", row


def checked_in_full(clickhouse: ClickHouse, source: str, day: datetime) -> bool:
    """Tell whether a run of this day (UTC) has compared all values."""
    midnight = int(day.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
    ((count,),) = clickhouse.execute(
        f"SELECT count() FROM {TABLE} WHERE source = %(source)s AND full_check = 1 "
        "AND toUnixTimestamp(taken_at) >= %(midnight)s",
        {"source": source, "midnight": midnight},
    )
    return bool(count)


def require_not_behind(connection: str, taken: Snapshot, state: SourceState | None) -> None:
    """Raises: SourceBehind for a replica that knows less than what is published."""
    if state is None or not taken.is_replica or taken.identifier != state.snapshot.identifier:
        return
    if taken.high < state.snapshot.high:
        raise SourceBehind(connection, taken.high, state.snapshot.high)


def read_whole_because(table: SourceTable, taken: Snapshot, state: SourceState | None) -> str:
    """Return why a table has to be read whole, in words; "" where its changes are enough."""
    if state is None or table.name not in state.tables:
        return "it was never published"
    last, before = state.snapshot, state.tables[table.name]
    if taken.identifier != last.identifier:
        return "it is another server"
    if taken.started_at != last.started_at:
        # After a crash it may have lost transactions that had ended, and given their numbers to others.
        return "the server was started anew"
    if not 0 <= taken.high - last.low < WINDOW:
        return "too many transactions have passed"
    if before.oids != table.oids:
        return "it is another table, or has other partitions"
    return "its columns changed" if before.schema_hash != table.schema_hash else ""


def changed_since(taken: Snapshot, state: SourceState, server_version: int) -> str:
    """Return a condition in SQL of Postgres on rows that the last state may not have.

    A row has 32 bits of the transaction that wrote it, frozen or not: it is counted from the last low, around
    the end of these numbers. Few transactions are listed: to look one up takes a third of the time that it
    takes to calculate with its number, of 2 million rows 0.2 s less; before version 14 a list is searched
    one by one.
    """
    low, span = state.snapshot.low, taken.high - state.snapshot.low
    if not span:
        return "false"
    if span <= MOST_LISTED and server_version >= HASHED_LISTS:
        listed = ", ".join(f"'{number % 2**32}'" for number in range(low, taken.high))
        return f"xmin IN ({listed})"
    return f"((xmin::text::bigint - {low}) & 4294967295) < {span}"
