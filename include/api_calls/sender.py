"""Sends the call of one row, again where that does no harm, and says what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import NamedTuple

import aiohttp
from yarl import URL

from include.api_calls.calling import Call
from include.api_calls.errors import AccessRefused, ApiAway, NotDone
from include.api_calls.outcomes import Name, Outcome
from include.api_calls.recipe import Recipe
from include.errors import facts_of
from include.http.answers import REDIRECTS, Answer, Redirect, excerpt
from include.http.errors import (
    ForeignOrigin,
    RequestFailed,
    RequestNotSent,
    RequestOutcomeUnknown,
    TooManyRedirects,
    Transient,
)
from include.http.request import Request
from include.http.request_cost import RequestCost
from include.http.retries import RetryBudget, with_retries
from include.http.transport import Transport
from include.text import clean_text

RESOURCE = "calls"
MAX_ANSWER_BYTES = 1024 * 1024
MAX_KEPT = 64 * 1024  # characters of what is kept of an answer
MAX_REASON = 500
_STOPPING = (401, 403)
_SENT_TOO_LATE = 408  # the server gave up reading, or a proxy waiting
_SERVER_ERRORS = 500


class _Result(NamedTuple):
    outcome: Name
    status: int
    reason: str = ""
    answer: str = ""


class Sender:
    """Sends calls through an open transport.

    Args: base_url, root of the API; retries, of the whole try; connection, its name in errors; now, our
        clock.
    """

    def __init__(
        self,
        transport: Transport,
        base_url: str,
        recipe: Recipe,
        retries: RetryBudget,
        *,
        connection: str,
        now: Callable[[], datetime],
    ) -> None:
        self._transport, self._base_url, self._recipe = transport, base_url, recipe
        self._retries, self._connection, self._now = retries, connection, now

    async def send(self, row: int, call: Call, key: str) -> Outcome:
        """Send a row, and return what became of it.

        Raises, all of a row that surely was not carried out, or may be sent again: AccessRefused; ApiAway;
            RateLimitedUntil; LimitNeverLifts; RetryBudgetSpent.
        """
        cost, request = RequestCost(), request_of(self._recipe, self._base_url, call, key)
        try:
            result = await with_retries(
                partial(self._once, request, cost),
                request,
                cost,
                self._retries,
                self._transport.bounds,
                without_secrets=self._transport.without_secrets,
            )
        except RequestOutcomeUnknown as error:
            if self._recipe.is_ok(error.status):
                result = _Result("ok", error.status, f"done; its answer is not readable: {error.cause}")
            else:
                result = _Result("unknown", error.status, error.cause)
        except RequestFailed as error:
            result = self._failed(error)
        except (ForeignOrigin, TooManyRedirects) as error:
            result = _Result("failed", 0, facts_of(error))
        return Outcome(
            row,
            result.outcome,
            result.status,
            clean_text(result.reason)[:MAX_REASON],
            cost.requests,
            result.answer,
            int(self._now().timestamp()) if cost.requests else 0,
        )

    def _failed(self, error: RequestFailed) -> _Result:
        cause = error.__cause__
        unsent = isinstance(cause, RequestNotSent) and not isinstance(cause, NotDone)
        if unsent or isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            raise ApiAway(error.cause) from error
        # With an idempotency key it was sent more than once, and one of them may have been carried out.
        unsure = not self._recipe.is_repeatable and not isinstance(cause, NotDone)
        status = cause.status if isinstance(cause, NotDone) else error.status
        return _Result("unknown" if unsure else "failed", status, error.cause)

    async def _once(self, request: Request, cost: RequestCost) -> _Result:
        result, _ = await self._transport.follow(request, partial(self._ask, cost))
        return result

    async def _ask(self, cost: RequestCost, request: Request) -> _Result | Redirect:
        answer = (await self._transport.ask(request, cost)).answer
        status = answer.status
        if self._recipe.is_ok(status):
            return self._read(answer, request)
        if status in _STOPPING:
            raise AccessRefused(status, excerpt(answer), self._connection)
        if status in self._recipe.not_done:
            raise NotDone(excerpt(answer), status)
        if status in REDIRECTS and "location" in answer.headers:
            return Redirect(answer.headers["location"], status)
        said = f"{status}, {excerpt(answer)}"
        if status >= _SERVER_ERRORS or status == _SENT_TOO_LATE:
            if request.is_repeatable:
                raise Transient(answer.url, status, excerpt(answer))
            return _Result("unknown", status, said)
        # Something was done by a status that the recipe does not know, or a redirect leads on from it.
        unsure = status < 400 and not self._recipe.is_repeatable  # noqa: PLR2004
        return _Result("unknown" if unsure else "failed", status, said)

    def _read(self, answer: Answer, request: Request) -> _Result:
        try:
            text, reason = kept(self._recipe, answer)
        except ValueError as error:
            if request.is_repeatable:
                raise Transient(answer.url, answer.status, str(error)) from None
            text, reason = "", f"done; its answer is not readable: {error}"
        return _Result("ok", answer.status, reason, text)


def request_of(recipe: Recipe, base_url: str, call: Call, key: str) -> Request:
    """Return what is sent for a call, without the secret."""
    headers = {"Content-Type": "application/json"} if call.body is not None else {}
    return Request(
        URL(f"{base_url.rstrip('/')}{call.target}", encoded=True),
        RESOURCE,
        call.method,
        call.body,
        {**headers, **_idempotency_header(recipe, key)},
        repeatable=recipe.is_repeatable or recipe.idempotency is not None,
    )


def _idempotency_header(recipe: Recipe, key: str) -> Mapping[str, str]:
    if recipe.idempotency is None:
        return {}
    return {recipe.idempotency.header: f'"{key}"' if recipe.idempotency.quoted else key}


def kept(recipe: Recipe, answer: Answer) -> tuple[str, str]:
    """Return what a recipe keeps of an answer, as JSON, or "" and the reason why it is not kept.

    Raises: ValueError: the answer is no JSON.
    """
    if not recipe.keep:
        return "", ""
    try:
        body = json.loads(answer.body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ValueError(f"it is no JSON: {excerpt(answer)}") from None
    try:
        values = {name: expression.search(body) for name, expression in recipe.kept.items()}
    except Exception as error:  # noqa: BLE001 - functions of JMESPath raise errors of many kinds
        return "", f"done; keep: {' '.join(str(error).split())[:200]}"
    text = clean_text(answer.without_secrets(json.dumps(values, ensure_ascii=False)))
    if len(text) > MAX_KEPT:
        return "", f"done; keep: more than {MAX_KEPT} characters"
    return text, ""


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")
