"""A page of many searches by GraphQL: the text of the query, and what comes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import JsonValue, NonNegativeInt

from include.github.api.graphql_queries import query_of_aliases
from include.github.api.graphql_responses import Node, PageInfo, QueryAnswer, Refusal, checked, read_answer
from include.github.api.models import Repository
from include.github.search.source import PageResult

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
def search_query(aliases: int) -> str:
    """Return the query for one page of each of so many searches: s0, s1, ..."""
    return query_of_aliases(_SEARCHES, _SEARCH_VARIABLES, _SEARCH, aliases)


class _Language(Node):
    name: Any = None


class _Result(Node):
    database_id: Any = None
    name: Any = None
    owner: Any = None
    stargazer_count: Any = None
    fork_count: Any = None
    primary_language: _Language | None = None
    updated_at: Any = None
    pushed_at: Any = None


class _Results(Node):
    repository_count: NonNegativeInt
    page_info: PageInfo
    nodes: tuple[_Result | None, ...]


def read_result_pages(value: JsonValue, aliases: int) -> list[PageResult | Refusal]:
    """Read the answer to search_query(aliases). Raises: ValueError where asking again may help."""
    answer = read_answer(value)
    return [_result_page(answer, f"s{number}") for number in range(aliases)]


def _result_page(answer: QueryAnswer, alias: str) -> PageResult | Refusal:
    if refusal := answer.refusal(alias):
        return refusal
    try:
        results = checked(_Results, answer.node(alias), alias)
        repositories = tuple(_repository_of(node) for node in results.nodes if node)
    except ValueError as error:  # an odd one, which REST leaves out
        return Refusal("refused", str(error))
    if len(repositories) < len(results.nodes):
        return Refusal("refused", "a repository is null, without an error")
    return PageResult(results.repository_count, repositories, results.page_info.next)


def _repository_of(node: _Result) -> Repository:
    """Return the repository that REST's search would list; `watchers` are stars there."""
    language = node.primary_language
    item = {
        "id": node.database_id,
        "owner": node.owner,
        "name": node.name,
        "stargazers_count": node.stargazer_count,
        "watchers_count": node.stargazer_count,
        "forks_count": node.fork_count,
        "language": language and language.name,
        "updated_at": node.updated_at,
        "pushed_at": node.pushed_at,
    }
    return checked(Repository, item, "a repository of a search")
