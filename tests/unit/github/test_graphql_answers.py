"""What an error of GraphQL means: whether to ask for less, to ask again, or never again."""

import pytest

from include.github.api.graphql_responses import QueryError
from include.github.commits.graphql_page import read_commit_pages

UNKNOWN = "Could not resolve to a Repository with the name 'a/timeout'."


@pytest.mark.parametrize(
    ("kind", "message", "overload"),
    [
        (None, "Something went wrong while executing your query. This may be a timeout.", True),
        ("RESOURCE_LIMITS_EXCEEDED", "Resource limits for this query exceeded.", True),
        ("NOT_FOUND", UNKNOWN, False),
    ],
)
def test_a_repository_called_timeout_is_none(kind, message, overload):
    """Words count only where there is no type: messages quote names."""
    assert QueryError(type=kind, message=message, path=("r0",)).overload is overload


@pytest.mark.parametrize(
    ("path", "data", "kind"),
    [
        (["query Commits", "r0", "isEmpty"], None, "useless"),
        ([], None, "useless"),
        (["r0"], None, "refused"),
        ([], {"r0": None}, "refused"),
    ],
)
def test_only_what_is_about_the_query_ends_graphql(path, data, kind):
    """A field that is not known, an API that is not allowed; what is about a repository is that one's."""
    error = {"type": "FORBIDDEN", "path": path, "message": "no"}
    (refusal,) = read_commit_pages({"data": data, "errors": [error]}, 1)
    assert refusal.kind == kind
