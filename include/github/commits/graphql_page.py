"""A page of the commits of many repositories by GraphQL: the text of the query, and what comes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import JsonValue, NonNegativeInt

from include.github.api.graphql_queries import query_of_aliases
from include.github.api.graphql_responses import Node, PageInfo, QueryAnswer, Refusal, checked, read_answer
from include.github.api.models import Commit
from include.text import safe_repr

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


@lru_cache(maxsize=64)
def commits_query(aliases: int) -> str:
    """Return the query for one page of the commits of each of so many repositories: r0, r1, ..."""
    return query_of_aliases(_COMMITS, _COMMITS_OF_VARIABLES, _COMMITS_OF, aliases)


class _Actor(Node):
    name: Any = None
    email: Any = None
    user: Any = None


class _Commit(Node):
    oid: Any = None
    committed_date: Any = None
    author: _Actor | None = None


class _History(Node):
    total_count: NonNegativeInt
    page_info: PageInfo
    nodes: tuple[_Commit | None, ...]


class _Target(Node):
    history: _History | None = None


class _Branch(Node):
    target: _Target | None = None


class _Committed(Node):
    name_with_owner: str
    is_empty: bool = False
    default_branch_ref: _Branch | None = None


class CommitPage(NamedTuple):
    """A page of a repository's commits. Attributes: full_name of today; total, of the whole list; next."""

    full_name: str
    commits: list[Commit]
    total: int
    next: str


def read_commit_pages(value: JsonValue, aliases: int) -> list[CommitPage | Refusal]:
    """Read the answer to commits_query(aliases). Raises: ValueError where asking again may help."""
    answer = read_answer(value)
    return [_commit_page(answer, f"r{number}") for number in range(aliases)]


def _commit_page(answer: QueryAnswer, alias: str) -> CommitPage | Refusal:
    if refusal := answer.refusal(alias):
        return refusal
    try:
        return _read_page(answer, alias)
    except ValueError as error:  # one of many must not stop the others: REST decides
        return Refusal("refused", str(error))


def _read_page(answer: QueryAnswer, alias: str) -> CommitPage | Refusal:
    node = checked(_Committed, answer.node(alias), alias)
    branch = node.default_branch_ref
    if branch is None and node.is_empty:
        return Refusal("empty", "it has no branch")
    if branch is None or branch.target is None or branch.target.history is None:
        return Refusal("refused", "no history of a default branch")
    history = branch.target.history
    if not history.nodes and history.page_info.next:
        raise ValueError(f"{alias}: an empty page that is not the last")
    commits = [_commit_of(commit) for commit in history.nodes if commit]
    if len(commits) < len(history.nodes):
        return Refusal("refused", "a commit is null, without an error")
    return CommitPage(node.name_with_owner, commits, history.total_count, history.page_info.next)


def _commit_of(node: _Commit) -> Commit:
    """Return the commit that REST would send."""
    author = node.author or _Actor()
    git = {"author": {"name": author.name, "email": author.email}, "committer": {"date": node.committed_date}}
    item = {"sha": node.oid, "commit": git, "author": author.user}
    return checked(Commit, item, f"commit {safe_repr(node.oid)}")
