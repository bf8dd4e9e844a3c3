"""A ClickHouse cluster on one host: ZooKeeper, and servers of 2 shards x 2 replicas.

Use `running_cluster()` in a fixture of the package that needs it: start-up takes about 3 s.
"""

import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.clickhouse import ClickHouseServer, clickhouse_program, fast_disk
from tests.servers.free_port import free_ports

CLUSTER = "stage"
SHARDS = REPLICAS = 2
START_TIMEOUT_S = 60
SESSION_ENDS_WITHIN_S = 10  # 3 s after its last sign of life
# Until a replica has read its queue it is not active, and its delay is the time since 1970. Where the session
# of a killed server has not ended when it starts again, it tries again after 10 s only.
INACTIVE = "SELECT count() FROM system.replicas WHERE absolute_delay > 1000000000"
ZOOKEEPER_JAR = Path("/usr/share/java/zookeeper.jar")
ZOOKEEPER_CONFIG = """clientPort={port}
clientPortAddress=127.0.0.1
dataDir={directory}/data
admin.enableServer=false
4lw.commands.whitelist=srvr,mntr
tickTime=500
maxClientCnxns=0
"""
NODE_CONFIG = """<yandex>
    <interserver_http_host>127.0.0.1</interserver_http_host>
    <interserver_http_port>{interserver_port}</interserver_http_port>
    <zookeeper>
        <node><host>127.0.0.1</host><port>{zookeeper_port}</port></node>
        <session_timeout_ms>3000</session_timeout_ms>
    </zookeeper>
    <macros><shard>{shard:02}</shard><replica>{replica}</replica></macros>
    <distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>
    <merge_tree><cleanup_delay_period>1</cleanup_delay_period></merge_tree>
    <remote_servers><{cluster}>{shards}</{cluster}></remote_servers>
</yandex>
"""


@dataclass
class Cluster:
    """Running servers.

    Attributes: name, in the servers' configuration; nodes, by (shard, replica) from 1; zookeeper_port.
    """

    name: str
    nodes: dict[tuple[int, int], ClickHouseServer]
    zookeeper_port: int

    def restart(self) -> None:
        """Start what a test has stopped, start anew what is not active, and wait until all replicas are."""
        for node in self.nodes.values():
            if node.process and node.execute(INACTIVE) != "0":
                node.stop()  # it would try again after 10 s only
        running = sum(node.process is not None for node in self.nodes.values())
        until = time.monotonic() + SESSION_ENDS_WITHIN_S
        while self._sessions() > running and time.monotonic() < until:
            time.sleep(0.05)
        for node in self.nodes.values():
            node.start()
        deadline = time.monotonic() + START_TIMEOUT_S
        for node in self.nodes.values():
            while node.execute(INACTIVE) != "0":
                assert time.monotonic() < deadline, "a replica is not active"
                time.sleep(0.05)

    def _sessions(self) -> int:
        answer = _ask_zookeeper(self.zookeeper_port, b"mntr")
        found = re.search(rb"zk_global_sessions\t(\d+)", answer)
        assert found, f"ZooKeeper does not tell how many sessions it has: {answer!r}"
        return int(found[1])


@contextmanager
def running_zookeeper(directory: Path) -> Iterator[int]:
    """ZooKeeper, keeping its data in `directory`; gives its port."""
    java = shutil.which("java")
    if java is None or not ZOOKEEPER_JAR.exists():
        pytest.fail("no ZooKeeper on this machine: apt-get install zookeeper", pytrace=False)
    (port,) = free_ports(1)
    config = directory / "zoo.cfg"
    config.write_text(ZOOKEEPER_CONFIG.format(port=port, directory=directory))
    main = "org.apache.zookeeper.server.ZooKeeperServerMain"
    command = [java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", str(ZOOKEEPER_JAR), main, str(config)]
    with (directory / "output.log").open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _await_zookeeper(process, port, directory / "output.log")
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Servers of a cluster named CLUSTER with macros, ZooKeeper and ON CLUSTER; their files are removed."""
    top = Path(tempfile.mkdtemp(prefix="stagehouse-cluster-", dir=fast_disk()))
    try:
        with ExitStack() as running:
            (top / "zookeeper").mkdir()
            zookeeper_port = running.enter_context(running_zookeeper(top / "zookeeper"))
            nodes = {
                (shard, replica): _node(top, shard, replica)
                for shard in range(1, SHARDS + 1)
                for replica in range(1, REPLICAS + 1)
            }
            for (shard, replica), node in nodes.items():
                (interserver_port,) = free_ports(1)
                facts = {"interserver_port": interserver_port, "zookeeper_port": zookeeper_port}
                facts |= {"shard": shard, "replica": replica, "cluster": CLUSTER, "shards": _shards(nodes)}
                (node.directory / "config.d").mkdir()
                (node.directory / "config.d" / "cluster.xml").write_text(NODE_CONFIG.format(**facts))
                running.callback(node.kill)
                node.start()
            yield Cluster(CLUSTER, nodes, zookeeper_port)
    finally:
        shutil.rmtree(top)


def _node(top: Path, shard: int, replica: int) -> ClickHouseServer:
    directory = top / f"{shard}-{replica}"
    directory.mkdir()
    return ClickHouseServer(clickhouse_program(), directory, "UTC")


def _shards(nodes: dict[tuple[int, int], ClickHouseServer]) -> str:
    texts = []
    for shard in range(1, SHARDS + 1):
        replicas = "".join(
            f"<replica><host>127.0.0.1</host><port>{nodes[shard, replica].port}</port></replica>"
            for replica in range(1, REPLICAS + 1)
        )
        texts.append(f"<shard><internal_replication>true</internal_replication>{replicas}</shard>")
    return "".join(texts)


def _await_zookeeper(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    # An open port is not enough: servers that are refused once do not take ON CLUSTER for a second.
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _serves(port):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"ZooKeeper did not start:\n{log.read_text()[-2000:]}", pytrace=False)
        time.sleep(0.05)


def _serves(port: int) -> bool:
    try:
        return b"Mode: standalone" in _ask_zookeeper(port, b"srvr", timeout_s=1)
    except OSError:
        return False


def _ask_zookeeper(port: int, word: bytes, timeout_s: float = 30) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        connection.sendall(word)
        return connection.makefile("rb").read()
