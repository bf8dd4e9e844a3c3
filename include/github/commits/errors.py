"""Errors of the commits that were read, in words for the person on call."""

from __future__ import annotations

from attrs import define

from include.errors import PermanentError
from include.github.api.errors import GitHubError


@define(slots=False)
class ApisDiffer(GitHubError, PermanentError):
    """GraphQL and REST tell different things. Attributes: repo; what differs; graphql; rest."""

    repo: str
    what: str
    graphql: str
    rest: str

    def __str__(self) -> str:
        return (
            f"{self.repo}: {self.what} by GraphQL: {self.graphql}, by REST: {self.rest}, also "
            "when read again. Nothing of the run is stored. Next: start a new run with the param api: rest"
        )
