"""What can be wrong with the commits that were read, in words for the person on call."""

from __future__ import annotations

from include.errors import PermanentError
from include.github.api.errors import GitHubError


class ApisDiffer(GitHubError, PermanentError):
    """GraphQL and REST tell different things. Attributes: repo; what differs; graphql; rest."""

    def __init__(self, repo: str, what: str, graphql: str, rest: str) -> None:
        super().__init__(repo, what, graphql, rest)
        self.repo, self.what, self.graphql, self.rest = repo, what, graphql, rest

    def __str__(self) -> str:
        return (
            f"{self.repo}: {self.what} by GraphQL: {self.graphql}, by REST: {self.rest}, "
            "also when read again. Nothing of the run is stored: start a new run with the param api: rest"
        )
