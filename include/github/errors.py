"""Errors of a run, in words for the person on call.

DayNotPublished is a page that cannot be made: not GitHub's doing.
"""

from __future__ import annotations

from datetime import date, datetime

from attrs import define

from include.errors import PermanentError
from include.github.api.errors import GitHubError


@define(slots=False)
class WrongRanking(GitHubError, PermanentError):
    """The ranking saved in a run's directory is not of this request. Attributes: path; saved; asked."""

    path: str
    saved: str
    asked: str

    def __str__(self) -> str:
        return (
            f"{self.path} holds the ranking for {self.saved}, this run asks for {self.asked}. "
            "Next: start a new run"
        )


@define(slots=False)
class NothingRanked(GitHubError, PermanentError):
    """No repository matches: an empty list would empty the day. Attributes: query."""

    query: str

    def __str__(self) -> str:
        return (
            f"no repository matches the param query {self.query!r}; the day stays as it is. "
            "Next: start a new run with another query"
        )


@define(slots=False)
class DayNotOver(GitHubError):
    """By our clock the day is over, by GitHub's it is not. Attributes: day; theirs and ours, the clocks."""

    day: date
    theirs: datetime
    ours: datetime

    def __str__(self) -> str:
        theirs, ours = (f"{clock:%Y-%m-%d %H:%M:%S %Z}" for clock in (self.theirs, self.ours))
        return (
            f"{self.day} is not over by GitHub's clock ({theirs}), by ours it is ({ours}): its last commits "
            "would be missing. Next: set the clocks of Airflow's hosts, then run the task again"
        )


@define(slots=False)
class MostlyGone(GitHubError, PermanentError):
    """Most of the repositories are "not found": hardly their fault. Attributes: gone; asked; example."""

    gone: int
    asked: int
    example: str

    def __str__(self) -> str:
        return (
            f"{self.gone} of {self.asked} repositories answer 404 (for example {self.example}). Next: check "
            "the rights of the token and the host of the GitHub connection, then run the task again"
        )


@define(slots=False)
class MostlyForbidden(GitHubError, PermanentError):
    """Most of the repositories are forbidden to each token, or not found: hardly their fault.

    Attributes: forbidden; gone, not found; asked; example.
    """

    forbidden: int
    gone: int
    asked: int
    example: str

    def __str__(self) -> str:
        others = f" and {self.gone} answer 404" if self.gone else ""
        return (
            f"{self.forbidden} of {self.asked} repositories answer 403 to each token{others} (for example "
            f"{self.example}; the log has GitHub's reasons). Next: check the rights of the tokens in the "
            "GitHub connection (single sign-on, IP allow list, lifetime), then run the task again"
        )


@define(slots=False)
class MostlyOdd(GitHubError, PermanentError):
    """Of most of the repositories most commits cannot be read. Attributes: odd; asked; example."""

    odd: int
    asked: int
    example: str

    def __str__(self) -> str:
        return (
            f"most commits of {self.odd} of {self.asked} repositories are odd (for example of "
            f"{self.example}; the log says why). Next: check the host of the GitHub connection, and what "
            "stands between us and it, then run the task again"
        )


@define(slots=False)
class DayNotPublished(LookupError, PermanentError):
    """`loads` has no commits of a day. Attributes: where, the connection; table; day, YYYY-MM-DD."""

    where: str
    table: str
    day: str

    def __str__(self) -> str:
        return (
            f"{self.where}: table loads has no row of {self.table} for {self.day}, so there is nothing to "
            "render. Next: clear task publish of that day's run with all after it"
        )
