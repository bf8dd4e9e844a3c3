"""What an answer of GitHub means: JSON, a redirect, a rate limit, or an error. Pure: no socket, no clock.

The order of the questions matters and is that of GitHub's own client: a 403 is a rate limit first.
Source: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pydantic import JsonValue

from include.github.errors import (
    AnswerError,
    Blocked,
    Empty,
    Forbidden,
    Invalid,
    NotFound,
    Transient,
    Unauthorized,
    Unexpected,
)
from include.secret_forms import secret_forms

EVERYTHING = "all"  # the resource of a limit that is on every request
RESOURCES = ("core", "search")
EMPTY_REPOSITORY = "Git Repository is empty."
SECONDARY_LIMIT_WORDS = ("secondary rate", "abuse detection", "abuse-rate-limits", "secondary-rate-limits")
RESET_MARGIN_S = 1.0  # waiting exactly to the reset meets the limit again (octokit adds a second too)
MAX_WAIT_S = 7 * 86_400  # no limit of GitHub lasts a day; more is a broken header
EXCERPT_CHARACTERS = 200
SHORTEST_SECRET = 8  # a shorter one is no token, and hiding it would garble every text
REDIRECTS = (301, 302, 307, 308)
_KINDS: dict[int, type[AnswerError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    422: Invalid,
    451: Blocked,
}


@dataclass(frozen=True)
class Answer:
    """An answer as it came in: headers with keys in lower case; body, all its bytes.

    secret: never quoted in an error: a proxy's error page may echo our headers.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    secret: str = field(default="", repr=False)

    def without_secret(self, text: str) -> str:
        """Return `text` fit for a log."""
        if len(self.secret) >= SHORTEST_SECRET:
            for form in secret_forms(self.secret):
                text = text.replace(form, "***")
        return text


@dataclass(frozen=True)
class Redirect:
    """The thing asked for is elsewhere. `location` may be relative."""

    location: str


@dataclass(frozen=True)
class Limited:
    """GitHub wants to be left alone.

    Attributes: resource, "core", "search" or "all"; wait_s, seconds from the answer, or None where GitHub
    names none (then: a minute at least, and longer each time); reason, for the log.
    """

    resource: str
    wait_s: float | None
    reason: str


@dataclass(frozen=True)
class Quota:
    """What is left of a resource. reset_in_s: seconds from the answer until it is full again."""

    remaining: int
    reset_in_s: float


def read_value(answer: Answer) -> JsonValue | Redirect:
    """Return the parsed JSON body of a 200, or where a redirect leads; ask `read_limit` first.

    Raises: Transient (ask again), or the AnswerError of the status.
    """
    if answer.status == 200:  # noqa: PLR2004
        return _read_json(answer)
    if answer.status in REDIRECTS:
        return _read_redirect(answer)
    raise _status_error(answer)


def read_limit(answer: Answer, resource: str, now: datetime) -> Limited | None:
    """Tell whether an answer is a rate limit, and which; None where it is something else.

    Args: resource: "core" or "search", the one the request counts on. now: our clock, used only where the
        server sends no Date.
    """
    if answer.status == 200 or answer.status in REDIRECTS:  # noqa: PLR2004
        return None
    headers, message = answer.headers, f"{answer.status} {_message(answer)}"
    if "retry-after" in headers:
        return Limited(EVERYTHING, _retry_after_s(headers, now), f"retry-after, {message}")
    if answer.status not in (403, 429):
        return None
    text = answer.body.decode("utf-8", "replace").lower()
    if any(words in text for words in SECONDARY_LIMIT_WORDS):
        return Limited(EVERYTHING, None, f"secondary limit, {message}")
    quota = read_quota(headers, now)
    if quota and quota.remaining == 0:
        return Limited(named_resource(headers, resource), quota.reset_in_s, f"primary limit, {message}")
    return Limited(EVERYTHING, None, message) if answer.status == 429 else None  # noqa: PLR2004


def read_quota(headers: Mapping[str, str], now: datetime) -> Quota | None:
    """Read x-ratelimit-remaining and -reset; None where the server sends none, as with limits off."""
    remaining = _whole_number(headers.get("x-ratelimit-remaining"))
    if remaining is None:
        return None
    reset = _whole_number(headers.get("x-ratelimit-reset"))
    if reset is None:
        return Quota(remaining, 60.0)
    return Quota(remaining, _bounded(reset - read_server_time(headers, now).timestamp() + RESET_MARGIN_S))


def read_server_time(headers: Mapping[str, str], now: datetime) -> datetime:
    """Return the server's own clock, or ours if it tells none: resets are in its time, ours may be off."""
    return _http_date(headers.get("date", "")) or now


def named_resource(headers: Mapping[str, str], by_path: str) -> str:
    """Return the resource the answer counted on: its own word, where we know it, else that of the path."""
    named = headers.get("x-ratelimit-resource", "")
    return named if named in RESOURCES else by_path


def excerpt(answer: Answer) -> str:
    """The start of a body, on one line. The secret goes first: a cut one would not be found any more."""
    return ascii(answer.without_secret(answer.body.decode("utf-8", "replace"))[:EXCERPT_CHARACTERS])


def error_of(kind: type[AnswerError], answer: Answer, detail: str) -> AnswerError:
    """Make the error `kind` of an answer."""
    return kind(
        answer.url,
        answer.status,
        answer.without_secret(detail),
        ascii(answer.headers.get("x-github-request-id", ""))[1:-1][:100],
    )


def _read_json(answer: Answer) -> JsonValue:
    try:
        value: JsonValue = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise error_of(Transient, answer, f"no whole JSON ({error}), body {excerpt(answer)}") from error
    if value is None:
        raise error_of(Transient, answer, "the body is null")
    return value


def _read_redirect(answer: Answer) -> Redirect:
    location = answer.headers.get("location") or _field(answer.body, "url")
    if not location:
        raise error_of(Transient, answer, "a redirect that does not say where to")
    return Redirect(location)


def _status_error(answer: Answer) -> AnswerError:
    message = _message(answer)
    if answer.status == 409 and _field(answer.body, "message") == EMPTY_REPOSITORY:  # noqa: PLR2004
        return error_of(Empty, answer, message)
    if answer.status == 403 and _object(answer.body).get("block"):  # noqa: PLR2004 - terms of service
        return error_of(Blocked, answer, message)
    # 204 and its kin carry no page, 408 is a slow network, any other 409 passes by itself.
    passing = answer.status in (408, 409) or answer.status >= 500 or 200 < answer.status < 300  # noqa: PLR2004
    return error_of(Transient if passing else _KINDS.get(answer.status, Unexpected), answer, message)


def _message(answer: Answer) -> str:
    """What GitHub says, with the `errors` of a 422 and the reason of a 451; else the start of the body."""
    body = _object(answer.without_secret(answer.body.decode("utf-8", "replace")).encode())
    parts = [body[key] for key in ("message", "errors", "block") if body.get(key)]
    # Again what was within the JSON in one more form; before ascii(), which makes yet another of it.
    texts = [ascii(answer.without_secret(part) if isinstance(part, str) else part)[:300] for part in parts]
    return "; ".join(texts) or f"body {excerpt(answer)}"


def _field(body: bytes, name: str) -> str:
    value = _object(body).get(name)
    return value if isinstance(value, str) else ""


def _object(body: bytes) -> dict[str, JsonValue]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


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
