"""The texts of our queries: many repositories, or many searches, in one request, each under its alias.

What a request asks for is known beforehand: each alias is one list of at most 100 things. So a query of n
aliases may return 100 n nodes, of the 500,000 allowed, and costs n / 100 points, rounded, at least one: ours,
of 50 aliases at most, cost one.
Source: https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

from functools import lru_cache

PAGE_SIZE = 100  # the most GitHub gives

# `after` differs from alias to alias, so the list itself cannot be in the fragment.
_COMMITS_OF = """\
  r%(n)d: repository(owner: $owner%(n)d, name: $name%(n)d, followRenames: true) {
    nameWithOwner
    isEmpty
    defaultBranchRef { target { ... on Commit {
      history(first: $first, after: $after%(n)d, since: $since, until: $until) { ...CommitPage }
    } } }
  }
"""
_COMMITS_OF_VARIABLES = "$owner%(n)d: String!, $name%(n)d: String!, $after%(n)d: String"
_COMMITS = """\
query Commits($first: Int!, $since: GitTimestamp!, $until: GitTimestamp!, %s) {
  rateLimit { cost remaining resetAt nodeCount }
%s}
fragment CommitPage on CommitHistoryConnection {
  totalCount
  pageInfo { hasNextPage endCursor }
  nodes { oid committedDate author { name email user { login } } }
}
"""
_SEARCH = """\
  s%(n)d: search(type: REPOSITORY, query: $query%(n)d, first: $first%(n)d, after: $after%(n)d) {
    ...ResultPage
  }
"""
_SEARCH_VARIABLES = "$query%(n)d: String!, $first%(n)d: Int!, $after%(n)d: String"
_SEARCHES = """\
query Searches(%s) {
  rateLimit { cost remaining resetAt nodeCount }
%s}
fragment ResultPage on SearchResultItemConnection {
  repositoryCount
  pageInfo { hasNextPage endCursor }
  nodes { ... on Repository {
    databaseId name owner { login } stargazerCount forkCount primaryLanguage { name } updatedAt pushedAt
  } }
}
"""


@lru_cache(maxsize=64)
def commits_query(aliases: int) -> str:
    """Return the query for one page of the commits of each of so many repositories: r0, r1, ..."""
    return _of_aliases(_COMMITS, _COMMITS_OF_VARIABLES, _COMMITS_OF, aliases)


@lru_cache(maxsize=64)
def search_query(aliases: int) -> str:
    """Return the query for one page of each of so many searches: s0, s1, ..."""
    return _of_aliases(_SEARCHES, _SEARCH_VARIABLES, _SEARCH, aliases)


def _of_aliases(query: str, variables: str, field: str, aliases: int) -> str:
    numbers = range(aliases)
    declared = ", ".join(variables % {"n": number} for number in numbers)
    return query % (declared, "".join(field % {"n": number} for number in numbers))
