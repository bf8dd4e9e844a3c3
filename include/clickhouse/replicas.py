"""What waits for one server of a cluster: until its replica of a table has what the others have.

A server that was killed and started again answers some seconds before its replicas are active: ClickHouse
18.16 waits for the end of its last session with ZooKeeper (session_timeout_ms, 30 s by default) and tries
every 10 s. Until then SYSTEM SYNC REPLICA says at once that all is there, and ALTER that it is done later.
"""

from __future__ import annotations

from collections.abc import Callable

import stamina

from include.clickhouse.client import NativeClient, quoted, quoted_database
from include.clickhouse.errors import COLUMN_IS_THERE, Refused, ReplicaBehind

REPLICA_WAIT_S = 60
_UNFINISHED = 341  # a replica is not active, or slow: it does the rest by itself
# A replica that has not read its queue since its server was started is behind by the seconds since 1970:
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Storages/StorageReplicatedMergeTree.cpp
_QUEUE_NOT_READ_S = 1_000_000_000


def sync_replica(server: NativeClient, database: str, table: str) -> None:
    """Wait until the server has what the others have of a Replicated table.

    Raises: ReplicaBehind after REPLICA_WAIT_S; ClickHouseError.
    """
    _await(lambda: _require_active(server, database, table))
    server.connection.socket.settimeout(REPLICA_WAIT_S)  # 18.16 itself waits for ever
    server.execute(f"SYSTEM SYNC REPLICA {quoted_database(database)}.{quoted(table)}")
    server.connection.socket.settimeout(server.connection.send_receive_timeout)


def add_column(server: NativeClient, statement: str) -> None:
    """Run ALTER TABLE ... ADD COLUMN, and wait until the server has the column, whoever added it.

    Raises: ReplicaBehind after REPLICA_WAIT_S; ClickHouseError.
    """
    try:
        server.execute(statement)
    except Refused as error:
        if error.code not in (*COLUMN_IS_THERE, _UNFINISHED):
            raise
    _await(lambda: _require_added(server, statement))


def _await(require: Callable[[], None]) -> None:
    for attempt in stamina.retry_context(
        on=ReplicaBehind, attempts=None, timeout=REPLICA_WAIT_S, wait_max=1.0
    ):
        with attempt:
            require()


def _require_active(server: NativeClient, database: str, table: str) -> None:
    delays = server.execute(
        "SELECT absolute_delay FROM system.replicas WHERE database = %(database)s AND table = %(table)s",
        {"database": database, "table": table},
    )
    if delays and delays[0][0] > _QUEUE_NOT_READ_S:
        raise ReplicaBehind(server.where, table, "its replica has not been active since the server started")


def _require_added(server: NativeClient, statement: str) -> None:
    table, _, added = statement.removeprefix("ALTER TABLE ").partition(" ADD COLUMN ")
    column = added.split()[0].strip("`")
    if column not in [name for name, *_ in server.execute(f"DESCRIBE TABLE {table}")]:
        raise ReplicaBehind(server.where, table, f"column {column} is not there yet")
