"""Actions of users: messages of the topic user_events -> rows of the table user_events."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from include.kafka.messages import (
    Received,
    Rejected,
    RowType,
    clock_seconds,
    decoded,
    id_text,
    instant,
    text_of,
    within,
)

_DAY_S = 86_400
_CREATED = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4}) ([0-9:]{8})")


class _Event(msgspec.Struct):
    action: str
    description: str
    event_time: str
    start_time: str
    end_time: str
    user_id: str | int | None = None


_EVENTS = msgspec.json.Decoder(_Event)


def from_json(message: Received) -> tuple[str | int, ...]:
    """Return a row of an object with the columns' names. Raises: Rejected."""
    event = decoded(_EVENTS, message.value)
    assert isinstance(event, _Event)  # noqa: S101 - what the decoder makes
    at = instant("event_time", event.event_time, message.latest_s)
    user = id_text(event.user_id, message.key)
    return _row(user, event.action, event.description, at, event.start_time, event.end_time)


def from_dashed(message: Received) -> tuple[str | int, ...]:
    """Return a row of `ACTION-description-created-start-end`; the description may hold dashes.

    The key is the user's id. Raises: Rejected.
    """
    action, _, rest = text_of(message.value).partition("-")
    fields = rest.rsplit("-", 3)
    if len(fields) != 4 or not action:  # noqa: PLR2004 - the fields of the format
        raise Rejected("the value is not ACTION-description-created-start-end")
    description, created, start, end = fields
    at = within("created", _created(created, message.timestamp_ms), message.latest_s)
    return _row(message.key, action, description, at, start, end)


def _row(user_id: str, action: str, description: str, at: int, start: str, end: str) -> tuple[str | int, ...]:
    seconds = clock_seconds("end_time", end) - clock_seconds("start_time", start)
    return user_id, action, description, at, start, end, seconds + _DAY_S if seconds < 0 else seconds


def _created(text: str, timestamp_ms: int) -> int:
    """Return `dd/mm/yyyy HH:MM:SS` as Unix seconds, or `HH:MM:SS` on the UTC day of Kafka's timestamp."""
    if found := _CREATED.fullmatch(text):
        try:
            day = datetime(int(found[3]), int(found[2]), int(found[1]), tzinfo=UTC)
        except ValueError:
            raise Rejected("created is no day") from None
        return int(day.timestamp()) + clock_seconds("created", found[4])
    seconds = clock_seconds("created", text)
    if timestamp_ms < 0:
        raise Rejected("created has no day, and the message has no timestamp")
    return timestamp_ms // 1000 // _DAY_S * _DAY_S + seconds


USER_EVENTS = RowType(
    table="user_events",
    columns={
        "user_id": "String",
        "action": "String",
        "description": "String",
        "event_time": "DateTime('UTC')",
        "start_time": "String",
        "end_time": "String",
        "seconds": "Int32",
    },
    event_time="event_time",
    formats={"json": from_json, "dashed": from_dashed},
)
