"""Asks one GitHub API: within its limits, again where that helps, never another server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from pydantic import JsonValue
from yarl import URL

from include.github.api.answer_errors import Forbidden, NotFound, Unauthorized
from include.github.api.bounds import GitHubBounds
from include.github.api.conditional import ConditionalRequests
from include.github.api.graphql_queries import graphql_url
from include.github.api.graphql_responses import points_of
from include.github.api.page_cache import PageCache
from include.github.api.permissions import Permissions
from include.github.api.quotas import TokenQuota, read_quotas, token_quota
from include.github.api.reading import Page, ReceivedPage, read_page, read_with, value_here
from include.github.api.responses import error_of, message_of
from include.github.api.rules import GitHubRules, account_of
from include.http.answers import Redirect
from include.http.cooldown_store import CooldownStore
from include.http.errors import Transient
from include.http.pacing import Pace, Pacer
from include.http.request import Request
from include.http.request_cost import RequestCost
from include.http.retries import RETRYABLE, RetryBudget, with_retries
from include.http.route import DIRECT, Route
from include.http.tokens import Token, numbered
from include.http.transport import Transport

RESERVE = 0.1

T = TypeVar("T")


class GitHubClient:
    """A client of one API, to be entered inside an event loop: `async with client: ...`.

    Args:
        base_url: root of the API, may have a path (GitHub Enterprise: /api/v3).
        tokens: sent to the API's own origin only; none asks anonymously. The one with the most left asks.
        requests_per_second, max_concurrent_requests: of all tokens together, kept as the server sees them.
        timeout_s: of one request, without the time it queues for its turn.
        limits: where closed limits are remembered between processes.
        now: our clock, aware.
        bounds: of waits and retries.
        reserve: share of each token's limits that is left to others.
        kept: pages that were read before: those that are the same still cost no quota.
        pace: makes what says when a request may go, inside the event loop: a Pacer of our own unless given.
        route: the way to the API: a proxy, certificates to trust.
    Attributes: retries, the budget of the run; bounds; max_concurrent_requests; requests_per_second;
    base_url; has_token; has_several_tokens.
    """

    def __init__(
        self,
        base_url: str,
        *,
        tokens: Sequence[str],
        requests_per_second: float,
        max_concurrent_requests: int,
        timeout_s: float,
        limits: CooldownStore,
        now: Callable[[], datetime],
        bounds: GitHubBounds | None = None,
        reserve: float = RESERVE,
        pace: Callable[[], Pace] | None = None,
        kept: PageCache | None = None,
        route: Route = DIRECT,
    ) -> None:
        self.base_url = URL(base_url.rstrip("/"))
        self.max_concurrent_requests = max_concurrent_requests
        self.requests_per_second = requests_per_second
        self.bounds = bounds or GitHubBounds()
        self.retries = RetryBudget()
        self.has_token, self.has_several_tokens = bool(tokens), len(tokens) > 1
        self._graphql, self._now = graphql_url(self.base_url), now
        accounts = {token: account_of(token, base_url) for token in numbered(tokens)}
        self._transport = Transport(
            self.base_url,
            GitHubRules(),
            accounts,
            cooldowns=limits,
            now=now,
            bounds=self.bounds,
            reserve=reserve,
            pace=pace or partial(Pacer, requests_per_second),
            max_concurrent_requests=max_concurrent_requests,
            timeout_s=timeout_s,
            route=route,
        )
        self._pages = ConditionalRequests(self._transport, kept, accounts)
        self._permissions = Permissions(self._transport.budget)
        self._accepted: set[Token] = set()
        self._looking = asyncio.Lock()

    def __repr__(self) -> str:
        return f"GitHubClient({self.base_url})"

    async def __aenter__(self) -> Self:
        await self._pages.open()
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)
        await self._pages.close()

    @property
    def requests(self) -> int:
        """Requests sent so far, each hop and each retry counted."""
        return self._transport.budget.requests

    @property
    def waited_s(self) -> float:
        """Seconds that rate limits have cost so far."""
        return self._transport.budget.waited_s

    @property
    def server_time(self) -> datetime | None:
        """The server's clock at the last answer, None before it."""
        return self._transport.server_time

    def url(self, *segments: str, **query: str | int) -> URL:
        """Return the URL of a path below the root of the API."""
        return self.base_url.joinpath(*segments).with_query(query)

    async def get(self, url: URL, read: Callable[[JsonValue], T], cost: RequestCost) -> Page[T]:
        """Ask for one page.

        Args: read: turns the JSON into a value; a ValueError means that the answer is not usable, and it is
            asked for again. cost: is given what this costs, also when it fails.
        Raises: RequestFailed after the last attempt; RetryBudgetSpent; RateLimitedUntil; an AnswerError
            that no retry would change; ForeignOrigin; TooManyRedirects.
        """
        request = Request(url, self._resource(url))
        return await self._with_retries(partial(self._get_once, request, read, cost), request, cost)

    async def query(
        self,
        text: str,
        variables: Mapping[str, JsonValue],
        read: Callable[[JsonValue], T],
        cost: RequestCost,
        *,
        attempts: int | None = None,
    ) -> T:
        """Ask GraphQL, which needs a token.

        Args: read: turns the whole body, with `data` and `errors`, into a value, as in get(). cost: is given
            the points too, where the query asks for `rateLimit {cost}`, else 1, also of what ran out of time.
            attempts: as the bounds have it unless given.
        Raises: as get(), but for what redirects are about.
        Source: https://github.blog/changelog/2025-07-21-including-timeouts-in-primary-rate-limits
        """
        body: JsonValue = {"query": text, "variables": dict(variables)}
        request = Request(self._graphql, "graphql", "POST", body, repeatable=True)  # it only asks
        return await self._with_retries(
            partial(self._query_once, request, read, cost), request, cost, attempts
        )

    def without_secrets(self, text: str) -> str:
        """Return what the server said fit for a log."""
        return self._transport.without_secrets(text)

    async def quotas(self, cost: RequestCost | None = None) -> tuple[TokenQuota, ...]:
        """Return what each token that is not rejected may spend; nothing where the server has no limits.

        It costs requests, but no quota; the budget knows it from then on. Raises: as get().
        """
        cost, found, refused = cost or RequestCost(), list[TokenQuota](), list[Forbidden]()
        for token in self._transport.budget.tokens:
            request = Request(self.url("rate_limit"), "rate_limit", tokens=(token,))
            once = partial(self._quotas_once, request, cost)
            try:
                found.append(await self._with_retries(once, request, cost))
            except NotFound:
                return ()
            except Unauthorized:
                if token in self._transport.budget.tokens:  # the last one, which is not set aside
                    raise
            except Forbidden as error:
                refused.append(error)
        if refused and not found:
            raise refused[0]
        return tuple(found)

    async def require_accepted(self, cost: RequestCost) -> None:
        """Look whether a token is answered at all, after it was refused something: it costs no quota.

        One that was answered once is not looked at again.

        Raises: Forbidden, where each is refused this too: then it is about the account, or where we ask from.
        """
        async with self._looking:
            tokens = self._transport.budget.tokens
            if not self._accepted.isdisjoint(tokens):
                return
            for token in tokens:
                request = Request(self.url("rate_limit"), "rate_limit", tokens=(token,))
                once = partial(self._transport.ask, request, cost)
                received = await self._with_retries(once, request, cost)
                if received.answer.status != 403:  # noqa: PLR2004
                    if received.answer.status < 500:  # noqa: PLR2004 - else nobody has looked at the token
                        self._accepted.add(received.token)
                    return
            raise error_of(Forbidden, received.answer, message_of(received.answer))

    async def _with_retries(
        self,
        once: Callable[[], Awaitable[T]],
        request: Request,
        cost: RequestCost,
        attempts: int | None = None,
    ) -> T:
        hide = self._transport.without_secrets
        return await with_retries(
            once, request, cost, self.retries, self.bounds, attempts, without_secrets=hide
        )

    async def _query_once(self, request: Request, read: Callable[[JsonValue], T], cost: RequestCost) -> T:
        before = cost.requests
        try:
            received, value = await self._permissions.ask(
                request, partial(self._transport.ask, cost=cost), lambda received: value_here(received.answer)
            )
        except RETRYABLE:  # GitHub charges what runs out of its time too, and tells no cost
            cost.points += cost.requests > before
            raise
        cost.points += points_of(value)
        return read_with(read, value, received.answer)

    async def _quotas_once(self, request: Request, cost: RequestCost) -> TokenQuota:
        received = await self._transport.ask(request, cost)
        answer, token, now = received.answer, received.token, self._now()
        quotas = read_with(lambda value: read_quotas(value, answer.headers, now), value_here(answer), answer)
        for resource, quota in quotas.items():
            if quota.limit:  # GraphQL without a token has a limit of 0: that is no limit that was met
                self._transport.budget.take_quota(token, resource, quota)
        return token_quota(token, quotas, self._transport.budget.allowance(token, "core").share, now)

    async def _get_once(self, request: Request, read: Callable[[JsonValue], T], cost: RequestCost) -> Page[T]:
        page, hops = await self._transport.follow(request, partial(self._get_page, read, cost))
        return replace(page, moved=True) if hops else page

    async def _get_page(
        self, read: Callable[[JsonValue], T], cost: RequestCost, request: Request
    ) -> Page[T] | Redirect:
        if (resource := self._resource(request.url)) != request.resource:  # a redirect leads there
            request = replace(request, resource=resource)
        received, value = await self._permissions.ask(
            request, partial(self._pages.ask, cost=cost), partial(self._read_page, request.url, read)
        )
        if isinstance(value, Redirect):
            return value
        self._pages.keep(request.url, received)
        return Page(value, received.next_url)

    def _read_page(self, url: URL, read: Callable[[JsonValue], T], received: ReceivedPage) -> T | Redirect:
        try:
            return read_page(received, read)
        except Transient:
            self._pages.drop(url, received)
            raise

    def _resource(self, url: URL) -> str:
        below_root = url.path.removeprefix(self.base_url.path.rstrip("/"))
        return "search" if below_root.startswith("/search/") else "core"
