"""Visits of users: messages of the topic user_sessions -> rows of the table user_sessions."""

from __future__ import annotations

from typing import Annotated

import msgspec

from include.kafka.messages import Received, RowType, decoded, id_text, instant


class _Session(msgspec.Struct):
    session_id: str | int
    session_start: str
    session_end: str
    path: str
    click_count: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
    user_id: str | int | None = None


_SESSIONS = msgspec.json.Decoder(_Session)


def from_json(message: Received) -> tuple[str | int, ...]:
    """Return a row of an object with the columns' names. Raises: Rejected."""
    visit = decoded(_SESSIONS, message.value)
    assert isinstance(visit, _Session)  # noqa: S101 - what the decoder makes
    return (
        id_text(visit.session_id, ""),
        id_text(visit.user_id, message.key),
        instant("session_start", visit.session_start, message.latest_s),
        instant("session_end", visit.session_end, message.latest_s),
        visit.path,
        visit.click_count,
    )


USER_SESSIONS = RowType(
    table="user_sessions",
    columns={
        "session_id": "String",
        "user_id": "String",
        "session_start": "DateTime('UTC')",
        "session_end": "DateTime('UTC')",
        "path": "String",
        "click_count": "UInt32",
    },
    event_time="session_start",
    formats={"json": from_json},
)
