"""The choice between GitHub's two APIs: the one place that knows both."""

from __future__ import annotations

from include.github.api.client import GitHubClient
from include.github.api.graphql_memory import GraphQLMemory
from include.github.commits.graphql import GraphQLCommits
from include.github.commits.rest import RestCommits
from include.github.commits.source import CommitSource
from include.github.request import Api
from include.github.search.graphql import GraphQLSearch
from include.github.search.rest import RestSearch
from include.github.search.source import Search


def search_by(api: Api, client: GitHubClient, memory: GraphQLMemory | None = None) -> Search:
    """Return the way to search a long list. What the other API answered in an earlier try is asked anew.

    Args: memory: whether there is GraphQL, as the run knows.
    """
    rest = RestSearch(client)
    return GraphQLSearch(client, rest, memory) if api == "graphql" else rest


def commits_by(api: Api, client: GitHubClient, memory: GraphQLMemory | None = None) -> CommitSource:
    """Return the way to ask for commits. What the other API finished in an earlier try is kept.

    Args: memory: as above.
    """
    rest = RestCommits(client)
    return GraphQLCommits(client, rest, memory) if api == "graphql" else rest
