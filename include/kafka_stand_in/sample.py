"""Sample messages: actions and visits of invented users, the same for a number at any time of a day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

EVENTS, SESSIONS = "user_events", "user_sessions"
_ACTIONS = ("click", "view", "view", "view", "search", "add-to-cart", "purchase")
_PAGES = ("/", "/products", "/products/42", "/cart", "/checkout")
_A_BAD_ONE = 250  # every so many messages: dead letters have a page of their own


class Message(NamedTuple):
    """A message."""

    topic: str
    key: str
    value: bytes


def messages(first: int, count: int, now: datetime) -> Iterator[Message]:
    """Yield messages number `first` and so on, of the day before `now` (aware, UTC)."""
    for number in range(first, first + count):
        user, at = f"user-{number * 7919 % 97}", now - timedelta(seconds=number * 7907 % 86_400)
        if number % _A_BAD_ONE == _A_BAD_ONE - 1:
            yield Message(EVENTS, user, b"not an event")
        elif number % 10 == 0:
            yield Message(SESSIONS, user, _visit(number, user, at))
        else:
            yield Message(EVENTS, user, _event(number, user, at))


def _event(number: int, user: str, at: datetime) -> bytes:
    action = _ACTIONS[number * 31 % len(_ACTIONS)]
    end = at + timedelta(seconds=number % 120)
    return json.dumps(
        {
            "user_id": user,
            "action": action,
            "description": f"{action} on {_PAGES[number % len(_PAGES)]}",
            "event_time": at.isoformat(),
            "start_time": f"{at:%H:%M:%S}",
            "end_time": f"{end:%H:%M:%S}",
        }
    ).encode()


def _visit(number: int, user: str, at: datetime) -> bytes:
    return json.dumps(
        {
            "session_id": f"session-{number}",
            "user_id": user,
            "session_start": at.isoformat(),
            "session_end": (at + timedelta(minutes=number % 40)).isoformat(),
            "path": _PAGES[number % len(_PAGES)],
            "click_count": number % 30,
        }
    ).encode()
