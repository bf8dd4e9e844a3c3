"""Our queries are GitHub's language: each is valid by its schema, and costs what we say beforehand."""

import pytest

from include.github.api.graphql_queries import PAGE_SIZE
from include.github.commits.graphql import GraphQLCommits
from include.github.commits.graphql_page import commits_query
from include.github.search.graphql import GraphQLSearch
from include.github.search.graphql_page import search_query
from tests.servers.github_schema import SCHEMA, needs_schema

pytestmark = needs_schema

VARIABLES = {"first": PAGE_SIZE} | {f"first{number}": PAGE_SIZE for number in range(50)}


@pytest.fixture(scope="module")
def schema():
    """GitHub's schema, built once."""
    from include.github_stand_in.graphql import read_schema

    return read_schema(SCHEMA)


@pytest.mark.parametrize(
    ("query", "most"), [(commits_query, GraphQLCommits.batch), (search_query, GraphQLSearch.width)]
)
def test_valid_and_of_known_cost(schema, query, most):
    """The schema takes the query, the largest too, and counts a point, as the plan does."""
    from graphql import parse, validate

    from include.github_stand_in.graphql_cost import MOST_NODES, CostReader

    for aliases in (1, most):
        document = parse(query(aliases))
        assert validate(schema, document) == []
        cost = CostReader(schema, document, VARIABLES).read()
        assert (cost.points, cost.nodes) == (1, aliases * PAGE_SIZE)
        assert cost.nodes < MOST_NODES


def test_a_query_of_another_schema_is_refused(schema):
    """The check above can fail: a field that GitHub does not have is found."""
    from graphql import parse, validate

    assert validate(schema, parse(commits_query(1).replace("committedDate", "committed_at")))
