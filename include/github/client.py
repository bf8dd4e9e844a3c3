"""Sends GET requests to one GitHub API: paced, within its limits, retried, never to another server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Generic, Self, TypeVar

import aiohttp
import stamina
from pydantic import JsonValue
from yarl import URL

from include.github.answers import (
    Answer,
    Redirect,
    error_of,
    named_resource,
    read_limit,
    read_quota,
    read_server_time,
    read_value,
)
from include.github.budget import Budget, NotNow, Slot, Tally
from include.github.errors import ForeignOrigin, RequestFailed, TooManyRedirects, Transient
from include.github.limits import Bounds, LimitMemory
from include.github.pacing import PacedConnector, Pacer
from include.github.retries import RetryBudget

USER_AGENT = "stagehouse/0.1"  # GitHub answers 403 to a request without one
API_VERSION = "2022-11-28"
SOCK_READ_S = 20.0  # GitHub itself gives up on a request after 10 s
MAX_BODY_BYTES = 64 * 2**20  # a page of 100 commits is some 0.5 MB
RETRYABLE = (Transient, aiohttp.ClientError, TimeoutError, OSError)

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list. Attributes: value; next_url, as GitHub gave it; moved: it came by a redirect."""

    value: T
    next_url: URL | None
    moved: bool


@dataclass(frozen=True)
class _Received:
    answer: Answer
    next_url: URL | None


