"""Pages asked for on the condition that they changed: where they did not, what is kept is the answer."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from yarl import URL

from include.github.api.page_cache import ETAG, CachedPage, PageCache
from include.github.api.reading import ReceivedPage
from include.github.api.responses import error_of
from include.http.errors import ForeignOrigin, Transient
from include.http.request import Received, Request
from include.http.request_cost import RequestCost
from include.http.tokens import Token
from include.http.transport import Transport

MOST_WAITING = 20  # pages that wait to be written; beyond that a page is not kept
NOT_MODIFIED = 304
CACHED_ON_THE_WAY = "no condition was sent; a cache on the way may answer so"

log = logging.getLogger(__name__)


class ConditionalRequests:
    """Asks through a transport, remembering pages. Without a token none is kept: a 304 would cost as much.

    Args: kept: None asks always unconditionally. accounts: the name in it of each token.
    """

    def __init__(self, transport: Transport, kept: PageCache | None, accounts: Mapping[Token, str]) -> None:
        self._transport = transport
        self._accounts = {token: account for token, account in accounts.items() if token.text}
        self._kept = kept if self._accounts else None
        self._writes: set[asyncio.Future[None]] = set()

    async def open(self) -> None:
        """Find out what is kept."""
        if self._kept:
            # A thread of its own: a slow disk must not delay those who save what was fetched.
            self._writer = ThreadPoolExecutor(1, "kept-answers")
            await asyncio.to_thread(self._kept.open)

    async def close(self) -> None:
        """Wait until all is written."""
        if self._kept:
            if self._writes:
                await asyncio.wait(self._writes)
            self._writer.shutdown()

    async def ask(self, request: Request, cost: RequestCost) -> ReceivedPage:
        """Return an answer; `kept` is set in one that is the old one.

        Raises: Transient for a 304 that nobody asked for, and for a Link header that is not readable;
            ForeignOrigin for one that leads elsewhere; what Transport.ask() raises.
        """
        url = request.url
        known = self._kept and any(self._kept.knows(account, str(url)) for account in self._accounts.values())
        kept = await asyncio.to_thread(self._find, url) if known else {}
        if kept:
            request = replace(request, etags={token: answer.etag for token, answer in kept.items()})
        received = await self._transport.ask(request, cost)
        answer, token, next_url = received.answer, received.token, self._next_url(url, received)
        if answer.status != NOT_MODIFIED:
            return ReceivedPage(answer, next_url, token)
        if token not in kept:
            raise error_of(Transient, answer, CACHED_ON_THE_WAY)
        cost.unchanged += 1
        old = kept[token]
        answer = replace(answer, status=200, body=old.body)
        return ReceivedPage(answer, URL(old.next_url) if old.next_url else None, token, kept=True)

    def keep(self, url: URL, received: ReceivedPage) -> None:
        """Keep an answer that was of use, a little later; the ETag of a page is the server's choice."""
        etag, account = received.answer.headers.get("etag", ""), self._accounts.get(received.token)
        if not (self._kept and account and re.fullmatch(ETAG, etag)):
            return
        if received.kept or len(self._writes) >= MOST_WAITING:
            return
        next_url = str(received.next_url or "")
        answer = CachedPage(
            account=account, url=str(url), etag=etag, next_url=next_url, body=received.answer.body
        )
        write = asyncio.get_running_loop().run_in_executor(self._writer, self._kept.keep, answer)
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)

    def drop(self, url: URL, received: ReceivedPage) -> None:
        """Forget an answer that is of no use, so that the next request is without a condition."""
        if self._kept and received.kept:
            shown = self._transport.without_secrets(str(url))
            log.warning("what is kept of %s is of no use: asking for it as if it were new", shown)
            self._kept.drop(self._accounts[received.token], str(url))

    def _next_url(self, url: URL, received: Received) -> URL | None:
        if received.links is None:
            raise error_of(Transient, received.answer, "Link header not readable")
        target = received.links.get("next")
        if target is not None:
            self._transport.require_own_origin(url, target)
        return target

    def _find(self, url: URL) -> dict[Token, CachedPage]:
        found = {}
        for token, account in self._accounts.items():
            if self._kept and (answer := self._kept.find(account, str(url))) and self._is_own(url, answer):
                found[token] = answer
        return found

    def _is_own(self, url: URL, answer: CachedPage) -> bool:
        """Whoever wrote the file: no token goes to another server."""
        try:
            if answer.next_url:
                self._transport.require_own_origin(url, URL(answer.next_url))
        except (ForeignOrigin, ValueError):
            return False
        return True
