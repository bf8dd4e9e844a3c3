"""Are messages lost or doubled when consumers are killed, again and again, at random points?

Of our runs, and of two naive consumers, written for this: one lets the client commit by itself, the other
commits after its insert. KILLS=5 kills each less often. `python -m tests.bench.kafka_kills JSON` is one of
them, to be killed.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from include.clickhouse.client import NativeClient
from include.kafka.session import offset_of
from tests.bench.findings import Finding, at_most, require_equal
from tests.integration.kafka.place import Place, event
from tests.servers.clickhouse import running_clickhouse
from tests.servers.kafka import running_kafka

KILLS = int(os.environ.get("KILLS") or 50)
AT_ONCE, OF_A_RUN, PAUSE_S = 100, 2_000, 0.05
LATEST_S = 1.5  # of a kill, after the consumer is at work
GATHERED = 500  # rows of a naive consumer's insert: ClickHouse takes no row by row
MESSAGES = OF_A_RUN * KILLS
READY = "ready"
NAIVE = {"auto": "commits by itself", "after": "commits after its insert"}


def run() -> list[Finding]:
    """Kill each of the three so often, let it end, and count."""
    with (
        tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder,
        running_kafka() as kafka,
        running_clickhouse() as server,
    ):
        server.execute("CREATE DATABASE bench")
        kafka.create("t")
        kafka.produce("t", map(event, range(MESSAGES)), linger_ms=20)
        login = {"user": server.user, "password": server.password}
        engine = {"host": server.host, "port": server.port, "database": "bench", **login}
        counted = {}
        for who in ("ours", *NAIVE):
            if who in NAIVE:
                server.execute(
                    f"CREATE TABLE bench.{who} (`offset` UInt64) ENGINE = MergeTree ORDER BY `offset`"
                )
            work = {"who": who, "options": kafka.options(), "engine": engine, "directory": folder}
            _kill(work)
            table = "user_events" if who == "ours" else who
            rows, keys = server.execute(f"SELECT count(), uniqExact(`offset`) FROM bench.{table}").split("\t")
            counted[who] = MESSAGES - int(keys), int(rows) - int(keys)
    lost, doubled = counted["ours"]
    question = f"after {KILLS} kills at random points: messages"
    remark = "; ".join(
        f"a consumer that {words} has lost {counted[who][0]:,} and doubled {counted[who][1]:,}"
        for who, words in NAIVE.items()
    )
    return [
        at_most(f"{question} lost", [lost], 0, digits=0, remark=remark),
        at_most(f"{question} doubled", [doubled], 0, digits=0),
    ]


def _kill(work: dict[str, Any]) -> None:
    moments = random.Random(20)  # noqa: S311 - the same moments each time
    for number in itertools.count():
        with _start(work | {"number": number}) as process:
            assert process.stdout
            require_equal("what a consumer says first", process.stdout.readline().strip(), READY)
            if number == KILLS:
                require_equal("the exit code of the last one", process.wait(600), 0)
                return
            time.sleep(moments.uniform(0, LATEST_S))
            process.kill()


def _start(work: dict[str, Any]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.bench.kafka_kills", json.dumps(work)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def main(work: dict[str, Any]) -> None:
    """Consume until nothing is left."""
    connect = partial(NativeClient, "bench", **work["engine"])
    if work["who"] == "ours":
        _ours(work, connect)
    else:
        _naive(work, connect)


def _say_ready() -> None:
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()


def _ours(work: dict[str, Any], connect: partial[NativeClient]) -> None:
    place = Place(work["options"], "t", connect, Path(work["directory"]))
    is_last = work["number"] == KILLS
    _say_ready()
    for number in itertools.count():
        most = MESSAGES if is_last else OF_A_RUN
        if place.run(f"run {work['number']} {number}", max_messages=most) is None:
            return


def _naive(work: dict[str, Any], connect: partial[NativeClient]) -> None:
    commits_itself = work["who"] == "auto"
    consumer = Consumer(
        {
            **work["options"],
            "group.id": work["who"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": commits_itself,
            "auto.commit.interval.ms": 100,
            "enable.partition.eof": True,
        }
    )
    (found,) = consumer.committed([TopicPartition("t", 0)], 30)
    consumer.assign([TopicPartition("t", 0, max(0, found.offset))])
    is_ready, rows = False, list[tuple[int]]()
    with connect() as clickhouse:
        while True:
            some = consumer.consume(AT_ONCE, 1.0)
            if some and not is_ready:
                is_ready = True
                _say_ready()
            is_end = any(each.error() for each in some)
            rows += [(offset_of(each),) for each in some if not each.error()]
            if rows and (is_end or len(rows) >= GATHERED):
                clickhouse.execute(f"INSERT INTO {work['who']} (`offset`) VALUES", rows)
                if not commits_itself:
                    consumer.commit(offsets=[TopicPartition("t", 0, rows[-1][0] + 1)], asynchronous=False)
                rows = []
            if is_end:
                break
            time.sleep(0 if work["number"] == KILLS else PAUSE_S)
    consumer.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
