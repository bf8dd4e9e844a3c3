"""What can go wrong in a search, in words for the person on call."""

from __future__ import annotations

from include.errors import PermanentError
from include.github.api.errors import GitHubError


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


class SliceTooLarge(GitHubError, PermanentError):
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
