"""The reading of responses: a page of a list, a value, or the next URL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import JsonValue
from yarl import URL

from include.github.api.answer_errors import Unexpected
from include.github.api.responses import error_of, read_value
from include.http.answers import Answer, Redirect
from include.http.errors import Doubted, Transient
from include.http.tokens import Token

T = TypeVar("T")


class Doubtful(ValueError):
    """A value that is looked at once more before it is believed."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list. Attributes: value; next_url, as GitHub gave it; moved: it came by a redirect."""

    value: T
    next_url: URL | None
    moved: bool = False


@dataclass(frozen=True)
class ReceivedPage:
    """An answer that may be a page.

    Attributes: next_url, of the list's next page, on our own server; token that asked; kept, it came before,
    and the server says that it still holds.
    """

    answer: Answer
    next_url: URL | None
    token: Token
    kept: bool = False


def read_page(received: ReceivedPage, read: Callable[[JsonValue], T]) -> T | Redirect:
    """Return what a page holds, or where it is. Raises: Transient where it is not usable; an AnswerError."""
    value = read_value(received.answer)
    if isinstance(value, Redirect):
        return value
    if value == [] and received.next_url:
        raise error_of(Transient, received.answer, "an empty page that is not the last")
    return read_with(read, value, received.answer)


def read_with(read: Callable[[JsonValue], T], value: JsonValue, answer: Answer) -> T:
    """Return what `read` makes of a value. Raises: Transient for its ValueError, Doubted for its Doubtful."""
    try:
        return read(value)
    except ValueError as error:
        kind = Doubted if isinstance(error, Doubtful) else Transient
        raise error_of(kind, answer, answer.without_secrets(str(error))[:500]) from error


def value_here(answer: Answer) -> JsonValue:
    """Return the value of an answer that is never a redirect. Raises: Unexpected for one; an AnswerError."""
    value = read_value(answer)
    if isinstance(value, Redirect):
        raise error_of(
            Unexpected, answer, f"a redirect to {ascii(answer.without_secrets(value.location))[:200]}"
        )
    return value
