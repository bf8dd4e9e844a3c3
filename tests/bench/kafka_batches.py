"""How fast does a topic come in, against a bare pipe, and does memory grow with it?

The pipe is `kcat | clickhouse-client` where both are installed. Else the same client as ours consumes, and
sends the values as they are into an INSERT ... FORMAT JSONEachRow: the same work in one process. Neither has
a file, a proof, a ledger, or what a row has beside its value. MESSAGES=50000 takes fewer than a million.

`python -m tests.bench.kafka_batches JSON` stages a topic and prints the peak memory in KiB.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from include.clickhouse.client import NativeClient
from tests.bench.findings import Finding, at_least, at_most, require_equal
from tests.bench.load_memory import peak_kib
from tests.bench.rounds import in_turn, ratios, typical
from tests.integration.kafka.place import Place
from tests.servers.clickhouse import ClickHouseServer, running_clickhouse
from tests.servers.kafka import KafkaBroker, running_kafka

MESSAGES = int(os.environ.get("MESSAGES") or 1_000_000)
MANY = 5 * MESSAGES
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
        for database in ("bench", "memory"):
            server.execute(f"CREATE DATABASE {database}")
        produce(kafka, "few", MESSAGES)
        place = _place(kafka, server, Path(folder) / "speed", "few")
        has_kcat = bool(shutil.which("kcat") and shutil.which("clickhouse-client"))
        pipe, name = (
            (_kcat, "kcat | clickhouse-client") if has_kcat else (_pipe, "a bare consumer and INSERT")
        )
        work = {"ours": partial(_ours, place), "pipe": partial(_measured, pipe, kafka, server)}
        seconds = in_turn(work, ROUNDS)
        produce(kafka, "many", MANY)
        peaks = in_turn(
            {topic: partial(_peak, kafka, server, Path(folder) / topic, topic) for topic in ("few", "many")},
            1,
            warm_ups=0,
        )
    remark = f"{typical(seconds['ours'])} s against {typical(seconds['pipe'])} s"
    question = f"{MESSAGES:,} messages of 160 bytes, one process: messages/s of {name}"
    memory = f"{typical(peaks['many'], 0)} MiB against {typical(peaks['few'], 0)} MiB"
    return [
        at_least(question, ratios(seconds["pipe"], seconds["ours"]), 0.3, remark=remark),
        at_most(
            f"stage {MANY:,} messages: peak memory of staging {MESSAGES:,}",
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
    connect = partial(NativeClient, "bench", **_engine(server, "bench"))
    return Place(kafka.options(), topic, connect, directory)


def _engine(server: ClickHouseServer, database: str) -> dict[str, Any]:
    login = {"user": server.user, "password": server.password}
    return {"host": server.host, "port": server.port, "database": database, **login}


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


def _measured(
    pipe: Callable[[KafkaBroker, ClickHouseServer], None], kafka: KafkaBroker, server: ClickHouseServer
) -> float:
    server.execute("DROP TABLE IF EXISTS bench.pipe")
    server.execute(f"CREATE TABLE {PIPE}")
    began = time.monotonic()
    pipe(kafka, server)
    seconds = time.monotonic() - began
    require_equal("rows of the pipe", server.execute("SELECT count() FROM bench.pipe"), str(MESSAGES))
    return seconds


def _kcat(kafka: KafkaBroker, server: ClickHouseServer) -> None:
    consume = ["kcat", "-C", "-q", "-e", "-b", kafka.bootstrap, "-t", "few", "-o", "beginning"]
    insert = ["clickhouse-client", "--host", server.host, "--port", str(server.port), "--query"]
    insert += ["INSERT INTO bench.pipe FORMAT JSONEachRow"]
    with subprocess.Popen(consume, stdout=subprocess.PIPE) as process:
        subprocess.run(insert, stdin=process.stdout, check=True)


def _pipe(kafka: KafkaBroker, server: ClickHouseServer) -> None:
    connection = http.client.HTTPConnection(server.host, server.http_port)
    insert = "/?query=INSERT%20INTO%20bench.pipe%20FORMAT%20JSONEachRow"
    connection.request("POST", insert, _values(kafka), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    require_equal("status of the INSERT", connection.getresponse().status, 200)


def _values(kafka: KafkaBroker) -> Iterator[bytes]:
    consumer, left = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "pipe"}), MESSAGES
    consumer.assign([TopicPartition("few", partition, 0) for partition in range(PARTITIONS)])
    while left:
        some = consumer.consume(1000, 0.2)
        left -= len(some)
        if some:
            yield b"\n".join([each.value() or b"" for each in some]) + b"\n"
    consumer.close()


def _peak(kafka: KafkaBroker, server: ClickHouseServer, directory: Path, topic: str) -> float:
    work = {
        "options": kafka.options(),
        "topic": topic,
        "directory": str(directory),
        "engine": _engine(server, "memory"),
    }
    command = [sys.executable, "-m", "tests.bench.kafka_batches", json.dumps(work)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


def main(work: dict[str, Any]) -> None:
    """Stage all of a topic and print the peak memory of this process."""
    connect = partial(NativeClient, "bench", **work["engine"])
    place = Place(work["options"], work["topic"], connect, Path(work["directory"]))
    counts = place.stage(place.plan(max_messages=MANY)).facts
    require_equal("rows staged", counts["rows"], MESSAGES if work["topic"] == "few" else MANY)
    sys.stdout.write(f"{peak_kib()}\n")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
