"""Sends single requests to one API: paced, within its limits, by the token with the most left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
from yarl import URL

from include.http.answers import Answer, Redirect, without_secrets
from include.http.bounds import Bounds
from include.http.budget import AlreadySent, Budget, Slot, WindowClosed
from include.http.cooldown_store import CooldownStore
from include.http.cooldowns import Cooldowns
from include.http.errors import (
    ForeignOrigin,
    HttpError,
    LimitNeverLifts,
    RequestNotSent,
    RequestOutcomeUnknown,
    TooManyRedirects,
)
from include.http.limits import read_server_time
from include.http.origin import origin_of
from include.http.pacing import Pace, PacedConnector
from include.http.request import Received, Request
from include.http.request_cost import RequestCost
from include.http.retries import cause_of
from include.http.route import DIRECT, Route, proxy_refused, route_errors
from include.http.rules import ApiRules
from include.http.tokens import Token

SOCK_READ_S = 20.0  # a server that is silent for longer has given up, or will
MAX_BODY_BYTES = 64 * 2**20
# Of an answer. aiohttp's own are 8190 bytes a line and 128 headers, which proxies and policies go beyond.
MAX_LINE_BYTES, MAX_HEADERS = 64 * 2**10, 1000

T = TypeVar("T")


class Transport:
    """The connections to one API, to be entered inside an event loop. It follows no redirect by itself.

    A request that is not repeatable is sent at most once. What it knows of one that failed: until the
    connector gave it a connection nothing of it left; from then on it may have been carried out, whatever
    class the error has (aiohttp sends some methods a second time, and an error of that time tells nothing of
    the first).

    Args:
        base_url: root of the API, of whose origin alone anything is asked.
        rules: how it is asked, and what its answers mean.
        accounts: by token, the name under which its limits are remembered; a token without text is nobody's.
        cooldowns: where closed limits are remembered between processes.
        now: our clock, aware.
        reserve: share of each token's limits that is left to others.
        pace: makes what says when a request may go, inside the event loop.
        max_concurrent_requests: of all tokens together.
        timeout_s: of one request, without the time it queues for its turn.
        silence_s: for which the server may send nothing.
        max_body_bytes: of one answer, unpacked; more is a failed request.
        route: the way there.
    Attributes: budget; bounds; server_time, the server's clock at the last answer, None before it.
    """

    def __init__(
        self,
        base_url: URL,
        rules: ApiRules,
        accounts: Mapping[Token, str],
        *,
        cooldowns: CooldownStore,
        now: Callable[[], datetime],
        bounds: Bounds,
        reserve: float,
        pace: Callable[[], Pace],
        max_concurrent_requests: int,
        timeout_s: float,
        silence_s: float = SOCK_READ_S,
        max_body_bytes: int = MAX_BODY_BYTES,
        route: Route = DIRECT,
    ) -> None:
        self.server_time: datetime | None = None
        self.bounds = bounds
        self._base_url, self._rules, self._now = base_url, rules, now
        self._cooldowns = Cooldowns(cooldowns, accounts, now)
        self.budget = Budget(tuple(accounts), self._cooldowns, bounds, now, reserve, rules)
        self._route = route
        self._secrets = (*(token.text for token in accounts), *route.secrets)
        self._make_pace, self._timeout_s, self._silence_s = pace, timeout_s, min(silence_s, timeout_s)
        self._max_concurrent_requests, self._max_body_bytes = max_concurrent_requests, max_body_bytes

    async def __aenter__(self) -> Self:
        self._cooldowns.recall()
        self._pace = self._make_pace()
        # A request queues behind the others for its turn, twice if aiohttp repeats it on a new connection.
        queue_s = 2 * self._max_concurrent_requests * self._pace.interval_s
        self._session = aiohttp.ClientSession(
            connector=PacedConnector(
                self._pace, self.budget.admit, max_concurrent_requests=self._max_concurrent_requests
            ),
            headers=self._rules.headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS,
            timeout=aiohttp.ClientTimeout(
                total=queue_s + self._timeout_s,
                sock_connect=min(SOCK_READ_S, self._timeout_s),
                sock_read=self._silence_s,
            ),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        await self._pace.close()

    async def ask(self, request: Request, cost: RequestCost) -> Received:
        """Send one request as soon as the limits allow; return any answer that is not a refusal by them.

        A token that is rejected is set aside, unless it is the last one; the others that may ask go on. A
        request that is not repeatable goes again only where the rules say that nothing was done; else its
        refusal is returned too.

        Raises: RateLimitedUntil; LimitNeverLifts; of a repeatable request the errors of aiohttp; of another
            one RequestOutcomeUnknown where it was sent and its answer was lost, else RequestNotSent.
        """
        while True:
            if received := await self._ask_once(request, cost):
                return received

    async def follow(
        self, request: Request, ask: Callable[[Request], Awaitable[T | Redirect]]
    ) -> tuple[T, int]:
        """Ask for something, and where it is elsewhere, there; return it, and the hops that it took.

        Each hop is checked for its origin, paced and counted. A target without a query takes that of the
        request along, else it would be another list. What is not repeatable is not sent to a second place:
        whether the first one did it, a redirect does not say.

        Raises: ForeignOrigin; TooManyRedirects; RequestOutcomeUnknown; what `ask` raises.
        """
        target = request
        for hops in range(self.bounds.redirects + 1):
            value = await ask(target)
            if not isinstance(value, Redirect):
                return value, hops
            if not target.is_repeatable:
                cause = f"redirected to {self.without_secrets(value.location)[:200]!a}, not followed"
                raise self._unknown(target, cause, value.status)
            url = self._target_of(target.url, value)
            self.require_own_origin(request.url, url)
            target = replace(target, url=url)
        raise TooManyRedirects(
            self.without_secrets(str(request.url)), self.bounds.redirects, self._rules.connection
        )

    def without_secrets(self, text: str) -> str:
        """Return what the server said fit for a log."""
        return without_secrets(text, self._secrets)

    def require_own_origin(self, url: URL, target: URL) -> None:
        """Raise ForeignOrigin where `url` points at another server: it gets neither request nor token."""
        try:
            own = origin_of(target) == origin_of(self._base_url)
        except ValueError:  # no host, or no http
            own = False
        if not own:
            raise self._foreign(url, self.without_secrets(str(target))[:200])

    def _foreign(self, url: URL, shown: str) -> ForeignOrigin:
        origin = str(origin_of(self._base_url))
        return ForeignOrigin(self.without_secrets(str(url)), shown, origin, self._rules.connection)

    def _target_of(self, url: URL, redirect: Redirect) -> URL:
        try:
            target = url.join(URL(redirect.location))
        except ValueError:
            raise self._foreign(url, ascii(self.without_secrets(redirect.location)[:200])) from None
        return target if target.query_string else target.with_query(url.query)

    async def _ask_once(self, request: Request, cost: RequestCost) -> Received | None:
        """Return an answer; None where the request may go again at once, by another token or later."""
        slot: Slot | None = None
        try:
            async with self.budget.slot(request, cost) as slot:
                received = await self._send(request, slot)
                return None if self._take(received.answer, request, slot) else received
        except WindowClosed:
            return None
        except HttpError:
            raise
        except Exception as error:
            # Also what fails later, such as a full disk where a limit is remembered: no retry may follow it.
            if request.is_repeatable:
                raise
            if slot is None or slot.repeatable or not slot.sent:
                raise RequestNotSent(self.without_secrets(f"{request.url}: {cause_of(error)}")) from error
            lost = "the connection was lost" if isinstance(error, AlreadySent) else cause_of(error)
            raise self._unknown(request, self.without_secrets(lost), slot.status) from error

    def _take(self, answer: Answer, request: Request, slot: Slot) -> bool:
        """Learn from an answer about tokens and limits; return whether the request is to go again."""
        slot.repeatable = slot.repeatable or self._rules.not_done(answer)
        rejected = answer.status == 401 and self.budget.set_aside(slot.token)  # noqa: PLR2004
        if rejected and slot.repeatable and self.budget.left_of(request.tokens):
            return True
        limit = self._rules.read_limit(answer, request.resource, self._now())
        if limit is None:
            quota = self._rules.read_quota(answer, slot.resource, self._now())
            self.budget.learn(slot, quota, whole=self._rules.is_success(answer))
            return False
        try:
            self.budget.refused(slot, limit)
        except LimitNeverLifts:
            if slot.repeatable:
                raise  # else the caller hears of its request first: whoever asks next meets the limit
        return slot.repeatable

    def _unknown(self, request: Request, cause: str, status: int) -> RequestOutcomeUnknown:
        return RequestOutcomeUnknown(request.method, self.without_secrets(str(request.url)), cause, status)

    async def _send(self, request: Request, slot: Slot) -> Received:
        headers = {**request.headers, **self._rules.credentials(slot.token)}
        if etag := request.etags.get(slot.token):
            headers["If-None-Match"] = etag
        route, url = self._route, self.without_secrets(str(request.url))
        body = request.body
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        sending = self._session.request(
            request.method,
            self._rules.addressed(request.url, slot.token),
            **content,
            headers=headers,
            allow_redirects=False,
            proxy=route.proxy,
            proxy_auth=route.proxy_auth,
            ssl=route.authorities or True,
        )
        with route_errors(route, url):
            response = await sending
        async with response:
            slot.status = response.status
            if route.proxy and response.status == 407:  # noqa: PLR2004 - of the proxy, which read the request
                raise proxy_refused(route, url, response.status)
            received = await _read_body(response, self._max_body_bytes)
            told = {name.lower(): value for name, value in response.headers.items()}
            self.server_time = read_server_time(told, self._now())
            answer = Answer(str(request.url), response.status, told, received, self._secrets)
            return Received(answer, slot.token, _links(response))


async def _read_body(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most_bytes:
            raise aiohttp.ClientPayloadError(f"more than {most_bytes} bytes of body")
    return bytes(body)


def _links(response: aiohttp.ClientResponse) -> Mapping[str, URL] | None:
    try:
        return {name: URL(link["url"]) for name, link in response.links.items()}
    except ValueError:
        return None
