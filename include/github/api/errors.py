"""Errors between us and GitHub, in words for the person on call.

HttpError (include/http/errors.py: limits, retries, redirects)
 └ GitHubError
    ├ TooManyPages
    └ those of searches, of commits and of runs: errors.py of each package
"""

from __future__ import annotations

from attrs import define

from include.errors import PermanentError
from include.http.errors import HttpError


class GitHubError(HttpError):
    """Base of the errors that only GitHub has."""


@define(slots=False)
class TooManyPages(GitHubError, PermanentError):
    """A list does not end. Nothing is cut short: the run fails. Attributes: url of the page; pages read."""

    url: str
    pages: int

    def __str__(self) -> str:
        return (
            f"{self.url}: no end after {self.pages} pages, or a page that was read before; nothing is cut "
            "short. Next: check what stands between us and the API, then clear the task"
        )
