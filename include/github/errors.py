"""What can be wrong with a run, in words for the person on call.

DayNotPublished is a page that cannot be made: not GitHub's doing.
"""

from __future__ import annotations

from datetime import date, datetime

from include.errors import PermanentError
from include.github.api.errors import GitHubError


class WrongRanking(GitHubError, PermanentError):
    """The ranking saved in a run's directory is not of this request. Attributes: path; saved; asked."""

    def __init__(self, path: str, saved: str, asked: str) -> None:
        super().__init__(path, saved, asked)
        self.path, self.saved, self.asked = path, saved, asked

    def __str__(self) -> str:
        return (
            f"{self.path} holds the ranking for {self.saved}, this run asks for {self.asked}: start a new run"
        )


class NothingRanked(GitHubError, PermanentError):
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


class MostlyGone(GitHubError, PermanentError):
    """Most of the repositories are "not found": hardly their fault. Attributes: gone; asked; example."""

    def __init__(self, gone: int, asked: int, example: str) -> None:
        super().__init__(gone, asked, example)
        self.gone, self.asked, self.example = gone, asked, example

    def __str__(self) -> str:
        return (
            f"{self.gone} of {self.asked} repositories answer 404 (for example {self.example}): check the "
            "rights of the token and the host of the GitHub connection, then run the task again"
        )


class MostlyForbidden(GitHubError, PermanentError):
    """Most of the repositories are forbidden to each token, or not found: hardly their fault.

    Attributes: forbidden; gone, not found; asked; example.
    """

    def __init__(self, forbidden: int, gone: int, asked: int, example: str) -> None:
        super().__init__(forbidden, gone, asked, example)
        self.forbidden, self.gone, self.asked, self.example = forbidden, gone, asked, example

    def __str__(self) -> str:
        others = f" and {self.gone} answer 404" if self.gone else ""
        return (
            f"{self.forbidden} of {self.asked} repositories answer 403 to each token{others} (for example "
            f"{self.example}; the log has GitHub's reasons): check the rights of the tokens in the GitHub "
            "connection (single sign-on, IP allow list, lifetime), then run the task again"
        )


class MostlyOdd(GitHubError, PermanentError):
    """Of most of the repositories most commits cannot be read. Attributes: odd; asked; example."""

    def __init__(self, odd: int, asked: int, example: str) -> None:
        super().__init__(odd, asked, example)
        self.odd, self.asked, self.example = odd, asked, example

    def __str__(self) -> str:
        return (
            f"most commits of {self.odd} of {self.asked} repositories are odd (for example of "
            f"{self.example}; the log says why): check the host of the GitHub connection, and what stands "
            "between us and it, then run the task again"
        )


class DayNotPublished(LookupError, PermanentError):
    """`loads` has no commits of a day. Attributes: where, the connection; table; day, YYYY-MM-DD."""

    def __init__(self, where: str, table: str, day: str) -> None:
        super().__init__(where, table, day)
        self.where, self.table, self.day = where, table, day

    def __str__(self) -> str:
        return (
            f"{self.where}: table loads has no row of {self.table} for {self.day}, so there is nothing to "
            "render: clear task publish of that day's run with all after it"
        )
