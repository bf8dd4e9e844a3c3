"""Errors between us and an API, in words for the person on call.

HttpError
 ├ AnswerError ── Transient ── Doubted; and the kinds that an API adds
 ├ RateLimitedUntil, LimitNeverLifts
 ├ RequestFailed, RetryBudgetSpent, RequestOutcomeUnknown, RequestNotSent
 ├ ForeignOrigin, TooManyRedirects
 └ ProxyRefused, Untrusted
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from attrs import define

from include.errors import PermanentError


class HttpError(Exception):
    """Base of all errors of an API that is asked by HTTP."""


@define(slots=False)
class AnswerError(HttpError):
    """The API answered, but not with what was asked for.

    Attributes: url; status, the HTTP status; detail, what the answer says; request_id, the API's own name of
    the request, which its support asks for. Of a kind: what, in words; next_step.
    """

    url: str
    status: int
    detail: str
    request_id: str = ""
    what: ClassVar[str] = "unexpected answer"
    next_step: ClassVar[str] = "see whether the API is well, then run the task again"

    def __str__(self) -> str:
        request = f" [request id {self.request_id}]" if self.request_id else ""
        facts = f"{self.url}: {self.status}, {self.what}: {self.detail}{request}"
        return f"{facts}. Next: {self.next_step}"


class Transient(AnswerError):
    """The server is unwell or the answer is not whole: asking again may help."""

    what = "not a usable answer"


class Doubted(Transient):
    """The answer is odd, and may be true: it is looked at once more, which says nothing about the server."""

    what = "an odd answer"


@define(slots=False)
class RateLimitedUntil(HttpError):
    """The API is not to be asked before `until`, and that is too long to sleep.

    Attributes: resource, whose limit it is, or "all"; until, aware, by our clock; reason.
    """

    resource: str
    until: datetime
    reason: str

    def __str__(self) -> str:
        until = f"{self.until:%Y-%m-%d %H:%M:%S %Z}"
        return (
            f"rate limit of {self.resource!r}: no request before {until} ({self.reason}). Next: wait until "
            "then, as a task does by itself"
        )


@define(slots=False)
class LimitNeverLifts(HttpError):
    """Every wait that the API asked for was kept, and it refuses still.

    Attributes: strikes, refusals in a row; reason; connection, its name.
    """

    strikes: int
    reason: str
    connection: str

    def __str__(self) -> str:
        return (
            f"rate limited {self.strikes} times in a row although every wait was kept ({self.reason}). Next: "
            f"lower requests_per_second of the {self.connection}, and see what else uses this token"
        )


@define(slots=False)
class RequestFailed(HttpError):
    """A request failed on every attempt. One that must not be sent twice was then not carried out.

    Attributes: url; attempts; cause; status, of the last answer, 0 where there was none.
    """

    url: str
    attempts: int
    cause: str
    status: int

    @property
    def overloaded(self) -> bool:
        """Whether a smaller request may be answered."""
        return self.status >= 500 or isinstance(self.__cause__, TimeoutError)  # noqa: PLR2004

    def __str__(self) -> str:
        return (
            f"failed {self.attempts} times, at last by: {self.cause}. Next: run the task again later, what "
            "is finished is kept"
        )


@define(slots=False)
class RequestOutcomeUnknown(HttpError, PermanentError):
    """A request that must not be sent twice was sent, and nothing says for sure whether it was carried out.

    Attributes: method; url; cause; status, of the answer, 0 where none came.
    """

    method: str
    url: str
    cause: str
    status: int

    def __str__(self) -> str:
        return (
            f"{self.method} {self.url}: outcome unknown, it was sent once and not again: {self.cause}. Next: "
            "look in the API whether it was carried out, and send it again only if it was not"
        )


@define(slots=False)
class RequestNotSent(HttpError):
    """A request that must not be sent twice did not leave, or was surely not carried out: it may go again.

    with_retries() sends it again, and ends by RequestFailed. Attributes: cause.
    """

    cause: str

    def __str__(self) -> str:
        return f"{self.cause}. Next: send it again, it was not carried out"


@define(slots=False)
class RetryBudgetSpent(HttpError):
    """The retries of the whole try are used up. Attributes: budget; causes, the last few."""

    budget: int
    causes: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"all {self.budget} retries of this try are spent: the API or the network is unwell. Last "
            f"causes: {'; '.join(self.causes) or 'none'}. Next: run the task again later, what is finished "
            "is kept"
        )


@define(slots=False)
class ForeignOrigin(HttpError, PermanentError):
    """An answer points at another server: it gets neither request nor token.

    Attributes: url that was asked; target it points at; origin that is allowed; connection, its name.
    """

    url: str
    target: str
    origin: str
    connection: str

    def __str__(self) -> str:
        return (
            f"{self.url} points at {self.target}, which is not on {self.origin}: not followed. Next: set the "
            f"host of the {self.connection} to the one that the API itself names in its answers"
        )


@define(slots=False)
class TooManyRedirects(HttpError, PermanentError):
    """Redirects do not end. Attributes: url that was asked first; hops followed; connection, its name."""

    url: str
    hops: int
    connection: str

    def __str__(self) -> str:
        return (
            f"{self.url}: still redirected after {self.hops} hops. Next: check the host of the "
            f"{self.connection} and what stands between us and it, then clear the task"
        )


@define(slots=False)
class ProxyRefused(HttpError, PermanentError):
    """The proxy on the way does not let us through.

    Attributes: url that was asked; proxy; status of its answer; asked_for_in, where the proxy is set.
    """

    url: str
    proxy: str
    status: int
    asked_for_in: str

    def __str__(self) -> str:
        step = f"have the proxy allow this address, or name its host in NO_PROXY beside {self.asked_for_in}"
        if self.status == 407:  # noqa: PLR2004 - Proxy Authentication Required
            step = (
                f"set the right login and password in {self.asked_for_in} (http://login:password@name:port, "
                "with percent-encoded signs)"
            )
        return (
            f"{self.url}: the proxy {self.proxy} answers {self.status} and lets nothing through. Next: "
            f"{step}, in the environment of all workers of Airflow, then clear the task"
        )


@define(slots=False)
class Untrusted(HttpError, PermanentError):
    """The server's certificate is not trusted.

    Attributes: url; reason; trusted_in, where the trusted ones are set.
    """

    url: str
    reason: str
    trusted_in: str

    def __str__(self) -> str:
        return (
            f"{self.url}: the certificate is not trusted ({self.reason}). Next: see whose it is; if that is "
            f"yours, add its authority to the bundle that {self.trusted_in} names, in the environment of all "
            "workers of Airflow, then clear the task"
        )
