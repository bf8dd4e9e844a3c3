"""Tokens that are refused one thing only: by single sign-on, an IP allow list, a bound on their lifetime.

Another token may be let in, so each is tried. What a token was refused is remembered by path: the pages that
follow, and a second try, are asked with one that may read them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from include.github.api.answer_errors import Forbidden, Unauthorized
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

    async def ask(
        self, request: Request, send: Callable[[Request], Awaitable[R]], read: Callable[[R], T]
    ) -> tuple[R, T]:
        """Return an answer and what is read of it, by whichever token is not refused.

        Raises: Forbidden, which names the tokens that asked; what `send` and `read` raise.
        """
        if refused := self._refused.get(request.url.path):
            request = replace(request, tokens=self._others(refused))
        while True:
            received = await send(request)
            try:
                return received, read(received)
            except (Forbidden, Unauthorized) as error:
                request = self._for_another(request, received, error)

    def _for_another(self, request: Request, received: R, error: AnswerError) -> Request:
        """Return the request for the tokens that were not refused yet."""
        answer, token = received.answer, received.token
        refused = self._refused.setdefault(request.url.path, {})
        if isinstance(error, Forbidden):
            refused[token] = None
        elif not refused or token in self._budget.tokens:  # else it was set aside: the others cannot help
            raise error
        others, said = self._others(refused), message_of(answer)
        if not others:
            raise error_of(
                Forbidden, answer, f"{said} (asked with {', '.join(map(str, refused))})"
            ) from error
        log.warning("%s is forbidden to %s, asking with another one: %s", error.url, token, said)
        return replace(request, tokens=others)

    def _others(self, refused: dict[Token, None]) -> tuple[Token, ...]:
        """Return the tokens that were not refused; none means all of them."""
        return tuple(token for token in self._budget.tokens if token not in refused)
