"""A cluster of 2 shards x 2 replicas for all tests here, and the day that happens on it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from include.clickhouse.cluster import ClusterClient
from tests.faults.day import FaultyDay
from tests.integration.clickhouse.days import DAY
from tests.servers.clickhouse_cluster import SHARDS, Cluster, running_cluster

WHERE = "connection 'clickhouse_default'"
HOME = 1 + DAY.toordinal() % SHARDS  # the shard that DAY belongs on


class ClusterDatabase:
    """A database of a test's own. Attributes: cluster; name."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.name = cluster, f"test_{uuid4().hex[:12]}"
        cluster.nodes[1, 1].execute(f"CREATE DATABASE {self.name}")

    def connect(self, shard: int = 1, replica: int = 1, **options: Any) -> ClusterClient:
        """A client of the loader, at first connected to this server."""
        server = self.cluster.nodes[shard, replica]
        options = {"user": server.user, "password": server.password, "cluster": self.cluster.name} | options
        return ClusterClient(WHERE, server.host, server.port, self.name, **options)

    def staging_tables(self) -> set[tuple[int, int]]:
        """Return the servers that have staging tables."""
        find = f"SELECT 1 FROM system.tables WHERE database = '{self.name}' AND match(name, '__stg_') LIMIT 1"
        return {place for place, node in self.cluster.nodes.items() if node.process and node.execute(find)}

    def counts(self, table: str) -> dict[tuple[int, int], int]:
        """Return the rows that each running server has of its own."""
        count = f"SELECT count() FROM {self.name}_shard.{table}"
        nodes = self.cluster.nodes.items()
        return {place: int(node.execute(count)) for place, node in nodes if node.process}


class ClusterDay(FaultyDay):
    """The day, as it is on one server, on a cluster."""

    def __init__(self, database: ClusterDatabase, root: Path) -> None:
        self.place = database
        super().__init__(database.cluster.nodes[1, 1], database.name, root)

    def connect(self, port: int | None = None, **options: Any) -> ClusterClient:
        """A client of the loader, at first connected to a server that is there."""
        assert port is None
        shard, replica = next(place for place, node in self.place.cluster.nodes.items() if node.process)
        return self.place.connect(**({"shard": shard, "replica": replica} | options))


@pytest.fixture(scope="package")
def running() -> Iterator[Cluster]:
    """The cluster, for all tests of this package."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    """The cluster; what a test has stopped is started again."""
    yield running
    running.restart()
    for node in running.nodes.values():
        node.execute("SYSTEM START FETCHES")


@pytest.fixture
def database(cluster: Cluster) -> ClusterDatabase:
    """A database of the test's own, on the first server only."""
    return ClusterDatabase(cluster)


@pytest.fixture
def day(database: ClusterDatabase, tmp_path: Path) -> ClusterDay:
    """The day before it is published anew."""
    return ClusterDay(database, tmp_path)
