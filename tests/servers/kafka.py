"""A real Apache Kafka (KRaft, one node) on free ports of 127.0.0.1, where the set-up could get it.

Fixtures: `kafka` (session), `topic` (a fresh name per test). `make test-kafka` brings the jars.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificate

from tests.servers.certificates import certified
from tests.servers.clickhouse import fast_disk
from tests.servers.free_port import free_ports

JARS = Path(os.environ.get("STAGEHOUSE_KAFKA_JARS") or Path(sys.prefix) / "kafka")
needs_kafka = pytest.mark.skipif(
    not (JARS / "pom.xml").exists() or shutil.which("java") is None,
    reason="no Apache Kafka: Maven or Java was missing, or Maven's registry; see `make test-kafka`",
)
USER, PASSWORD = "reader", "kafka-pässword-s3cret"  # librdkafka sends UTF-8
START_TIMEOUT_S = 60
_MEMORY = ("-Xms128m", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
log.dirs={directory}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
message.max.bytes=10485760
log.segment.bytes=4194304
log.segment.delete.delay.ms=1000
log.retention.check.interval.ms=1000
log.retention.ms=-1
log.cleaner.backoff.ms=500
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PKCS12
ssl.keystore.location={directory}/broker.p12
ssl.keystore.password=keystore
"""