class GitHubClient:
    """A client of one API and one token, to be entered inside an event loop: `async with client: ...`.

    Args:
        base_url: root of the API, may have a path (GitHub Enterprise: /api/v3).
        token: sent to the API's own origin only; None asks anonymously.
        requests_per_second, max_concurrent_requests: kept as the server sees them.
        timeout_s: of one request, without the time it queues for its turn.
        limits: where closed limits are remembered between processes.
        now: our clock, aware.
        bounds: of waits and retries.
    Attributes: retries, the budget of the run; bounds; max_concurrent_requests; base_url; server_time, the
    server's clock at the last answer, None before it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None,
        requests_per_second: float,
        max_concurrent_requests: int,
        timeout_s: float,
        limits: LimitMemory,
        now: Callable[[], datetime],
        bounds: Bounds | None = None,
    ) -> None:
        self.base_url = URL(base_url.rstrip("/"))
        self.max_concurrent_requests = max_concurrent_requests
        self.bounds = bounds or Bounds()
        self.retries = RetryBudget()
        self.server_time: datetime | None = None
        self._token, self._now = token, now
        self._requests_per_second, self._timeout_s = requests_per_second, timeout_s
        self._budget = Budget(limits, self.bounds, now)

    def __repr__(self) -> str:
        return f"GitHubClient({self.base_url})"

    async def __aenter__(self) -> Self:
        self._budget.recall()
        pacer = Pacer(self._requests_per_second)
        # A request queues behind the others for its turn, twice if aiohttp repeats it on a new connection.
        queue_s = 2 * self.max_concurrent_requests * pacer.interval_s
        self._session = aiohttp.ClientSession(
            connector=PacedConnector(
                pacer, self._budget.admit, max_concurrent_requests=self.max_concurrent_requests
            ),
            headers=self._headers(),
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

    @property
    def requests(self) -> int:
        """Requests sent so far, each hop and each retry counted."""
        return self._budget.requests

    @property
    def waited_s(self) -> float:
        """Seconds that rate limits have cost so far."""
        return self._budget.waited_s

    def url(self, *segments: str, **query: str | int) -> URL:
        """Return the URL of a path below the root of the API."""
        return self.base_url.joinpath(*segments).with_query(query)

    async def get(self, url: URL, read: Callable[[JsonValue], T], tally: Tally) -> Page[T]:
        """Ask for one page.

        Args: read: turns the JSON into a value; a ValueError means that the answer is not usable, and it is
            asked for again. tally: is given what this costs, also when it fails.
        Raises: RequestFailed after the last attempt; RetryBudgetSpent; RateLimitedUntil; an AnswerError
            that no retry would change; ForeignOrigin; TooManyRedirects.
        """
        cause, bounds = "", self.bounds
        try:
            async for attempt in stamina.retry_context(
                on=RETRYABLE,
                attempts=bounds.attempts,
                timeout=None,
                wait_initial=bounds.retry_first_s,
                wait_max=bounds.retry_most_s,
                wait_jitter=bounds.retry_jitter_s,
            ).with_name(f"GET {url.path}", (), {}):
                if attempt.num > 1:
                    self.retries.spend(cause)
                    tally.retries += 1
                with attempt:
                    try:
                        return await self._get_once(url, read, tally)
                    except RETRYABLE as error:
                        cause = _told(error, url)
                        log.warning("attempt %d of %d: %s", attempt.num, bounds.attempts, cause)
                        raise
        except RETRYABLE as error:
            status = error.status if isinstance(error, Transient) else 0
            raise RequestFailed(str(url), bounds.attempts, cause, status) from error
        raise AssertionError("stamina ends by a result or by an error")

    async def _get_once(self, url: URL, read: Callable[[JsonValue], T], tally: Tally) -> Page[T]:
        target = url
        for hop in range(self.bounds.redirects + 1):
            received = await self._ask(target, tally)
            value = read_value(received.answer)
            if value == [] and received.next_url:
                raise error_of(Transient, received.answer, "an empty page that is not the last")
            if not isinstance(value, Redirect):
                return Page(_read_with(read, value, received.answer), received.next_url, moved=hop > 0)
            target = _redirect_target(target, value)
            self._require_own_origin(url, target)
        raise TooManyRedirects(str(url), self.bounds.redirects)

    async def _ask(self, url: URL, tally: Tally) -> _Received:
        """Send one request as soon as the limits allow; return any answer that is not a refusal by them."""
        by_path = self._resource(url)
        while True:
            async with self._budget.slot(by_path, tally) as slot:
                try:
                    received = await self._send(url)
                except NotNow:
                    continue
                answer = received.answer
                limit = read_limit(answer, by_path, self._now())
                if limit is None:
                    self._learn(slot, answer)
                    return received
                self._budget.refused(slot, limit)

    def _learn(self, slot: Slot, answer: Answer) -> None:
        # A figure for another resource says nothing about the one this request was sent under.
        own = named_resource(answer.headers, slot.resource) == slot.resource
        quota = read_quota(answer.headers, self._now()) if own else None
        self._budget.learn(slot, quota, whole=answer.status == 200)  # noqa: PLR2004

    async def _send(self, url: URL) -> _Received:
        # Redirects are ours to follow: each hop is checked for its origin, paced and counted.
        async with self._session.get(url, allow_redirects=False) as response:
            body = await self._read_body(response)
            headers = {name.lower(): value for name, value in response.headers.items()}
            self.server_time = read_server_time(headers, self._now())
            answer = Answer(str(url), response.status, headers, body, self._token or "")
            return _Received(answer, self._next_url(response, answer))

    async def _read_body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise aiohttp.ClientPayloadError(f"more than {MAX_BODY_BYTES} bytes of body")
        return bytes(body)

    def _next_url(self, response: aiohttp.ClientResponse, answer: Answer) -> URL | None:
        try:
            link = response.links.get("next")
            target = URL(str(link["url"])) if link else None
        except ValueError as error:
            raise Transient(answer.url, answer.status, f"Link header not readable: {error}") from error
        if target is not None:
            self._require_own_origin(response.url, target)
        return target

    def _require_own_origin(self, url: URL, target: URL) -> None:
        try:
            own = target.origin() == self.base_url.origin()
        except ValueError:  # no host, or no http
            own = False
        if not own:
            raise ForeignOrigin(str(url), str(target)[:200], str(self.base_url.origin()))

    def _resource(self, url: URL) -> str:
        below_root = url.path.removeprefix(self.base_url.path.rstrip("/"))
        return "search" if below_root.startswith("/search/") else "core"

    def _headers(self) -> dict[str, str]:
        headers = {
            "Accept": "application/vnd.github+json",
            "User-Agent": USER_AGENT,
            "X-GitHub-Api-Version": API_VERSION,
        }
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})


def _redirect_target(url: URL, redirect: Redirect) -> URL:
    try:
        target = url.join(URL(redirect.location))
    except ValueError:
        raise ForeignOrigin(str(url), ascii(redirect.location[:200]), str(url.origin())) from None
    # Without since and until the target would be another list.
    return target if target.query_string else target.with_query(url.query)


def _read_with(read: Callable[[JsonValue], T], value: JsonValue, answer: Answer) -> T:
    try:
        return read(value)
    except ValueError as error:
        raise error_of(Transient, answer, str(error)[:500]) from error


def _told(error: BaseException, url: URL) -> str:
    if isinstance(error, Transient):
        return str(error)
    return f"{url}: {type(error).__name__} {error}".rstrip()
