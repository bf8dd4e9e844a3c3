"""ClickHouse as a cluster: where a unit (a day) lies, and what waits until all replicas have it.

The connection's database holds Distributed tables, which show readers the rows of all shards. The rows are in
Replicated tables of the same names in the database `<schema>_shard` of each server (see cluster_ddl.py).
A unit of a table, such as a day, lies whole on one shard: what replaces it there in one step does so for all
readers.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from include.clickhouse.client import ClickHouse, NativeClient, beside_params, quoted, quoted_database
from include.clickhouse.errors import (
    CLEAR_LOAD,
    ClickHouseError,
    DayMismatch,
    UnusableConnection,
    WrongConnection,
)
from include.clickhouse.replicas import active_first, sync_replica
from include.clickhouse.settings import RELIED_ON
from include.errors import facts_of
from include.staging.tables import StagedTable
from include.staging.units import PartitionValue, Unit

log = logging.getLogger(__name__)

# Writes are over when they are on the shard, subqueries see all shards, and what is written twice is there
# twice: of two equal blocks the second is the newest again, which counts where the last insert does.
_SETTINGS = {"insert_distributed_sync": 1, "distributed_product_mode": "global", "insert_deduplicate": 0}
_RELIED_ON = {  # 26 has more names for the last of these
    **RELIED_ON,
    "async_insert_deduplicate": "0",
    "deduplicate_insert": "disable",
    "deduplicate_insert_select": "disable",
}
_REPLICATED = re.compile(r"^Replicated(?P<kind>\w*MergeTree)\('[^']*', '[^']*'(, )?")


class Node(NamedTuple):
    """A server of the cluster, as system.clusters has it."""

    shard: int
    replica: int
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}, replica {self.replica} of shard {self.shard}"


class ClusterClient(NativeClient):
    """A client of a cluster, connected to one of its servers: the connection's, until told otherwise.

    Attributes: cluster, its name in the servers' configuration; left_out, servers that were warned of.
    """

    def __init__(
        self, where: str, host: str, port: int, database: str, *, cluster: str, **options: Any
    ) -> None:
        options["settings"] = (options.get("settings") or {}) | _SETTINGS
        options.setdefault("relied_on", _RELIED_ON)
        super().__init__(where, host, port, database, **options)
        self.cluster, self.left_out = cluster, set[Node]()
        self._connection_name = where
        self._nodes: tuple[Node, ...] = ()
        self._unit: Unit | None = None
        self._shard = 0

    def nodes(self) -> tuple[Node, ...]:
        """Return all servers, shard by shard.

        Raises: UnusableConnection, which names the clusters that there are.
        """
        if not self._nodes:
            rows = self.execute(
                "SELECT cluster, shard_num, replica_num, host_name, port FROM system.clusters "
                "ORDER BY cluster, shard_num, replica_num"
            )
            self._nodes = tuple(Node(*facts) for cluster, *facts in rows if cluster == self.cluster)
            if not self._nodes:
                known = ", ".join(sorted({cluster for cluster, *_ in rows})) or "none"
                reason = f"the server at {self.address} knows no cluster {self.cluster!r}; it knows: {known}"
                raise WrongConnection(self.where, "extra.cluster", reason)
        return self._nodes

    def client_of(self, node: Node, database: str = "") -> NativeClient:
        """Return another client, of this server and the same user, with this database or our own."""
        options = {name: value for name, value in self._options.items() if name != "alt_hosts"}
        where = f"{self._connection_name} ({node})"
        return NativeClient(where, node.host, node.port, database or self.database, **options)

    def replicas(self, shard: int | None = None) -> list[Node]:
        """Return the servers of a shard, or of that of the unit."""
        return [node for node in self.nodes() if node.shard == (shard or self._shard)]

    def route_to_shard(self, tables: Iterable[StagedTable], unit: Unit) -> None:
        """Connect to the shard that holds the unit's rows, or that they belong on: the first of its replicas.

        Raises: DayMismatch where they are on more than one, or may be; UnusableConnection for a shard that is
        down.
        """
        if self._unit == unit:
            return
        replaced = [table for table in tables if table.is_replaced]
        shards = sorted({node.shard for node in self.nodes()})
        held = {shard: self._held(shard, replaced, unit) for shard in shards} if replaced else {}
        holders = {shard: table for shard, table in held.items() if table}
        if len(holders) > 1:
            raise self._on_several_shards(replaced, holders, unit)
        shard = next(iter(holders), shards[unit.day.toordinal() % len(shards)])
        self._take_over(next(self._answering(shard)))
        self._shard, self._unit = shard, unit

    def move_to(self, node: Node) -> None:
        """Connect to this server."""
        self._take_over(self.client_of(node))

    def catch_up(self, table: str) -> None:
        """Wait until the connected server has what the others have of a table; warn where it cannot."""
        try:
            sync_replica(self, self.database, table)
        except ClickHouseError as error:
            log.warning("%s: it may be behind the other replicas: %s", self.where, error)

    def _take_over(self, there: NativeClient) -> None:
        self.disconnect()
        self.connection, self.connections = there.connection, there.connections
        self.settings, self._looked_at = there.settings, there._looked_at  # noqa: SLF001 - of our own kind
        self.address, self.where = there.address, there.where

    def _on_several_shards(
        self, tables: Iterable[StagedTable], holders: dict[int, str], unit: Unit
    ) -> DayMismatch:
        reason = f"its rows are on shards {', '.join(map(str, holders))}, but it lies on one"
        names = set(holders.values())
        whole = names & {table.name for table in tables if table.replaced_whole}
        partition = "tuple()" if whole else repr(unit.partition)
        rows = quoted_database(rows_database(self))
        surplus = f"ALTER TABLE {rows}.<table> DROP PARTITION {partition}"
        next_step = f"run {surplus} on all of these shards but the right one, then {CLEAR_LOAD}"
        if whole and len(names) > 1:  # each is where it belongs
            next_step = f"let a run of its own stage {min(whole)}, which is replaced whole; drop nothing"
        return DayMismatch(self._connection_name, ", ".join(sorted(names)), unit.name, reason, next_step)

    def _answering(self, shard: int) -> Iterator[NativeClient]:
        """Yield a client of each server of the shard that answers. Raises: UnusableConnection: none does."""
        replicas, down = self.replicas(shard), list[ClickHouseError]()
        for node in replicas:
            there = self.client_of(node)
            try:
                there.execute("SELECT 1")
            except ClickHouseError as error:
                log.warning("%s", error)
                down.append(error)
                continue
            yield there
        if len(down) == len(replicas):
            servers = "; ".join(map(str, replicas))
            reason = f"no server of shard {shard} answers ({servers}): {facts_of(down[-1])}"
            next_step = "start one of them, or can this worker not reach it by that name and port?"
            raise UnusableConnection(self._connection_name, "extra.cluster", reason, next_step)

    def _held(self, shard: int, tables: Iterable[StagedTable], unit: Unit) -> str | None:
        """Return a table of which the shard has rows of the unit, None where it has none.

        Raises: DayMismatch where no replica is known to have all that the shard has.
        """
        table = ""
        for server in active_first(self._answering(shard), rows_database(self)):
            with server:
                try:
                    for table, partition in [(each.name, each.partition) for each in tables]:
                        if self._holds(server, table, partition, unit.partition):
                            return table
                except ClickHouseError as error:
                    log.warning("%s: it may be behind the other replicas: %s", server.where, error)
                    behind = f"not all that there is of it may be there yet: {facts_of(error)}"
                else:
                    return None
        next_step = f"start the other servers of shard {shard}, or see system.replicas and "
        next_step += "system.replication_queue of this one; the task may be run again"
        raise DayMismatch(self._connection_name, table, unit.name, behind, next_step)

    def _holds(
        self, server: NativeClient, table: str, partition: str | None, value: PartitionValue | None
    ) -> bool:
        belongs = f" WHERE {partition} = %(value)s" if partition else ""
        look = f"SELECT 1 FROM {beside_params(rows_of(self, table))}{belongs} LIMIT 1"
        bound = {"value": value}
        if server.execute(look, bound):
            return True
        sync_replica(server, rows_database(self), table)
        return bool(server.execute(look, bound))


def connect_to_unit(clickhouse: ClickHouse, tables: Iterable[StagedTable], unit: Unit) -> None:
    """On a cluster, move the client to the shard of the unit; staging tables are there."""
    if isinstance(clickhouse, ClusterClient):
        clickhouse.route_to_shard(tables, unit)


def rows_of(clickhouse: ClickHouse, table: str) -> str:
    """Return the quoted name of the table that holds what rows of `table` the connected server has."""
    is_cluster = isinstance(clickhouse, ClusterClient)
    return f"{quoted_database(rows_database(clickhouse))}.{quoted(table)}" if is_cluster else quoted(table)


def rows_database(clickhouse: ClickHouse) -> str:
    """Return the database of the tables that hold rows: on a cluster, not that of its Distributed tables."""
    is_cluster = isinstance(clickhouse, ClusterClient)
    return f"{clickhouse.database}_shard" if is_cluster else clickhouse.database


def local_engine(clickhouse: ClickHouse, table: str) -> str:
    """Return the clause that makes a copy of a Replicated table one that is on the connected server alone."""
    if not isinstance(clickhouse, ClusterClient):
        return ""
    found = clickhouse.execute(
        "SELECT engine_full FROM system.tables WHERE database = %(database)s AND name = %(table)s",
        {"database": rows_database(clickhouse), "table": table},
    )
    engine = found[0][0] if found else "MergeTree"  # the server says that there is no such table
    return " ENGINE = " + _REPLICATED.sub(r"\g<kind>(", engine)


def each_server(clickhouse: ClickHouse) -> Iterator[ClickHouse]:
    """Yield a client of each server that answers, and warn of the others; without a cluster itself."""
    if not isinstance(clickhouse, ClusterClient):
        yield clickhouse
        return
    yield from _each_that(clickhouse, lambda server: server.execute("SELECT 1"))


def await_replicas(clickhouse: ClickHouse, table: str) -> None:
    """Wait until all replicas have what was written to `table`; those that cannot are warned of, once."""
    if not isinstance(clickhouse, ClusterClient):
        return
    database = rows_database(clickhouse)
    for _ in _each_that(clickhouse, lambda server: sync_replica(server, database, table)):
        pass  # it has them


def _each_that(clickhouse: ClusterClient, stands: Callable[[NativeClient], object]) -> Iterator[NativeClient]:
    """Yield a client of each server that stands a proof; warn of the others and leave them out after that."""
    for node in clickhouse.nodes():
        if node in clickhouse.left_out:
            continue
        with clickhouse.client_of(node) as server:
            try:
                stands(server)
            except ClickHouseError as error:
                clickhouse.left_out.add(node)
                log.warning(
                    "%s. Until this server has caught up, readers whom it answers may see the old day", error
                )
                continue
            yield server