class KafkaBroker:
    """One broker in a directory of its own; its data outlives stop() and kill().

    Args: directory, of its data, perhaps in memory; unpacked, where programs may be run from, too.
    Attributes: bootstrap, secure: its addresses without and with TLS and password; ca: the file of those who
    trust it.
    """

    def __init__(self, directory: Path, unpacked: Path) -> None:
        self.directory, self._unpacked = directory, unpacked
        self.port, self._secure_port, controller = free_ports(3)
        self.bootstrap, self.secure = f"127.0.0.1:{self.port}", f"127.0.0.1:{self._secure_port}"
        self.ca = self._make_keystore()
        facts = {"port": self.port, "secure": self._secure_port, "controller": controller}
        self._properties = directory / "server.properties"
        self._properties.write_text(_PROPERTIES.format(**facts, directory=directory))
        self._process: subprocess.Popen[bytes] | None = None
        cluster = ""
        while not cluster or cluster.startswith("-"):  # it would be taken for an option
            cluster = self._tool("random-uuid").strip()
        user = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        self._tool("format", "-t", cluster, "-c", str(self._properties), "--add-scram", user)

    def start(self) -> None:
        """Start the broker (no-op when it runs) and wait until it answers."""
        if self._process is not None:
            return
        with (self.directory / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._properties)),
                cwd=self.directory,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                log = (self.directory / "output.log").read_text(errors="replace")[-3000:]
                pytest.fail(f"Kafka did not start:\n{log}", pytrace=False)

    def kill(self) -> None:
        """Stop the broker as the kernel would."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.wait()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Have the broker be there and not answer."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @cached_property
    def admin(self) -> AdminClient:
        """A client; futures of one that is thrown away never answer."""
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def create(self, topic: str, partitions: int = 1, **settings: Any) -> None:
        """Make a topic; settings with _ for a dot."""
        config = {name.replace("_", "."): str(value) for name, value in settings.items()}
        _wait(self.admin.create_topics([NewTopic(topic, partitions, 1, config=config)]))
        self._await_topic(topic, there=True)

    def delete(self, topic: str) -> None:
        """Delete a topic, and wait until it is gone."""
        _wait(self.admin.delete_topics([topic]))
        self._await_topic(topic, there=False)

    def add_partitions(self, topic: str, total: int) -> None:
        """Have the topic be of `total` partitions."""
        _wait(self.admin.create_partitions([NewPartitions(topic, total)]))
        while len(self.admin.list_topics(topic).topics[topic].partitions) < total:
            time.sleep(0.05)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Delete what lies before an offset."""
        _wait(self.admin.delete_records([TopicPartition(topic, partition, before)]))

    def topic_id(self, topic: str) -> str:
        """Return the topic's id."""
        (found,) = self.admin.describe_topics(TopicCollection([topic])).values()
        return str(found.result(10).topic_id)

    def produce(
        self, topic: str, messages: Iterable[Any], partition: int = 0, key: Any = b"u1", **settings: Any
    ) -> None:
        """Write values, or (key, value) pairs, to one partition; settings with _ for a dot."""
        config = {name.replace("_", "."): value for name, value in settings.items()}
        timestamp = config.pop("timestamp", 0)
        producer = Producer({"bootstrap.servers": self.bootstrap, "message.max.bytes": 10485760} | config)
        for message in messages:
            own_key, value = message if isinstance(message, tuple) else (key, message)
            while True:
                try:
                    producer.produce(topic, value, own_key, partition, timestamp=timestamp)
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(60) == 0

    def transaction(self, topic: str, values: Iterable[Any], end: str, partition: int = 0) -> Producer:
        """Write values in one transaction; end: "commit", "abort" or "" to leave it open."""
        producer = Producer(
            {"bootstrap.servers": self.bootstrap, "transactional.id": uuid4().hex, "linger.ms": 5}
        )
        producer.init_transactions(30)
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value, b"u1", partition)
        producer.flush(30)
        if end == "commit":
            producer.commit_transaction(30)
        elif end == "abort":
            producer.abort_transaction(30)
        return producer

    def committed(self, group: str, topic: str, partition: int = 0) -> int:
        """Return the offset that a group has committed."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group})
        try:
            (found,) = consumer.committed([TopicPartition(topic, partition)], 20)
            return int(found.offset)
        finally:
            consumer.close()

    def options(self, **more: Any) -> dict[str, Any]:
        """Return the extra of a connection."""
        return {"bootstrap.servers": self.bootstrap} | more

    def secure_options(self, password: str = PASSWORD, user: str = USER) -> dict[str, Any]:
        """Return the extra of a connection with TLS and a password."""
        return {
            "bootstrap.servers": self.secure,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": password,
            "ssl.ca.location": str(self.ca),
        }

    def _answers(self) -> bool:
        try:
            return bool(self.admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def _await_topic(self, topic: str, *, there: bool) -> None:
        while (topic in self.admin.list_topics(timeout=10).topics) != there:
            time.sleep(0.05)

    def _tool(self, *arguments: str) -> str:
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", *arguments), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _java(self, program: str, *arguments: str) -> list[str]:
        # Java unpacks libraries there, and a broker that is killed leaves them.
        own = f"-Djava.io.tmpdir={self._unpacked}"
        return ["java", *_MEMORY, own, "-cp", f"{JARS}/*", program, *arguments]

    def _make_keystore(self) -> Path:
        _, ca = certified(self.directory, "127.0.0.1")
        certificate = load_pem_x509_certificate(ca.read_bytes())
        key = load_pem_private_key((self.directory / "key.pem").read_bytes(), None)
        store = pkcs12.serialize_key_and_certificates(
            b"broker", key, certificate, None, BestAvailableEncryption(b"keystore")
        )
        (self.directory / "broker.p12").write_bytes(store)
        return ca


def _wait(futures: dict[Any, Any]) -> None:
    for future in futures.values():
        future.result(30)


@contextmanager
def running_kafka() -> Iterator[KafkaBroker]:
    """A broker of your own."""
    with (
        tempfile.TemporaryDirectory(prefix="stagehouse-kafka-", dir=fast_disk()) as directory,
        tempfile.TemporaryDirectory(prefix="stagehouse-kafka-java-") as unpacked,
    ):
        broker = KafkaBroker(Path(directory), Path(unpacked))
        try:
            broker.start()
            yield broker
        finally:
            broker.kill()


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaBroker]:
    """The session's broker (about 4 s). A test that kills it starts it again."""
    with running_kafka() as broker:
        yield broker


@pytest.fixture
def topic(kafka: KafkaBroker) -> str:
    """A fresh name of a topic; the broker is brought back first if a test before left it stopped."""
    kafka.start()
    return f"topic_{uuid4().hex[:10]}"
