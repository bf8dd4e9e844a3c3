"""Our queries are GitHub's language: each is valid by its schema, and costs what we say beforehand."""

import pytest

from include.github.graphql_queries import PAGE_SIZE, commits_query, most_aliases, points, search_query
from tests.servers.github_schema import SCHEMA, needs_schema

pytestmark = needs_schema

VARIABLES = {"first": PAGE_SIZE} | {f"first{number}": PAGE_SIZE for number in range(150)}


@pytest.fixture(scope="module")
def schema():
    """GitHub's schema, built once."""
    from include.github_stand_in.graphql import read_schema

    return read_schema(SCHEMA)


@pytest.mark.parametrize("query", [commits_query, search_query])
@pytest.mark.parametrize("aliases", [1, 50, 150])
def test_valid_and_of_known_cost(schema, query, aliases):
    """The schema takes the query, and counts the same nodes and points as we do before it is sent."""
    from graphql import parse, validate

    from include.github_stand_in.graphql_cost import CostReader

    document = parse(query(aliases))
    assert validate(schema, document) == []
    cost = CostReader(schema, document, VARIABLES).read()
    assert (cost.points, cost.nodes) == (points(aliases), aliases * PAGE_SIZE)


def test_a_query_of_another_schema_is_refused(schema):
    """The check above can fail: a field that GitHub does not have is found."""
    from graphql import parse, validate

    assert validate(schema, parse(commits_query(1).replace("committedDate", "committed_at")))


def test_the_node_limit_is_beyond_our_batches():
    """500,000 nodes are 5,000 lists of a hundred."""
    assert most_aliases() == 5000
