"""Errors of a search, in words for the person on call."""

from __future__ import annotations

from attrs import define

from include.errors import PermanentError
from include.github.api.errors import GitHubError


@define(slots=False)
class ListCutShort(GitHubError):
    """The list ends before all of it was seen. Attributes: query; found; promised."""

    query: str
    found: int
    promised: int

    def __str__(self) -> str:
        return (
            f"search for {self.query!r}: it ends after {self.found} of the {self.promised} repositories "
            "it has. Next: run the task again; if it repeats, a proxy on the way may drop the Link header"
        )


@define(slots=False)
class SliceTooLarge(GitHubError, PermanentError):
    """A part of a list has more results than search shows, and cannot be cut. Attributes: query; results."""

    query: str
    results: int

    def __str__(self) -> str:
        return (
            f"search for {self.query!r} has {self.results} results, more than it shows or with some missing, "
            "and it cannot be cut by stars, nor by moments of creation where the query has created: itself. "
            "Next: start a new run with a narrower param query, or without created: in it"
        )
