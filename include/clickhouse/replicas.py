"""Waits until one server of a cluster has what the others have.

A server that was killed and started again answers some seconds before its replicas are active: ClickHouse
18.16 waits for the end of its last session with ZooKeeper (session_timeout_ms, 30 s by default) and tries
every 10 s. Until then SYSTEM SYNC REPLICA says at once that all is there, and ALTER that it is done later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator

from include.clickhouse.client import NativeClient, quoted, quoted_database
from include.clickhouse.errors import COLUMN_IS_THERE, UNFINISHED, ClickHouseError, Refused, ReplicaBehind
from include.errors import facts_of

log = logging.getLogger(__name__)

REPLICA_WAIT_S = 60
_LOOK_EVERY_S = 0.2
# Until a replica has read its queue, it is reported to be behind by the seconds since 1970:
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Storages/StorageReplicatedMergeTree.cpp
_QUEUE_NOT_READ_S = 1_000_000_000
_BEHIND = "SELECT max(absolute_delay) FROM system.replicas WHERE database = %(database)s"


def sync_replica(server: NativeClient, database: str, table: str) -> None:
    """Wait until the server has what the others have of a Replicated table.

    Raises: ReplicaBehind after REPLICA_WAIT_S; ClickHouseError.
    """
    _await(lambda: _not_active(server, database, table))
    server.connection.socket.settimeout(REPLICA_WAIT_S)  # 18.16 itself waits for ever
    server.execute(f"SYSTEM SYNC REPLICA {quoted_database(database)}.{quoted(table)}")
    server.connection.socket.settimeout(server.connection.send_receive_timeout)


def active_first(servers: Iterable[NativeClient], database: str) -> Iterator[NativeClient]:
    """Yield the servers, last those with a replica in the database that is not active."""
    others = []
    for server in servers:
        try:
            is_active = _is_active(server, database)
        except ClickHouseError:  # who asks it next will say so
            is_active = False
        if is_active:
            yield server
        else:
            server.disconnect()
            others.append(server)
    yield from others


def add_column(server: NativeClient, statement: str) -> None:
    """Run ALTER TABLE ... ADD COLUMN, and wait until the server has the column, whoever added it.

    Raises: ReplicaBehind after REPLICA_WAIT_S; ClickHouseError.
    """
    try:
        server.execute(statement)
    except Refused as error:
        if error.code not in (*COLUMN_IS_THERE, UNFINISHED):
            raise
    _await(lambda: _not_added(server, statement))


def _await(look: Callable[[], ReplicaBehind | None]) -> None:
    until = time.monotonic() + REPLICA_WAIT_S
    if behind := look():
        log.info("%s. Waiting for it, up to %d s", facts_of(behind), REPLICA_WAIT_S)
    while behind:
        if time.monotonic() > until:
            raise behind
        time.sleep(_LOOK_EVERY_S)
        behind = look()


def _is_active(server: NativeClient, database: str, table: str = "") -> bool:
    of_table = " AND table = %(table)s" if table else ""
    ((behind_s,),) = server.execute(_BEHIND + of_table, {"database": database, "table": table})
    return bool(behind_s < _QUEUE_NOT_READ_S)


def _not_active(server: NativeClient, database: str, table: str) -> ReplicaBehind | None:
    if _is_active(server, database, table):
        return None
    return ReplicaBehind(server.where, table, "its replica has not been active since the server started")


def _not_added(server: NativeClient, statement: str) -> ReplicaBehind | None:
    table, _, added = statement.removeprefix("ALTER TABLE ").partition(" ADD COLUMN ")
    column = added.split()[0].strip("`")
    if column in [name for name, *_ in server.execute(f"DESCRIBE TABLE {table}")]:
        return None
    return ReplicaBehind(server.where, table, f"column {column} is not there yet")
