"""A client of the brokers that ends: each answer and each next message has a deadline.

librdkafka waits for ever for a broker that is down and for a topic that is not there, and says why only to a
callback. So the last thing that it said there stands in the error.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple, Self, TypeVar

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec  # the types say that the package exports neither
from confluent_kafka.admin._metadata import ClusterMetadata

from include.kafka.errors import (
    BadKafkaOption,
    BrokerRefused,
    BrokerUnusable,
    MessagesDamaged,
    NoSuchTopic,
    TopicError,
)
from include.kafka.options import FORCED

log = logging.getLogger(__name__)

ANSWER_WAIT_S = 30.0
NO_PROGRESS_S = 60.0  # the next message, or the end of a partition
CONSUMED_AT_ONCE = 1_000
BYTES_AT_ONCE = 4 * 2**20  # of large messages fewer are taken at once
_TICK_S = 0.2  # consume() waits so long where fewer messages come
_MOCK = "mockCluster"  # the id of librdkafka's own cluster, which tells no ids of topics
_UNKNOWN_ID = ("", "AAAAAAAAAAAAAAAAAAAAAA")  # of brokers that know no ids
# A consumer has to name a group; it is not joined, and nothing is committed by that name. A broker that has
# no more messages keeps a question for so long, and the one for the next partition waits behind it. What the
# client would log, again and again, stands in our error. Kafka keeps checksums: what a disk has changed is no
# other value.
_DEFAULTS = {"group.id": "stagehouse", "fetch.wait.max.ms": "50", "log_level": "2", "check.crcs": "true"}
_OF_CONSUMERS = (*FORCED, "group.id", "on_commit", "fetch.wait.max.ms", "check.crcs")
# No retry helps: another password, certificate or right is needed.
_REFUSALS = (
    KafkaError._AUTHENTICATION,  # noqa: SLF001 - confluent-kafka's names for what librdkafka itself finds
    KafkaError._SSL,  # noqa: SLF001
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
# What the client says of messages that it cannot unpack, or whose checksum is another.
_DAMAGED = (
    KafkaError._BAD_MSG,  # noqa: SLF001 - as above
    KafkaError._BAD_COMPRESSION,  # noqa: SLF001
    KafkaError._NOT_IMPLEMENTED,  # noqa: SLF001
    KafkaError._INVALID_ARG,  # noqa: SLF001
)
_NAMED = re.compile(r'(?:property:? "|consumer: `?)([a-z0-9]+(?:[._][a-z0-9]+)+)')
T = TypeVar("T")


class Topic(NamedTuple):
    """A topic as it is now. Attributes: topic_id: "" where the brokers know none; partitions, in order."""

    name: str
    cluster_id: str
    topic_id: str
    partitions: tuple[int, ...]


class Marks(NamedTuple):
    """Offsets of a partition: the first message, the end of what no open transaction holds back, the end."""

    low: int
    stable: int
    high: int


class KafkaSession:
    """A client, as a context. Nothing is sent before a method is called.

    Args: where, the connection in the user's words; options, as checked_options() returns them, with Python
        callbacks where the hook has them; answer_wait_s and no_progress_s, the deadlines.
    Raises: BadKafkaOption: librdkafka does not take one.
    """

    def __init__(
        self,
        where: str,
        options: Mapping[str, Any],
        *,
        answer_wait_s: float = ANSWER_WAIT_S,
        no_progress_s: float = NO_PROGRESS_S,
    ) -> None:
        self.where, self._answer_wait_s, self._no_progress_s = where, answer_wait_s, no_progress_s
        self._said: KafkaError | None = None
        self._refused: KafkaError | None = None
        self._committed: str | None = None
        own = {**_DEFAULTS, **options, **FORCED, "error_cb": self._hear}
        own["on_commit"] = self._hear_commit
        self._has_group = "group.id" in options
        try:
            self._consumer = Consumer(own, logger=log)
        except KafkaException as error:
            raise _bad_option(error) from None
        self._options = {name: value for name, value in own.items() if name not in _OF_CONSUMERS}
        self._admin_client: AdminClient | None = None

    def topic(self, name: str) -> Topic:
        """Return what the topic is. Raises: NoSuchTopic, BrokerUnusable, BrokerRefused."""
        doing = f"describe topic {name}"
        metadata = self._metadata(name, doing)
        topic_id = ""
        if str(metadata.cluster_id).startswith(_MOCK):
            self._connect_admin(doing)
        else:
            topic_id = self._topic_id(name, doing)
        partitions = tuple(sorted(metadata.topics[name].partitions))
        return Topic(name, str(metadata.cluster_id or ""), topic_id, partitions)

    def marks(self, topic: Topic) -> dict[int, Marks]:
        """Return by partition which offsets there are. Raises: BrokerUnusable, BrokerRefused."""
        earliest, latest = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
        low = self._offsets(topic, earliest, IsolationLevel.READ_UNCOMMITTED)
        stable = self._offsets(topic, latest, IsolationLevel.READ_COMMITTED)
        high = self._offsets(topic, latest, IsolationLevel.READ_UNCOMMITTED)
        return {each: Marks(low[each], stable[each], high[each]) for each in topic.partitions}

    def read(self, topic: str, partition: int, start: int, end: int) -> Iterator[list[Message]]:
        """Yield the messages of [start, end) in order, some at a time; the last time perhaps none.

        Messages that were deleted between are no error here: the offsets show them. What has been deleted
        at `start` is one.

        Raises: BrokerUnusable where nothing comes for too long, BrokerRefused, MessagesDamaged;
            KafkaException by the code _AUTO_OFFSET_RESET where `start` is not there any more.
        """
        doing = f"read topic {topic}, partition {partition}, from offset {start}"
        self._consumer.assign([TopicPartition(topic, partition, start)])
        at, bytes_each, until = start, 1000.0, time.monotonic() + self._no_progress_s
        while at < end:
            count = max(1, min(CONSUMED_AT_ONCE, end - at, int(BYTES_AT_ONCE / bytes_each)))
            some = list[Message]()
            for message in self._consumer.consume(count, _TICK_S):
                if not (error := message.error()):
                    some.append(message)
                elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - as above
                    read_to = offset_of(some[-1]) + 1 if some else at
                    self._require_harmless(error, topic, partition, read_to)
                elif offset_of(message) >= end:
                    at = end
            if some:
                at = max(at, offset_of(some[-1]) + 1)
                bytes_each = max(1.0, sum(map(len, some)) / len(some))
                until = time.monotonic() + self._no_progress_s
                yield some if at <= end else [each for each in some if offset_of(each) < end]
            elif self._refused:
                raise self._error(doing, self._refused)
            elif time.monotonic() > until:
                raise self._error(doing, self._said, f"no message within {self._no_progress_s:.0f} s")
        self._consumer.unassign()

    def commit(self, topic: str, offsets: Mapping[int, int]) -> str:
        """Commit offsets for the group of the connection, by partition; return what went wrong, or ""."""
        if not self._has_group:
            return "the connection names no group.id"
        wanted = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        self._committed = None
        try:
            self._consumer.commit(offsets=wanted, asynchronous=True)
        except KafkaException as error:
            return one_line(error.args[0].str())
        until = time.monotonic() + self._answer_wait_s
        while self._committed is None:
            if self._refused or time.monotonic() > until:
                said = self._refused or self._said
                return one_line(said.str()) if said else f"no answer within {self._answer_wait_s:.0f} s"
            self._consumer.poll(0.05)
        return self._committed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._consumer.close()

    @property
    def _admin(self) -> AdminClient:
        if self._admin_client is None:
            self._admin_client = AdminClient(self._options, logger=log)
        return self._admin_client

    def _metadata(self, name: str, doing: str) -> ClusterMetadata:
        until = time.monotonic() + self._answer_wait_s
        while True:
            try:
                found: ClusterMetadata = self._consumer.list_topics(name, timeout=1.0)
                error = found.topics[name].error
            except KafkaException as failed:
                error = failed.args[0]
            if error is None:
                return found
            if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION):
                raise NoSuchTopic(self.where, name)
            self._consumer.poll(0)  # it calls _hear()
            if self._refused or error.code() in _REFUSALS or time.monotonic() > until:
                raise self._error(doing, error)

    def _topic_id(self, name: str, doing: str) -> str:
        asked = self._admin.describe_topics(TopicCollection([name]), request_timeout=self._answer_wait_s)
        found = str(self._asked(asked[name], doing).topic_id)
        return "" if found in _UNKNOWN_ID else found

    def _connect_admin(self, doing: str) -> None:
        """Connect the admin client, which the question for an id would have done.

        An admin client that is not connected yet finds no leader of a partition, and looks again only after
        1 or 3 s (librdkafka 2.16).
        """
        try:
            self._admin.list_topics(timeout=self._answer_wait_s)
        except KafkaException as error:
            raise self._error(doing, error.args[0]) from None

    def _offsets(self, topic: Topic, which: OffsetSpec, isolation: IsolationLevel) -> dict[int, int]:
        wanted = {TopicPartition(topic.name, each): which for each in topic.partitions}
        asked = self._admin.list_offsets(
            wanted, isolation_level=isolation, request_timeout=self._answer_wait_s
        )
        doing = f"ask for the offsets of topic {topic.name}"
        return {each.partition: int(self._asked(future, doing).offset) for each, future in asked.items()}

    def _asked(self, future: Future[T], doing: str) -> T:
        try:
            return self._answered(future, doing)
        except KafkaException as error:
            raise self._error(doing, error.args[0]) from None

    def _answered(self, future: Future[T], doing: str) -> T:
        """Return the answer; give up early where the brokers have refused this client."""
        until = time.monotonic() + self._answer_wait_s + 5
        while not future.done():
            if self._refused:
                raise self._error(doing, self._refused)
            if time.monotonic() > until:
                raise self._error(doing, self._said, "no answer")
            self._admin.poll(0.005)  # it calls _hear()
        return future.result()

    def _require_harmless(self, error: KafkaError, topic: str, partition: int, read_to: int) -> None:
        """Require an error in the place of a message to be one after which no message is missing."""
        self._hear(error)
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - as above
            raise KafkaException(error)
        if error.code() in _DAMAGED:  # no message comes after it
            raise MessagesDamaged(self.where, topic, partition, read_to, one_line(error.str()))

    def _hear(self, error: KafkaError) -> None:
        """Keep what librdkafka says; called by its clients while they are asked."""
        if error.code() in _REFUSALS:
            self._refused = error
        if error.code() != KafkaError._ALL_BROKERS_DOWN or not self._said:  # noqa: SLF001 - it says no reason
            self._said = error

    def _hear_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        errors = [error, *(each.error for each in partitions or ())]
        self._committed = "; ".join(dict.fromkeys(one_line(each.str()) for each in errors if each))

    def _error(self, doing: str, error: KafkaError | None, reason: str = "") -> TopicError:
        refused = error if error and error.code() in _REFUSALS else self._refused
        said = refused or error
        words = [reason] if reason else []
        words += [one_line(said.str())] if said else []
        if not refused and self._said and self._said is not said:
            words.append(f"the client said: {one_line(self._said.str())}")
        kind = BrokerRefused if refused else BrokerUnusable
        return kind(self.where, doing, "; ".join(words) or "no answer, and the client said nothing")


def offset_of(message: Message) -> int:
    """Return the offset of a message that was received: only of one to be sent there is none."""
    return int(message.offset() or 0)


def one_line(text: str) -> str:
    """Return what a client or broker said as one line, cut."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:500]


def _bad_option(error: KafkaException) -> BadKafkaOption:
    """Return the error of an option, without its value: it may be a secret in a wrong place."""
    said = str(error.args[0].str())
    found = _NAMED.search(said)
    option = found[1] if found else "sasl.mechanism" if "SASL mechanism" in said else "(one of them)"
    known = (
        "is not known to librdkafka" if said.startswith("No such") else "has a value that librdkafka refuses"
    )
    return BadKafkaOption(option, known)
