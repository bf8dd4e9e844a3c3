"""How fast does a topic come in, against a bare pipe, and does memory grow with it?

The pipe is `kcat | clickhouse-client` where both are installed. Else the same client as ours consumes, and
sends the values as they are into an INSERT ... FORMAT JSONEachRow: the same work in one process. Neither has
a file, a proof, a ledger, or what a row has beside its value. Ours is done by one process, and by two, as the
DAG maps `stage` and `load` over partitions. MESSAGES=50000 takes fewer than a million.

`python -m tests.bench.kafka_batches JSON` stages a topic and prints the peak memory in KiB.
"""

from __future__ import annotations

import http.client
import itertools
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from include.clickhouse.client import NativeClient
from include.clickhouse.load import StagedPart
from include.kafka.plan import Plan, groups_of
from include.staging.manifest import Manifest, read_manifest
from tests.bench.findings import Finding, at_least, at_most, require_equal
from tests.bench.load_memory import peak_kib
from tests.bench.rounds import in_turn, ratios, typical
from tests.integration.kafka.place import Place, staged_by
from tests.servers.clickhouse import ClickHouseServer, running_clickhouse
from tests.servers.kafka import KafkaBroker, running_kafka

MESSAGES = int(os.environ.get("MESSAGES") or 1_000_000)
MANY = 5 * MESSAGES
PARTITIONS, ROUNDS = 2, 3
TABLES = ("user_events", "kafka_offsets", "kafka_dead_letters", "loads_by_unit")
_NUMBERS = itertools.count()
_PLACES = list[Place]()  # of a process of the pool
PIPE = "bench.pipe (user_id String, action String, description String, event_time String, start_time String, "
PIPE += "end_time String) ENGINE = MergeTree ORDER BY user_id"


def run() -> list[Finding]:
    """Bring a million messages in, both ways, in turn; stage one and five million."""
    with (
        tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder,
        running_kafka() as kafka,
        running_clickhouse() as server,
        ExitStack() as stack,
    ):
        for database in ("bench", "memory"):
            server.execute(f"CREATE DATABASE {database}")
        produce(kafka, "few", MESSAGES)
        where = _work(kafka, server, Path(folder) / "speed", "few", "bench")
        place = _place(where)
        pool = stack.enter_context(
            ProcessPoolExecutor(PARTITIONS, multiprocessing.get_context("spawn"), _begin, (where,))
        )
        has_kcat = bool(shutil.which("kcat") and shutil.which("clickhouse-client"))
        pipe, name = (
            (_kcat, "kcat | clickhouse-client") if has_kcat else (_pipe, "a bare consumer and INSERT")
        )
        work = {
            "ours": partial(_ours, place, _by_one),
            "mapped": partial(_ours, place, partial(_by_several, pool)),
            "pipe": partial(_measured, pipe, kafka, server),
        }
        seconds = in_turn(work, ROUNDS)
        produce(kafka, "many", MANY)
        peaks = in_turn(
            {topic: partial(_peak, kafka, server, Path(folder) / topic, topic) for topic in ("few", "many")},
            1,
            warm_ups=0,
        )
    against = f"s against {typical(seconds['pipe'])} s"
    question = f"{MESSAGES:,} messages of 160 bytes, {{}}: messages/s of {name}"
    memory = f"{typical(peaks['many'], 0)} MiB against {typical(peaks['few'], 0)} MiB"
    return [
        at_least(
            question.format("one process"),
            ratios(seconds["pipe"], seconds["ours"]),
            0.3,
            remark=f"{typical(seconds['ours'])} {against}",
        ),
        at_least(
            question.format("two processes, by partition"),
            ratios(seconds["pipe"], seconds["mapped"]),
            0.5,
            remark=f"{typical(seconds['mapped'])} {against}",
        ),
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


def _work(
    kafka: KafkaBroker, server: ClickHouseServer, directory: Path, topic: str, database: str
) -> dict[str, Any]:
    """Return what another process needs, as JSON has it."""
    login = {"user": server.user, "password": server.password}
    engine = {"host": server.host, "port": server.port, "database": database, **login}
    return {"options": kafka.options(), "topic": topic, "directory": str(directory), "engine": engine}


def _place(work: dict[str, Any]) -> Place:
    connect = partial(NativeClient, "bench", **work["engine"])
    return Place(work["options"], work["topic"], connect, Path(work["directory"]))


def _ours(place: Place, stage_and_load: Callable[[Place, Plan], list[StagedPart]]) -> float:
    with place.connect() as clickhouse:
        for table in TABLES:
            clickhouse.execute(f"TRUNCATE TABLE {table}")
    plan = place.plan(f"run {next(_NUMBERS)}", max_messages=MESSAGES)
    directory = place.directory / plan.run_id
    began = time.monotonic()
    loaded = stage_and_load(place, plan)
    with place.connect() as clickhouse:
        place.publish(read_manifest(directory, staged_by(plan)), clickhouse, loaded)
    seconds = time.monotonic() - began
    found = place.read("SELECT count(), uniqExact(`partition`, `offset`) FROM user_events")
    require_equal("rows and keys", found, [(MESSAGES, MESSAGES)])
    shutil.rmtree(directory)
    return seconds


def _by_one(place: Place, plan: Plan) -> list[StagedPart]:
    manifest = place.stage(plan.model_copy(update={"groups": groups_of(plan.ranges, 1, 1)}))
    with place.connect() as clickhouse:
        return place.load(manifest, clickhouse)


def _by_several(pool: ProcessPoolExecutor, _: Place, plan: Plan) -> list[StagedPart]:
    plan = plan.model_copy(update={"groups": groups_of(plan.ranges, PARTITIONS, 1)})
    groups = list(pool.map(partial(_stage, plan), plan.groups))
    return [part for some in pool.map(_load, groups) for part in some]


def _begin(work: dict[str, Any]) -> None:
    """Prepare a process of the pool, as an Airflow worker has imported what it needs."""
    _PLACES.append(_place(work))


def _stage(plan: Plan, partitions: tuple[int, ...]) -> Manifest:
    return _PLACES[0].stage_group(plan, partitions)


def _load(of_group: Manifest) -> list[StagedPart]:
    with _PLACES[0].connect() as clickhouse:
        return _PLACES[0].load(of_group, clickhouse)


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
    work = _work(kafka, server, directory, topic, "memory")
    command = [sys.executable, "-m", "tests.bench.kafka_batches", json.dumps(work)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


def main(work: dict[str, Any]) -> None:
    """Stage all of a topic and print the peak memory of this process."""
    place = _place(work)
    plan = place.plan(max_messages=MANY)
    counts = place.stage(plan.model_copy(update={"groups": groups_of(plan.ranges, 1, 1)})).facts
    require_equal("rows staged", counts["rows"], MESSAGES if work["topic"] == "few" else MANY)
    sys.stdout.write(f"{peak_kib()}\n")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
