"""Sends the call of one row, again where that does no harm, and says what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    HttpError,
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
_AT_WORK = 409  # on a request of the same idempotency key
_SERVER_ERRORS = 500
_LOST = (Transient, aiohttp.ClientError, TimeoutError, OSError)


class _Result(NamedTuple):
    outcome: Name
    status: int
    reason: str = ""
    answer: str = ""


@dataclass
class _Sending:
    """A row on its way. Attributes: cost; unsure, whether it may have been carried out already."""

    cost: RequestCost = field(default_factory=RequestCost)
    unsure: bool = False


class Sender:
    """Sends calls through an open transport.

    Args: base_url, root of the API; retries, of the whole try; connection, its name in errors; now, our
        clock.
    Attributes: unsure, rows for which send() raised although they may have been carried out: they have a key.
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
        self.unsure = set[int]()

    async def send(self, row: int, call: Call, key: str) -> Outcome:
        """Send a row, and return what became of it.

        Raises, all of a row that surely was not carried out, or may be sent again: AccessRefused; ApiAway;
            RateLimitedUntil; LimitNeverLifts; RetryBudgetSpent.
        """
        sending, request = _Sending(), request_of(self._recipe, self._base_url, call, key)
        try:
            result = await self._result(request, sending)
        except HttpError:
            if sending.unsure:
                self.unsure.add(row)
            raise
        requests = sending.cost.requests
        return Outcome(
            row,
            result.outcome,
            result.status,
            clean_text(result.reason)[:MAX_REASON],
            requests,
            result.answer,
            int(self._now().timestamp()) if requests else 0,
        )

    async def _result(self, request: Request, sending: _Sending) -> _Result:
        try:
            return await with_retries(
                partial(self._once, request, sending),
                request,
                sending.cost,
                self._retries,
                self._transport.bounds,
                without_secrets=self._transport.without_secrets,
            )
        except RequestOutcomeUnknown as error:
            if self._recipe.is_ok(error.status):
                return _Result("ok", error.status, f"done; its answer is not readable: {error.cause}")
            return _Result("unknown", error.status, error.cause)
        except RequestFailed as error:
            return self._failed(error, sending)
        except (ForeignOrigin, TooManyRedirects) as error:
            return _Result("failed", 0, facts_of(error))

    def _failed(self, error: RequestFailed, sending: _Sending) -> _Result:
        cause = error.__cause__
        unsent = isinstance(cause, RequestNotSent) and not isinstance(cause, NotDone)
        if unsent or isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            raise ApiAway(error.cause) from error
        # With an idempotency key it was sent more than once, and one of them may have been carried out.
        unsure = not self._recipe.is_repeatable and (sending.unsure or not isinstance(cause, NotDone))
        status = cause.status if isinstance(cause, NotDone) else error.status
        return _Result("unknown" if unsure else "failed", status, error.cause)

    async def _once(self, request: Request, sending: _Sending) -> _Result:
        before = sending.cost.requests
        try:
            result, _ = await self._transport.follow(request, partial(self._ask, sending))
        except _LOST:
            sending.unsure = sending.unsure or sending.cost.requests > before
            raise
        return result

    async def _ask(self, sending: _Sending, request: Request) -> _Result | Redirect:
        answer = (await self._transport.ask(request, sending.cost)).answer
        status = answer.status
        if self._recipe.is_ok(status):
            return self._read(answer)
        if status in _STOPPING:
            raise AccessRefused(status, excerpt(answer), self._connection)
        if status in self._recipe.not_done:
            raise NotDone(excerpt(answer), status)
        if status in REDIRECTS and (location := answer.headers.get("location")):
            if self._recipe.is_repeatable:
                return Redirect(location, status)
            where = answer.without_secrets(location)[:200]
            return _Result("unknown", status, f"redirected to {where!a}, not followed")
        said = f"{status}, {excerpt(answer)}"
        at_work = status == _AT_WORK and sending.unsure and not self._recipe.is_repeatable
        if status >= _SERVER_ERRORS or status == _SENT_TOO_LATE or at_work:
            if request.is_repeatable:
                raise Transient(answer.url, status, excerpt(answer))
            return _Result("unknown", status, said)
        # Something was done by a status that the recipe does not know, or a redirect leads on from it.
        unsure = status < 400 and not self._recipe.is_repeatable  # noqa: PLR2004
        return _Result("unknown" if unsure else "failed", status, said)

    def _read(self, answer: Answer) -> _Result:
        try:
            text, reason = kept(self._recipe, answer)
        except ValueError as error:
            if self._recipe.is_repeatable:
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
        text = json.dumps(values, ensure_ascii=False, allow_nan=False)
        if (hidden := answer.without_secrets(text)) != text:
            json.loads(hidden)  # a number may have stood there
    except Exception as error:  # noqa: BLE001 - functions of JMESPath raise errors of many kinds
        said = answer.without_secrets(" ".join(str(error).split()))
        return "", f"done; keep: {said[:200]}"
    if len(text := clean_text(hidden)) > MAX_KEPT:
        return "", f"done; keep: more than {MAX_KEPT} characters"
    return text, ""


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")
