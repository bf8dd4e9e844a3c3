"""What the client makes of an answer: a page of a list, a value, or where to go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import JsonValue
from yarl import URL

from include.github.api.answer_errors import Transient, Unexpected
from include.github.api.errors import ForeignOrigin
from include.github.api.responses import Answer, Redirect, error_of, read_value
from include.github.api.transport import Received

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list. Attributes: value; next_url, as GitHub gave it; moved: it came by a redirect."""

    value: T
    next_url: URL | None
    moved: bool


def redirect_target(url: URL, redirect: Redirect, answer: Answer) -> URL:
    """Return where a redirect of `url` leads. Raises: ForeignOrigin where that is no address."""
    try:
        target = url.join(URL(redirect.location))
    except ValueError:
        shown = ascii(answer.without_secrets(redirect.location)[:200])
        raise ForeignOrigin(answer.without_secrets(str(url)), shown, str(url.origin())) from None
    # Without since and until the target would be another list.
    return target if target.query_string else target.with_query(url.query)


def read_page(received: Received, read: Callable[[JsonValue], T]) -> T | Redirect:
    """Return what a page holds, or where it is. Raises: Transient where it is not usable; an AnswerError."""
    value = read_value(received.answer)
    if isinstance(value, Redirect):
        return value
    if value == [] and received.next_url:
        raise error_of(Transient, received.answer, "an empty page that is not the last")
    return read_with(read, value, received.answer)


def read_with(read: Callable[[JsonValue], T], value: JsonValue, answer: Answer) -> T:
    """Return what `read` makes of a value. Raises: Transient for its ValueError."""
    try:
        return read(value)
    except ValueError as error:
        raise error_of(Transient, answer, answer.without_secrets(str(error))[:500]) from error


def value_here(answer: Answer) -> JsonValue:
    """Return the value of an answer that is never a redirect. Raises: Unexpected for one; an AnswerError."""
    value = read_value(answer)
    if isinstance(value, Redirect):
        raise error_of(
            Unexpected, answer, f"a redirect to {ascii(answer.without_secrets(value.location))[:200]}"
        )
    return value
