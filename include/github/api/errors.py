"""What can go wrong between us and GitHub, in words for the person on call.

GitHubError
 ├ AnswerError and its kinds: answer_errors.py
 ├ RateLimitedUntil, LimitNeverLifts
 ├ RequestFailed, RetryBudgetSpent
 ├ ForeignOrigin, TooManyRedirects, TooManyPages
 └ those of searches, of commits and of runs: errors.py of each package
"""

from __future__ import annotations

from datetime import datetime

from include.errors import PermanentError


class GitHubError(Exception):
    """Base of all errors of the GitHub API."""


class RateLimitedUntil(GitHubError):
    """GitHub is not to be asked before `until`, and that is too long to sleep.

    Attributes: resource ("core", "search", or "all"); until, aware, by our clock; reason.
    """

    def __init__(self, resource: str, until: datetime, reason: str) -> None:
        super().__init__(resource, until, reason)
        self.resource, self.until, self.reason = resource, until, reason

    def __str__(self) -> str:
        until = f"{self.until:%Y-%m-%d %H:%M:%S %Z}"
        return f"rate limit of {self.resource!r}: no request before {until} ({self.reason})"


class LimitNeverLifts(GitHubError):
    """Every wait that GitHub asked for was kept, and it refuses still. Attributes: strikes; reason."""

    def __init__(self, strikes: int, reason: str) -> None:
        super().__init__(strikes, reason)
        self.strikes, self.reason = strikes, reason

    def __str__(self) -> str:
        return (
            f"rate limited {self.strikes} times in a row although every wait was kept ({self.reason}): lower "
            "requests_per_second of the GitHub connection, and see what else uses this token"
        )


class RequestFailed(GitHubError):
    """A request failed on every attempt.

    Attributes: url; attempts; cause; status, of the last answer, 0 where there was none.
    """

    def __init__(self, url: str, attempts: int, cause: str, status: int) -> None:
        super().__init__(url, attempts, cause, status)
        self.url, self.attempts, self.cause, self.status = url, attempts, cause, status

    @property
    def overloaded(self) -> bool:
        """Whether a smaller request may be answered."""
        return self.status >= 500 or isinstance(self.__cause__, TimeoutError)  # noqa: PLR2004

    def __str__(self) -> str:
        return (
            f"failed {self.attempts} times, the last time so: {self.cause}. Run the task again later, what "
            "is finished is kept"
        )


class RetryBudgetSpent(GitHubError):
    """The retries of the whole run are used up. Attributes: budget; causes, the last few."""

    def __init__(self, budget: int, causes: tuple[str, ...]) -> None:
        super().__init__(budget, causes)
        self.budget, self.causes = budget, causes

    def __str__(self) -> str:
        return (
            f"all {self.budget} retries of this try are spent: the API or the network is unwell. Run the "
            f"task again later, what is finished is kept. Last causes: {'; '.join(self.causes) or 'none'}"
        )


class ForeignOrigin(GitHubError, PermanentError):
    """A Link header or a redirect points at another server: it gets neither request nor token.

    Attributes: url that was asked; target it points at; origin that is allowed.
    """

    def __init__(self, url: str, target: str, origin: str) -> None:
        super().__init__(url, target, origin)
        self.url, self.target, self.origin = url, target, origin

    def __str__(self) -> str:
        return (
            f"{self.url} points at {self.target}, which is not on {self.origin}: not followed. The host of "
            "the GitHub connection has to be the one that the API itself names in its answers"
        )


class TooManyRedirects(GitHubError, PermanentError):
    """Redirects do not end. Attributes: url that was asked first; hops that were followed."""

    def __init__(self, url: str, hops: int) -> None:
        super().__init__(url, hops)
        self.url, self.hops = url, hops

    def __str__(self) -> str:
        return (
            f"{self.url}: still redirected after {self.hops} hops. Check the host of the GitHub connection "
            "and what stands between us and it, then clear the task"
        )


class TooManyPages(GitHubError, PermanentError):
    """A list does not end. Nothing is cut short: the run fails. Attributes: url of the page; pages read."""

    def __init__(self, url: str, pages: int) -> None:
        super().__init__(url, pages)
        self.url, self.pages = url, pages

    def __str__(self) -> str:
        return (
            f"{self.url}: no end after {self.pages} pages, or a page that was read before; nothing is cut "
            "short. Check what stands between us and the API, then clear the task"
        )
