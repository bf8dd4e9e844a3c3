"""The texts of our queries: many repositories, or many searches, in one request, each under its alias.

What a request asks for is known beforehand: each alias is one list of at most 100 things. So a query of n
aliases may return 100 n nodes, of the 500,000 allowed, and costs n / 100 points, rounded, at least one: ours,
of 50 aliases at most, cost one.
Source: https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

from yarl import URL

PAGE_SIZE = 100  # the most GitHub gives


def query_of_aliases(query: str, variables: str, field: str, aliases: int) -> str:
    """Return a query of so many aliases: its parts with the number of each in the place of %(n)d."""
    numbers = range(aliases)
    declared = ", ".join(variables % {"n": number} for number in numbers)
    return query % (declared, "".join(field % {"n": number} for number in numbers))


def graphql_url(base_url: URL) -> URL:
    """Return where GraphQL is: beside v3 on a GitHub Enterprise, below any other root."""
    root = base_url.path.rstrip("/")
    return base_url.with_path(f"{root.removesuffix('/v3') if root.endswith('/api/v3') else root}/graphql")
