"""Whether an answer of GitHub is a rate limit, and what it says is left. Pure: no socket, no clock.

The order of the questions matters and is that of GitHub's own client: a 403 is a rate limit first.
Sources: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api and
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from include.github.api.responses import REDIRECTS, Answer, json_object, message_of

EVERYTHING = "all"  # the resource of a limit that is on every request
RESOURCES = ("core", "search", "graphql")
# GraphQL says both; the second since 2025, with the code: https://github.com/yanyongyu/githubkit/issues/271
GRAPHQL_LIMITS = {"RATE_LIMITED", "RATE_LIMIT", "graphql_rate_limit"}
SECONDARY_LIMIT_WORDS = ("secondary rate", "abuse detection", "abuse-rate-limits", "secondary-rate-limits")
RESET_MARGIN_S = 1.0  # waiting exactly to the reset meets the limit again (octokit adds a second too)
MAX_WAIT_S = 7 * 86_400  # no limit of GitHub lasts a day; more is a broken header


@dataclass(frozen=True)
class Limited:
    """GitHub wants to be left alone.

    Attributes: resource, "core", "search", "graphql" or "all"; wait_s, seconds from the answer, or None where
    GitHub names none (then: a minute at least, and longer each time); reason, for the log.
    """

    resource: str
    wait_s: float | None
    reason: str


@dataclass(frozen=True)
class Quota:
    """What is left of a resource.

    Attributes: reset_in_s, seconds from the answer until it is full again; limit, what it is then, if told.
    """

    remaining: int
    reset_in_s: float
    limit: int | None = None


def read_limit(answer: Answer, resource: str, now: datetime) -> Limited | None:
    """Tell whether an answer is a rate limit, and which; None where it is something else.

    Args: resource: "core", "search" or "graphql", the one the request counts on. now: our clock, used only
        where the server sends no Date.
    """
    if answer.status == 200 and resource == "graphql":  # noqa: PLR2004
        return _read_graphql_limit(answer, now)
    if answer.status == 200 or answer.status in REDIRECTS:  # noqa: PLR2004
        return None
    headers, message = answer.headers, f"{answer.status} {message_of(answer)}"
    if "retry-after" in headers:
        return Limited(EVERYTHING, _retry_after_s(headers, now), f"retry-after, {message}")
    return _read_refusal(answer, resource, message, now) if answer.status in (403, 429) else None


def read_quota(headers: Mapping[str, str], now: datetime) -> Quota | None:
    """Read x-ratelimit-remaining, -reset and -limit; None where the server sends none, as with limits off."""
    remaining = _whole_number(headers.get("x-ratelimit-remaining"))
    if remaining is None:
        return None
    reset = _whole_number(headers.get("x-ratelimit-reset"))
    limit = _whole_number(headers.get("x-ratelimit-limit"))
    return Quota(remaining, 60.0 if reset is None else seconds_until(reset, headers, now), limit)


def seconds_until(reset: int, headers: Mapping[str, str], now: datetime) -> float:
    """Return how long it is, from the answer, to a reset in seconds of the server's clock since the epoch."""
    return _bounded(reset - read_server_time(headers, now).timestamp() + RESET_MARGIN_S)


def read_server_time(headers: Mapping[str, str], now: datetime) -> datetime:
    """Return the server's own clock, or ours if it tells none: resets are in its time, ours may be off."""
    return _http_date(headers.get("date", "")) or now


def named_resource(headers: Mapping[str, str], by_path: str) -> str:
    """Return the resource the answer counted on: its own word, where we know it, else that of the path."""
    named = headers.get("x-ratelimit-resource", "")
    return named if named in RESOURCES else by_path


def _read_refusal(answer: Answer, resource: str, message: str, now: datetime) -> Limited | None:
    if _is_secondary(answer.body.decode("utf-8", "replace")):
        return Limited(EVERYTHING, None, f"secondary limit, {message}")
    quota = read_quota(answer.headers, now)
    if quota and quota.remaining == 0:
        return Limited(
            named_resource(answer.headers, resource), quota.reset_in_s, f"primary limit, {message}"
        )
    return Limited(EVERYTHING, None, message) if answer.status == 429 else None  # noqa: PLR2004


def _read_graphql_limit(answer: Answer, now: datetime) -> Limited | None:
    """Tell whether GraphQL refuses with a 200. Whatever data it may carry is asked for again."""
    if b'"errors"' not in answer.body and b'"message"' not in answer.body:
        return None
    body = json_object(answer.body)
    listed = body.get("errors")
    errors = [error for error in listed if isinstance(error, dict)] if isinstance(listed, list) else []
    if any(GRAPHQL_LIMITS & {error.get("type"), error.get("code")} for error in errors):
        # Not by what remains: it may be more than 0, and yet less than the query costs.
        quota = read_quota(answer.headers, now)
        return Limited("graphql", quota.reset_in_s if quota else None, f"primary limit, {message_of(answer)}")
    if body.get("data"):
        return None
    if not any(
        _is_secondary(str(text)) for text in (body.get("message"), *(e.get("message") for e in errors))
    ):
        return None
    wait_s = _retry_after_s(answer.headers, now) if "retry-after" in answer.headers else None
    return Limited(EVERYTHING, wait_s, f"secondary limit, {message_of(answer)}")


def _is_secondary(text: str) -> bool:
    return any(words in text.lower() for words in SECONDARY_LIMIT_WORDS)


def _retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait; None for 0 and for what cannot be read, which octokit takes as "a minute" too."""
    text = headers["retry-after"].strip()
    seconds = _whole_number(text)
    if seconds is None and (moment := _http_date(text)):
        seconds = int((moment - read_server_time(headers, now)).total_seconds())
    return _bounded(seconds) if seconds and seconds > 0 else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _whole_number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None  # noqa: PLR2004


def _bounded(seconds: float) -> float:
    return min(max(seconds, RESET_MARGIN_S), MAX_WAIT_S)
