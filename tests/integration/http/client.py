"""The least that a client of an API is: it asks, and asks again for what is of no use."""

from functools import partial

from yarl import URL

from include.http.answers import REDIRECTS, Redirect
from include.http.bounds import Bounds
from include.http.errors import Transient
from include.http.pacing import Pacer
from include.http.request import Request
from include.http.request_cost import RequestCost
from include.http.retries import RetryBudget, with_retries
from include.http.rules import ApiRules
from include.http.tokens import numbered
from include.http.transport import Transport

# Quick, but of the same shape as in production.
BOUNDS = {"retry_first_s": 0.01, "retry_most_s": 0.05, "retry_jitter_s": 0.01, "refusal_wait_s": 0.1}


class PlainClient:
    """A client of one server, to be entered inside an event loop."""

    def __init__(
        self,
        url,
        cooldowns,
        *,
        clock,
        rps=500.0,
        pacer=Pacer,
        concurrent=5,
        timeout_s=5.0,
        tokens=(),
        rules=None,
        max_body_bytes=2**20,
        **bounds,
    ):
        self.base_url, self.retries = URL(url), RetryBudget()
        self.transport = Transport(
            self.base_url,
            rules or ApiRules(),
            {token: token.account("plain", url) for token in numbered(tokens)},
            cooldowns=cooldowns,
            now=clock,
            bounds=Bounds(**BOUNDS | bounds),
            reserve=0,
            pace=partial(pacer, rps),
            max_concurrent_requests=concurrent,
            timeout_s=timeout_s,
            max_body_bytes=max_body_bytes,
        )

    async def __aenter__(self):
        """Open its connections."""
        await self.transport.__aenter__()
        return self

    async def __aexit__(self, *failure):
        """Close them."""
        await self.transport.__aexit__(*failure)

    def request(self, method, path="x", **options):
        """Make a request of a path."""
        return Request(self.base_url / path, "calls", method, **options)

    async def send(self, request, cost=None):
        """Return the answer of a request; a 5xx is of no use."""
        cost = cost or RequestCost()
        hide, bounds = self.transport.without_secrets, self.transport.bounds
        once = partial(self._once, request, cost)
        return await with_retries(once, request, cost, self.retries, bounds, without_secrets=hide)

    async def get(self, path, cost=None):
        """Return the answer of a path."""
        return await self.send(self.request("GET", path), cost)

    async def _once(self, request, cost):
        answer, hops = await self.transport.follow(request, partial(self._ask, cost))
        return answer, hops

    async def _ask(self, cost, request):
        answer = (await self.transport.ask(request, cost)).answer
        if answer.status in REDIRECTS:
            return Redirect(answer.headers["location"], answer.status)
        if answer.status >= 500:
            raise Transient(answer.url, answer.status, "of no use")
        return answer
