"""Rate limits as HTTP tells them: Retry-After, the server's clock. Pure: no socket, no clock of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

EVERYTHING = "all"  # the resource of a limit that is on every request
RESET_MARGIN_S = 1.0  # waiting exactly to the reset meets the limit again (octokit adds a second too)
MAX_WAIT_S = 7 * 86_400  # no limit lasts longer; more is a broken header


@dataclass(frozen=True)
class Limited:
    """The server refuses requests for a while.

    Attributes: resource, by the name the caller gives it, or "all"; wait_s, seconds from the answer, or None
    where the server names none (then: a minute at least, and longer each time); reason, for the log.
    """

    resource: str
    wait_s: float | None
    reason: str


@dataclass(frozen=True)
class Quota:
    """The rest of a resource's quota.

    Attributes: reset_in_s, seconds from the answer until it is full again; limit, what it is then, if told.
    """

    remaining: int
    reset_in_s: float
    limit: int | None = None


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds to wait; None without the header, for 0, and for what cannot be read.

    Args: headers: keys in lower case. now: our clock, used only where the server sends no Date.
    """
    text = headers.get("retry-after", "").strip()
    seconds = whole_number(text)
    if seconds is None and (moment := http_date(text)):
        seconds = int((moment - read_server_time(headers, now)).total_seconds())
    return bounded_wait(seconds) if seconds and seconds > 0 else None


def seconds_until(reset: int, headers: Mapping[str, str], now: datetime) -> float:
    """Return how long it is, from the answer, to a reset in seconds of the server's clock since the epoch."""
    return bounded_wait(reset - read_server_time(headers, now).timestamp() + RESET_MARGIN_S)


def read_server_time(headers: Mapping[str, str], now: datetime) -> datetime:
    """Return the server's own clock, or ours if it tells none: resets are in its time, ours may be off."""
    return http_date(headers.get("date", "")) or now


def http_date(text: str) -> datetime | None:
    """Return the moment that a header names, aware; None where it is no date."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def whole_number(text: str | None) -> int | None:
    """Return a number of ASCII digits, of 18 at most; None for anything else."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None  # noqa: PLR2004


def bounded_wait(seconds: float) -> float:
    """Return a wait of at least a second, and at most a week."""
    return min(max(seconds, RESET_MARGIN_S), MAX_WAIT_S)
