"""How fast does a topic come in, against a bare pipe, and does memory grow with it?

The pipe consumes with the same client and sends the values as they are into an INSERT ... FORMAT JSONEachRow:
what `kcat | clickhouse-client` does, without a file, a proof, a ledger, or what a row has beside its value.
Answers: the promises in docs/kafka-events.md.

`python -m tests.bench.kafka_batches JSON` stages a topic and prints the peak memory in KiB.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from include.clickhouse.client import NativeClient
from tests.bench.findings import Finding, at_least, at_most, require_equal
from tests.bench.load_memory import peak_kib
from tests.bench.rounds import in_turn, ratios, typical
from tests.integration.kafka.place import Place
from tests.servers.clickhouse import ClickHouseServer, running_clickhouse
from tests.servers.kafka import KafkaBroker, running_kafka

MESSAGES, MANY = 1_000_000, 5_000_000
PARTITIONS, ROUNDS = 2, 3
TABLES = ("user_events", "kafka_offsets", "kafka_dead_letters", "loads_by_unit")
PIPE = "bench.pipe (user_id String, action String, description String, event_time String, start_time String, "
PIPE += "end_time String) ENGINE = MergeTree ORDER BY user_id"


def run() -> list[Finding]:
    """Bring a million messages in, both ways, in turn; stage one and five million."""
    with (
        tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder,
        running_kafka() as kafka,
        running_clickhouse() as server,
    ):
        server.execute("CREATE DATABASE bench")
        produce(kafka, "few", MESSAGES)
        place = _place(kafka, server, Path(folder) / "speed", "few")
        work = {"ours": partial(_ours, place), "pipe": partial(_pipe, kafka, server)}
        seconds = in_turn(work, ROUNDS)
        produce(kafka, "many", MANY)
        peaks = in_turn(
            {topic: partial(_peak, kafka, Path(folder) / topic, topic) for topic in ("few", "many")},
            1,
            warm_ups=0,
        )
    remark = f"{typical(seconds['ours'])} s against {typical(seconds['pipe'])} s"
    question = "1 M messages of 160 bytes, one process: messages/s of a bare pipe"
    memory = f"{typical(peaks['many'], 0)} MiB against {typical(peaks['few'], 0)} MiB"
    return [
        at_least(question, ratios(seconds["pipe"], seconds["ours"]), 0.3, remark=remark),
        at_most(
            "stage 5 M messages: peak memory of staging 1 M",
            ratios(peaks["many"], peaks["few"]),
            1.1,
            remark=memory,
        ),
    ]


def message(number: int) -> bytes:
    """Return a message of about 160 bytes."""
    clock = f"{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}"
    return (
        b'{"user_id":"u%d","action":"click","description":"event-%07d","event_time":"2026-08-20T%sZ",'
        b'"start_time":"05:00:00","end_time":"05:00:10"}' % (number % 997, number, clock.encode())
    )


def produce(kafka: KafkaBroker, topic: str, count: int) -> None:
    """Fill a topic."""
    kafka.create(topic, PARTITIONS, segment_bytes=1_073_741_824)
    for partition in range(PARTITIONS):
        values = map(message, range(partition, count, PARTITIONS))
        kafka.produce(topic, values, partition, linger_ms=20, compression_type="lz4")


def _place(kafka: KafkaBroker, server: ClickHouseServer, directory: Path, topic: str) -> Place:
    login = {"user": server.user, "password": server.password}
    connect = partial(NativeClient, "bench", server.host, server.port, "bench", **login)
    return Place(kafka.options(), topic, connect, directory)


def _ours(place: Place) -> float:
    with place.connect() as clickhouse:
        for table in TABLES:
            clickhouse.execute(f"TRUNCATE TABLE {table}")
    plan = place.plan(max_messages=MESSAGES)
    began = time.monotonic()
    manifest = place.stage(plan)
    with place.connect() as clickhouse:
        place.publish(manifest, clickhouse, place.load(manifest, clickhouse))
    seconds = time.monotonic() - began
    found = place.read("SELECT count(), uniqExact(`partition`, `offset`) FROM user_events")
    require_equal("rows and keys", found, [(MESSAGES, MESSAGES)])
    return seconds


def _pipe(kafka: KafkaBroker, server: ClickHouseServer) -> float:
    server.execute("DROP TABLE IF EXISTS bench.pipe")
    server.execute(f"CREATE TABLE {PIPE}")
    began = time.monotonic()
    connection = http.client.HTTPConnection(server.host, server.http_port)
    insert = "/?query=INSERT%20INTO%20bench.pipe%20FORMAT%20JSONEachRow"
    connection.request("POST", insert, _values(kafka), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    require_equal("status of the INSERT", connection.getresponse().status, 200)
    seconds = time.monotonic() - began
    require_equal("rows of the pipe", server.execute("SELECT count() FROM bench.pipe"), str(MESSAGES))
    return seconds


def _values(kafka: KafkaBroker) -> Iterator[bytes]:
    consumer, left = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "pipe"}), MESSAGES
    consumer.assign([TopicPartition("few", partition, 0) for partition in range(PARTITIONS)])
    while left:
        some = consumer.consume(1000, 0.2)
        left -= len(some)
        if some:
            yield b"\n".join([each.value() or b"" for each in some]) + b"\n"
    consumer.close()


def _peak(kafka: KafkaBroker, directory: Path, topic: str) -> float:
    work = {"options": kafka.options(), "topic": topic, "directory": str(directory)}
    command = [sys.executable, "-m", "tests.bench.kafka_batches", json.dumps(work)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


def main(work: dict[str, str]) -> None:
    """Stage all of a topic and print the peak memory of this process."""
    from include.clickhouse.embedded import EmbeddedClient

    directory = Path(work["directory"])
    connect = partial(EmbeddedClient, "bench", directory / "chdb", "stagehouse")
    place = Place(work["options"], work["topic"], connect, directory / "staging")  # type: ignore[arg-type]
    place.stage(place.plan(max_messages=MANY))
    sys.stdout.write(f"{peak_kib()}\n")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
