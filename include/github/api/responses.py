"""The meaning of GitHub's responses: JSON, a redirect, or an error. Pure: no socket, no clock.

Whether it is a rate limit is asked first: see rate_limits.py.
"""

from __future__ import annotations

import json

from pydantic import JsonValue

from include.github.api.answer_errors import (
    Blocked,
    Empty,
    Forbidden,
    Invalid,
    NotFound,
    Unauthorized,
    Unexpected,
)
from include.http.answers import REDIRECTS, Answer, Redirect, excerpt, json_object
from include.http.errors import AnswerError, Transient

EMPTY_REPOSITORY = "Git Repository is empty."
_KINDS: dict[int, type[AnswerError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    422: Invalid,
    451: Blocked,
}


def read_value(answer: Answer) -> JsonValue | Redirect:
    """Return the parsed JSON body of a 200, or where a redirect leads; ask rate_limits.read_limit() first.

    Raises: Transient (ask again), or the AnswerError of the status.
    """
    if answer.status == 200:  # noqa: PLR2004
        return _read_json(answer)
    if answer.status in REDIRECTS:
        return _read_redirect(answer)
    raise _status_error(answer)


def error_of(kind: type[AnswerError], answer: Answer, detail: str) -> AnswerError:
    """Make the error `kind` of an answer."""
    return kind(
        answer.without_secrets(answer.url),  # a redirect of the server's may have put one there
        answer.status,
        answer.without_secrets(detail),
        ascii(answer.headers.get("x-github-request-id", ""))[1:-1][:100],
    )


def message_of(answer: Answer) -> str:
    """Return what GitHub says, with `errors` (422) and the reason of a 451; else the start of the body."""
    body = json_object(answer.without_secrets(answer.body.decode("utf-8", "replace")).encode())
    parts = [body[key] for key in ("message", "errors", "block") if body.get(key)]
    # Again what was within the JSON in one more form; before ascii(), which makes yet another of it.
    texts = [ascii(answer.without_secrets(part) if isinstance(part, str) else part)[:300] for part in parts]
    return "; ".join(texts) or f"body {excerpt(answer)}"


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
    return Redirect(location, answer.status)


def _status_error(answer: Answer) -> AnswerError:
    message = message_of(answer)
    if answer.status == 409 and _field(answer.body, "message") == EMPTY_REPOSITORY:  # noqa: PLR2004
        return error_of(Empty, answer, message)
    if answer.status == 403 and json_object(answer.body).get("block"):  # noqa: PLR2004 - terms of service
        return error_of(Blocked, answer, message)
    # 204 and its kin carry no page, 408 is a slow network, any other 409 passes by itself, and so may a cache
    # on the way that answers 304 to a request without a condition.
    passing = answer.status in (304, 408, 409) or answer.status >= 500 or 200 < answer.status < 300  # noqa: PLR2004
    return error_of(Transient if passing else _KINDS.get(answer.status, Unexpected), answer, message)


def _field(body: bytes, name: str) -> str:
    value = json_object(body).get(name)
    return value if isinstance(value, str) else ""
