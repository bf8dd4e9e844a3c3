"""Sends single requests to one API: paced, within its limits, by the token with the most left."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self

import aiohttp
from pydantic import JsonValue
from yarl import URL

from include.github.api.answer_errors import Transient
from include.github.api.budget import Budget, Slot, WindowClosed
from include.github.api.errors import ForeignOrigin
from include.github.api.pacing import Pace, PacedConnector
from include.github.api.rate_limits import RESOURCES, named_resource, read_limit, read_quota, read_server_time
from include.github.api.request_cost import RequestCost
from include.github.api.responses import Answer, error_of, without_secrets
from include.github.api.tokens import Token

USER_AGENT = "stagehouse/0.1"  # GitHub answers 403 to a request without one
API_VERSION = "2022-11-28"
SOCK_READ_S = 20.0  # GitHub itself gives up on a request after 10 s
MAX_BODY_BYTES = 64 * 2**20  # a page of 100 commits is some 0.5 MB


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes: resource, whose limit it counts on; body, sent by POST as JSON, None for a GET; tokens, one of
    which asks, of all where empty; etags, by the token that got them: one of those asks where it is open.
    """

    url: URL
    resource: str
    body: JsonValue = None
    tokens: Collection[Token] = ()
    etags: Mapping[Token, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Received:
    """What came.

    Attributes: answer; next_url, of a list's next page, on our own server; token that asked; kept, it came
    before, and the server says that it still holds.
    """

    answer: Answer
    next_url: URL | None
    token: Token
    kept: bool = False


class Transport:
    """The connections to one API, to be entered inside an event loop. Attributes: server_time."""

    def __init__(
        self,
        base_url: URL,
        tokens: Sequence[Token],
        budget: Budget,
        now: Callable[[], datetime],
        *,
        pace: Callable[[], Pace],
        max_concurrent_requests: int,
        timeout_s: float,
    ) -> None:
        self.server_time: datetime | None = None
        self._base_url, self._budget, self._now = base_url, budget, now
        self._secrets = tuple(token.text for token in tokens)
        self._make_pace, self._timeout_s = pace, timeout_s
        self._max_concurrent_requests = max_concurrent_requests

    async def __aenter__(self) -> Self:
        self._pace = self._make_pace()
        # A request queues behind the others for its turn, twice if aiohttp repeats it on a new connection.
        queue_s = 2 * self._max_concurrent_requests * self._pace.interval_s
        self._session = aiohttp.ClientSession(
            connector=PacedConnector(
                self._pace, self._budget.admit, max_concurrent_requests=self._max_concurrent_requests
            ),
            headers={
                "Accept": "application/vnd.github+json",
                "User-Agent": USER_AGENT,
                "X-GitHub-Api-Version": API_VERSION,
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=queue_s + self._timeout_s,
                sock_connect=min(SOCK_READ_S, self._timeout_s),
                sock_read=min(SOCK_READ_S, self._timeout_s),
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

        A token that is rejected is set aside, unless it is the last one; the others that may ask go on.
        """
        while True:
            slot_of = self._budget.slot(request.resource, cost, request.tokens, best=request.etags.keys())
            async with slot_of as slot:
                try:
                    received = await self._send(request, slot.token)
                except WindowClosed:
                    continue
                answer = received.answer
                rejected = answer.status == 401 and self._budget.set_aside(slot.token)  # noqa: PLR2004
                if rejected and self._budget.left_of(request.tokens):
                    continue
                limit = read_limit(answer, request.resource, self._now())
                if limit is None:
                    self._learn(slot, answer)
                    return received
                self._budget.refused(slot, limit)

    def without_secrets(self, text: str) -> str:
        """Return what the server said fit for a log."""
        return without_secrets(text, self._secrets)

    def require_own_origin(self, url: URL, target: URL) -> None:
        """Raise ForeignOrigin where `url` points at another server: it gets neither request nor token."""
        try:
            own = target.origin() == self._base_url.origin()
        except ValueError:  # no host, or no http
            own = False
        if not own:
            shown = self.without_secrets(str(target))[:200]
            raise ForeignOrigin(self.without_secrets(str(url)), shown, str(self._base_url.origin()))

    def _learn(self, slot: Slot, answer: Answer) -> None:
        # A figure for another resource says nothing about the one this request was sent under.
        own = named_resource(answer.headers, "") in (slot.resource, "") and slot.resource in RESOURCES
        quota = read_quota(answer.headers, self._now()) if own else None
        self._budget.learn(slot, quota, whole=answer.status == 200)  # noqa: PLR2004

    async def _send(self, request: Request, token: Token) -> Received:
        headers = {"Authorization": f"Bearer {token.text}"} if token.text else {}
        if etag := request.etags.get(token):
            headers["If-None-Match"] = etag
        method = "GET" if request.body is None else "POST"
        # Redirects are the client's to follow: each hop is checked for its origin, paced and counted.
        async with self._session.request(
            method, request.url, json=request.body, headers=headers, allow_redirects=False
        ) as response:
            body = await _read_body(response)
            headers = {name.lower(): value for name, value in response.headers.items()}
            self.server_time = read_server_time(headers, self._now())
            answer = Answer(str(request.url), response.status, headers, body, self._secrets)
            return Received(answer, self._next_url(response, answer), token)

    def _next_url(self, response: aiohttp.ClientResponse, answer: Answer) -> URL | None:
        try:
            link = response.links.get("next")
            target = URL(str(link["url"])) if link else None
        except ValueError as error:
            raise error_of(Transient, answer, f"Link header not readable: {error}") from None
        if target is not None:
            self.require_own_origin(response.url, target)
        return target


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise aiohttp.ClientPayloadError(f"more than {MAX_BODY_BYTES} bytes of body")
    return bytes(body)
