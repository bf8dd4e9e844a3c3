"""`python -m include.kafka_stand_in --port-file FILE`: a cluster on a free port, until it is ended."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Producer

from include.kafka_stand_in.sample import Message, messages


def main(argv: Sequence[str]) -> None:
    """Start the cluster, produce, say where it listens, and go on with a message now and then."""
    parser = argparse.ArgumentParser(prog="python -m include.kafka_stand_in", description=__doc__)
    parser.add_argument("--port-file", type=Path, required=True, help="where the port is written")
    parser.add_argument("--messages", type=int, default=2_000, help="that are there when it begins")
    parser.add_argument("--every-s", type=float, default=2.0, help="seconds between later messages")
    arguments = parser.parse_args(argv)
    # The cluster lives in this client, and ends with it.
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 2})
    number = arguments.messages
    produce(producer, messages(0, number, datetime.now(UTC)))
    (broker,) = producer.list_topics(timeout=10).brokers.values()
    unfinished = arguments.port_file.with_name(f"{arguments.port_file.name}.{os.getpid()}")
    unfinished.write_text(f"{broker.port}\n")  # whoever reads it never sees half of it
    unfinished.replace(arguments.port_file)
    while True:
        time.sleep(arguments.every_s)
        produce(producer, messages(number, 1, datetime.now(UTC)))
        number += 1


def produce(producer: Producer, some: Iterable[Message]) -> None:
    """Send messages, and wait until they are there."""
    for message in some:
        producer.produce(message.topic, message.value, message.key)
        producer.poll(0)
    producer.flush(30)


if __name__ == "__main__":
    main(sys.argv[1:])
