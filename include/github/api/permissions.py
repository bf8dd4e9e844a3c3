"""Tokens that are refused one thing only: by single sign-on, an IP allow list, a bound on their lifetime.

Another token may be let in, so each is tried. What a token was refused is remembered by path: the pages that
follow, and a second try, are asked with one that may read them. So is a 404, by which GitHub hides what a
token may not see: whoever asks once more asks the other tokens. A 403 proves that the thing is there.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from include.github.api.answer_errors import Forbidden, NotFound, Unauthorized
from include.github.api.responses import error_of, message_of
from include.http.answers import Answer
from include.http.budget import Budget
from include.http.errors import AnswerError
from include.http.request import Request
from include.http.tokens import Token

log = logging.getLogger(__name__)


class _Received(Protocol):
    @property
    def answer(self) -> Answer: ...

    @property
    def token(self) -> Token: ...


T = TypeVar("T")
R = TypeVar("R", bound=_Received)


class Permissions:
    """Asks with one token after the other. Args: budget: knows which tokens there are."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._refused: dict[str, dict[Token, None]] = {}  # by path; a dict keeps the order
        self._not_found: dict[str, dict[Token, None]] = {}  # likewise

    async def ask(
        self, request: Request, send: Callable[[Request], Awaitable[R]], read: Callable[[R], T]
    ) -> tuple[R, T]:
        """Return an answer and what is read of it, by whichever token is not refused.

        Raises: Forbidden, which names the tokens that asked; NotFound by the first token that says so, and
            where it is asked once more by the last one; what `send` and `read` raise.
        """
        path = request.url.path
        again = path in self._not_found
        if others := self._others(path):
            request = replace(request, tokens=others)
        while True:
            received = await send(request)
            try:
                return received, read(received)
            except (Forbidden, Unauthorized, NotFound) as error:
                request = self._for_another(request, received, error, again=again)

    def _for_another(self, request: Request, received: R, error: AnswerError, *, again: bool) -> Request:
        """Return the request for the tokens that were not asked yet."""
        path, token, said = request.url.path, received.token, message_of(received.answer)
        others, refused = self._take(path, token, error), self._refused.get(path, {})
        if refused and not others:
            asked = refused | self._not_found.get(path, {})
            said += f" (asked with {', '.join(map(str, asked))})"
            raise error_of(Forbidden, received.answer, said) from error
        if isinstance(error, NotFound) and not (others and (again or refused)):
            raise error
        log.warning("%s is %s for %s, asking with another one: %s", error.url, error.what, token, said)
        return replace(request, tokens=others)

    def _take(self, path: str, token: Token, error: AnswerError) -> tuple[Token, ...]:
        """Take in what a token was answered; return the tokens that were not asked yet."""
        known = self._refused.get(path) or self._not_found.get(path)
        if isinstance(error, Forbidden):
            self._refused.setdefault(path, {})[token] = None
        elif isinstance(error, NotFound):
            self._not_found.setdefault(path, {})[token] = None
        elif not known or token in self._budget.tokens:  # else it was set aside: the others cannot help
            raise error
        return self._others(path)

    def _others(self, path: str) -> tuple[Token, ...]:
        """Return the tokens that have not been answered 403 or 404; none means all of them."""
        answered = self._refused.get(path, {}) | self._not_found.get(path, {})
        return tuple(token for token in self._budget.tokens if token not in answered)
