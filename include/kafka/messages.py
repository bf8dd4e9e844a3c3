"""A message as a row: what each kind of row has beside its own columns, and what makes a message none."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, Message

from include.staging.tables import StagedTable

KEY = ("topic", "epoch", "partition", "offset")
ORIGIN = {
    "topic": "String",
    "epoch": "UInt32",
    "partition": "UInt32",
    "offset": "UInt64",
    "key": "String",
    "kafka_timestamp_ms": "Int64",
    "kafka_timestamp_type": "String",
}
DEAD_LETTERS = StagedTable(
    name="kafka_dead_letters",
    columns={
        **dict.fromkeys(("dag_id", "topic"), "String"),
        "epoch": "UInt32",
        "partition": "UInt32",
        "offset": "UInt64",
        **dict.fromkeys(("reason", "key", "value", "encoding"), "String"),
    },
    key=("dag_id", *KEY),
    day_column=None,
    appended=True,
    stamps=("run_id",),
    form="text",
)
EARLIEST_S = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())  # of events
AHEAD_S = 86_400
# Bytes of a dead letter's value and key: both can be staged in a line, in base64 or with escapes.
LONGEST_LETTER, LONGEST_KEY = 3_500_000, 500_000
_TIMESTAMPS = {TIMESTAMP_CREATE_TIME: "create", TIMESTAMP_LOG_APPEND_TIME: "append"}
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])")


class Rejected(Exception):
    """A message is no row. Its text is the reason."""


class Received(NamedTuple):
    """A message with a value.

    Attributes: value; key: "" of none; timestamp_ms, -1 where Kafka has none; latest_s, in Unix seconds: what
    is later is no time of an event; timestamp_type: create, append, or "" where Kafka has none.
    """

    value: bytes
    key: str
    timestamp_ms: int
    latest_s: int
    timestamp_type: str = ""


class RowType(NamedTuple):
    """A kind of rows: a table, and what makes rows of messages.

    Attributes: table; columns, its own ones, name -> ClickHouse type; instants are Unix seconds in a row;
    event_time, the column that says which day it is of; formats, by the value of param format: each returns
    the values of `columns`, or raises Rejected.
    """

    table: str
    columns: Mapping[str, str]
    event_time: str
    formats: Mapping[str, Callable[[Received], tuple[str | int, ...]]]

    @property
    def staged(self) -> StagedTable:
        """The table as rows are staged for it."""
        return StagedTable(
            name=self.table,
            columns={**self.columns, **ORIGIN},
            key=KEY,
            day_column=None,
            appended=True,
            stamps=("published_at",),
            form="text",
        )


def received(message: Message, latest_s: int) -> Received:
    """Return a message that has a value. Raises: Rejected for a key that is no UTF-8."""
    value = message.value() or b""
    key = message.key()
    kind, timestamp_ms = message.timestamp()
    try:
        text = key.decode() if key else ""
    except UnicodeDecodeError:
        raise Rejected("the key is no UTF-8") from None
    named = _TIMESTAMPS.get(kind, "")
    return Received(value, text, timestamp_ms if named else -1, latest_s, named)


def dead_letter(message: Message) -> tuple[str, str, str]:
    """Return key, value and encoding of a message that is no row; what is too long is cut."""
    key, value = (message.key() or b"")[:LONGEST_KEY], (message.value() or b"")[:LONGEST_LETTER]
    if len(value) == LONGEST_LETTER or len(key) == LONGEST_KEY:  # the cut may be within a character
        return b64encode(key).decode(), b64encode(value).decode(), "base64"
    try:
        return key.decode(), value.decode(), "utf8"
    except UnicodeDecodeError:
        return b64encode(key).decode(), b64encode(value).decode(), "base64"


def decoded(decoder: msgspec.json.Decoder[Any], value: bytes) -> object:
    """Return a JSON value as the decoder's type. Raises: Rejected."""
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text_of(value)
        if isinstance(error, msgspec.ValidationError):
            raise Rejected(str(error)) from None
        raise Rejected(f"the value is no JSON: {error}") from None


def text_of(value: bytes) -> str:
    """Return a value as text. Raises: Rejected."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Rejected("the value is no UTF-8") from None


def instant(name: str, text: str, latest_s: int) -> int:
    """Return an ISO 8601 time with a zone as Unix seconds, the fraction cut. Raises: Rejected."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Rejected(f"{name} is no time of ISO 8601") from None
    if moment.tzinfo is None:
        raise Rejected(f"{name} has no zone")
    return within(name, int(moment.timestamp()), latest_s)


def within(name: str, seconds: int, latest_s: int) -> int:
    """Return an instant that events may have. Raises: Rejected."""
    if seconds < EARLIEST_S:
        raise Rejected(f"{name} is before 2000")
    if seconds > latest_s:
        raise Rejected(f"{name} is more than a day ahead")
    return seconds


def clock_seconds(name: str, text: str) -> int:
    """Return HH:MM:SS as seconds of a day. Raises: Rejected."""
    try:
        return _seconds_of_day(text)
    except ValueError:
        raise Rejected(f"{name} is no HH:MM:SS") from None


@lru_cache(maxsize=86_400)  # there are no more of them, and what is none raises, so it is not kept
def _seconds_of_day(text: str) -> int:
    found = _CLOCK.fullmatch(text)
    if not found:
        raise ValueError(text)
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])


def id_text(value: str | int | None, key: str) -> str:
    """Return an id as text; where the value has none, the key of the message. Raises: Rejected."""
    if value is None:
        return key
    try:
        return str(value)
    except ValueError:  # of more than 4,300 digits
        raise Rejected("an id is too long") from None
