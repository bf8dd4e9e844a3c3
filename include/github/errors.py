"""What can go wrong between us and GitHub, in words for the person on call.

GitHubError
 ├ AnswerError and its kinds: answer_errors.py
 ├ RateLimitedUntil, LimitNeverLifts
 ├ RequestFailed, RetryBudgetSpent
 ├ ForeignOrigin, TooManyRedirects, TooManyPages
 └ WrongRanking, MostlyGone, DayNotOver, ApisDiffer

DayNotPublished: a page that cannot be made, not GitHub's doing
"""

from __future__ import annotations

from datetime import date, datetime


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


class ForeignOrigin(GitHubError):
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


class TooManyRedirects(GitHubError):
    """Redirects do not end. Attributes: url that was asked first; hops that were followed."""

    def __init__(self, url: str, hops: int) -> None:
        super().__init__(url, hops)
        self.url, self.hops = url, hops

    def __str__(self) -> str:
        return (
            f"{self.url}: still redirected after {self.hops} hops. Check the host of the GitHub connection "
            "and what stands between us and it, then clear the task"
        )


class TooManyPages(GitHubError):
    """A list does not end. Nothing is cut short: the run fails. Attributes: url of the page; pages read."""

    def __init__(self, url: str, pages: int) -> None:
        super().__init__(url, pages)
        self.url, self.pages = url, pages

    def __str__(self) -> str:
        return (
            f"{self.url}: no end after {self.pages} pages, or a page that was read before; nothing is cut "
            "short. Check what stands between us and the API, then clear the task"
        )


class WrongRanking(GitHubError):
    """The ranking saved in a run's directory is not of this request. Attributes: path; saved; asked."""

    def __init__(self, path: str, saved: str, asked: str) -> None:
        super().__init__(path, saved, asked)
        self.path, self.saved, self.asked = path, saved, asked

    def __str__(self) -> str:
        return (
            f"{self.path} holds the ranking for {self.saved}, this run asks for {self.asked}: start a new run"
        )


class ListCutShort(GitHubError):
    """The list ends before all of it was seen. Attributes: query; found; promised."""

    def __init__(self, query: str, found: int, promised: int) -> None:
        super().__init__(query, found, promised)
        self.query, self.found, self.promised = query, found, promised

    def __str__(self) -> str:
        return (
            f"search for {self.query!r}: it ends after {self.found} of the {self.promised} repositories "
            "it has. Run the task again; if it repeats, a proxy on the way may drop the Link header"
        )


class SliceTooLarge(GitHubError):
    """A part of a list has more results than search shows, and cannot be cut. Attributes: query; results."""

    def __init__(self, query: str, results: int) -> None:
        super().__init__(query, results)
        self.query, self.results = query, results

    def __str__(self) -> str:
        return (
            f"search for {self.query!r} has {self.results} results, more than it shows or with some missing, "
            "and it cannot be cut by stars, nor by moments of creation where the query has created: itself. "
            "Narrow the param query, or take created: out of it"
        )


class NothingRanked(GitHubError):
    """No repository matches: an empty list would empty the day. Attributes: query."""

    def __init__(self, query: str) -> None:
        super().__init__(query)
        self.query = query

    def __str__(self) -> str:
        return f"no repository matches the param query {self.query!r}; the day stays as it is"


class DayNotOver(GitHubError):
    """By our clock the day is over, by GitHub's it is not. Attributes: day; theirs and ours, the clocks."""

    def __init__(self, day: date, theirs: datetime, ours: datetime) -> None:
        super().__init__(day, theirs, ours)
        self.day, self.theirs, self.ours = day, theirs, ours

    def __str__(self) -> str:
        theirs, ours = (f"{clock:%Y-%m-%d %H:%M:%S %Z}" for clock in (self.theirs, self.ours))
        return (
            f"{self.day} is not over by GitHub's clock ({theirs}), by ours it is ({ours}): its last commits "
            "would be missing. Set the clocks of Airflow's hosts, then run the task again"
        )


class MostlyGone(GitHubError):
    """Most of the repositories are "not found": hardly their fault. Attributes: gone; asked; example."""

    def __init__(self, gone: int, asked: int, example: str) -> None:
        super().__init__(gone, asked, example)
        self.gone, self.asked, self.example = gone, asked, example

    def __str__(self) -> str:
        return (
            f"{self.gone} of {self.asked} repositories answer 404 (for example {self.example}): check the "
            "rights of the token and the host of the GitHub connection, then run the task again"
        )


class ApisDiffer(GitHubError):
    """GraphQL and REST tell different things. Attributes: repo; what differs; graphql; rest."""

    def __init__(self, repo: str, what: str, graphql: str, rest: str) -> None:
        super().__init__(repo, what, graphql, rest)
        self.repo, self.what, self.graphql, self.rest = repo, what, graphql, rest

    def __str__(self) -> str:
        return (
            f"{self.repo}: {self.what} by GraphQL: {self.graphql}, by REST: {self.rest}, "
            "also when read again. Nothing of the run is stored: start a new run with the param api: rest"
        )


class DayNotPublished(LookupError):
    """`loads` has no commits of a day. Attributes: where, the connection; table; day, YYYY-MM-DD."""

    def __init__(self, where: str, table: str, day: str) -> None:
        super().__init__(where, table, day)
        self.where, self.table, self.day = where, table, day

    def __str__(self) -> str:
        return (
            f"{self.where}: table loads has no row of {self.table} for {self.day}, so there is nothing to "
            "render: clear task publish of that day's run with all after it"
        )
