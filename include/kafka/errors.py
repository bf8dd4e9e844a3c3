"""Errors of a Kafka topic, each one line that names the topic and the next step."""

from __future__ import annotations

from attrs import define

from include.errors import PermanentError


@define(slots=False)
class BadKafkaOption(ValueError, PermanentError):
    """An option of the client cannot be used. Attributes: option; reason, without its value."""

    option: str
    reason: str

    def __str__(self) -> str:
        return f"option {self.option}: {self.reason}. Next: correct it in the connection's extra"


class TopicError(Exception):
    """Base. Attributes: where, the connection in the user's words."""

    where: str


@define(slots=False)
class BrokerUnusable(TopicError):
    """The brokers do not answer, or not in time. Attributes: where; doing, what was asked; reason."""

    where: str
    doing: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.doing}: {self.reason}. Next: see whether the brokers of bootstrap.servers "
            "are up and reached from this worker; the task may be run again"
        )


@define(slots=False)
class BrokerRefused(TopicError, PermanentError):
    """The brokers refuse this client: password, certificate, rights. Attributes: where; doing; reason."""

    where: str
    doing: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.doing}: {self.reason}. Next: correct login, password, certificates or "
            "protocol in the connection's extra, or give its user the rights to describe and read the topic"
        )


@define(slots=False)
class NoSuchTopic(TopicError, PermanentError):
    """The brokers know no such topic. Attributes: where; topic."""

    where: str
    topic: str

    def __str__(self) -> str:
        return (
            f"{self.where}: there is no topic {self.topic}, or this user may not describe it. Next: make the "
            "topic, or start a run with another param topic"
        )


@define(slots=False)
class MessagesLost(TopicError, PermanentError):
    """Kafka has deleted messages that were not read yet.

    Attributes: where; topic; lost, the ranges as param accept_loss names them; accepted, what it named.
    """

    where: str
    topic: str
    lost: str
    accepted: str = ""

    def __str__(self) -> str:
        named = f"; accept_loss named {self.accepted}" if self.accepted else ""
        return (
            f"{self.where}: topic {self.topic} has lost messages that were not read yet: {self.lost}{named}. "
            "Next: find out why (retention, DeleteRecords), then start a run with param "
            f"accept_loss={self.lost}"
        )


@define(slots=False)
class MessagesDamaged(TopicError):
    """Messages on the broker's disk are not as they were written, or were on their way.

    Attributes: where; topic; partition; offset, up to which all was read; reason, what the client found.
    """

    where: str
    topic: str
    partition: int
    offset: int
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.where}: topic {self.topic}, partition {self.partition}, from offset {self.offset} on: "
            f"{self.reason}. Nothing was published. Next: run the task again; if it says the same, repair "
            "the partition from a replica, or delete its records up to behind these (kafka-delete-records) "
            "and accept that loss as the next run names it"
        )


@define(slots=False)
class NothingLost(TopicError, PermanentError):
    """Param accept_loss names what is not lost. Attributes: where; topic; accepted, those ranges."""

    where: str
    topic: str
    accepted: str

    def __str__(self) -> str:
        return (
            f"{self.where}: param accept_loss names {self.accepted} of topic {self.topic}, which is not "
            "lost. Next: start a run without it"
        )


@define(slots=False)
class TopicMadeAnew(TopicError, PermanentError):
    """The topic is another one than that whose offsets are known.

    Attributes: where; topic; found, in what it differs; when it can be accepted, if not now.
    """

    where: str
    topic: str
    found: str
    when: str = ""

    def __str__(self) -> str:
        when = f", {self.when}," if self.when else ""
        return (
            f"{self.where}: topic {self.topic} was deleted and made anew, or cut: {self.found}. What was not "
            f"read of the old one is lost. Next: if that was meant, start a run{when} with param "
            "accept_recreated=true, which reads the new topic as the next epoch"
        )


@define(slots=False)
class OffsetsTaken(TopicError, PermanentError):
    """Another run has published offsets that this one was to publish.

    Attributes: where, ClickHouse; topic; found, what the ledger says.
    """

    where: str
    topic: str
    found: str

    def __str__(self) -> str:
        return (
            f"{self.where}: topic {self.topic}: {self.found}. Nothing of this run was published. Next: leave "
            "this run as it is; the next one goes on from there"
        )


@define(slots=False)
class BrokenLedger(TopicError, PermanentError):
    """The ledger has a gap or an overlap. Attributes: where, ClickHouse; topic; found."""

    where: str
    topic: str
    found: str

    def __str__(self) -> str:
        return (
            f"{self.where}, table kafka_offsets: topic {self.topic}: {self.found}. Next: find out who wrote "
            "or deleted rows of kafka_offsets by hand, and undo it"
        )


@define(slots=False)
class TooManyDeadLetters(TopicError, PermanentError):
    """More messages than allowed are no rows.

    Attributes: where; topic; rejected, at least so many; allowed; first, where and why of the first one.
    """

    where: str
    topic: str
    rejected: int
    allowed: int
    first: str

    def __str__(self) -> str:
        return (
            f"{self.where}: topic {self.topic}: {self.rejected} messages or more are no rows, allowed are "
            f"{self.allowed}; the first is {self.first}. Nothing was published. Next: correct the producer "
            "or param format, or start a run with a higher max_rejected"
        )
