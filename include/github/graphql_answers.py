"""What an answer of GraphQL means: data and errors may come together, and each error names what it is about.

A node becomes the same model as the item that REST sends for it, checked by the same rules.
Source: https://spec.graphql.org/October2021/#sec-Response-Format; the types of errors are those clients met:
NOT_FOUND, FORBIDDEN, RESOURCE_LIMITS_EXCEEDED, and a message without type where GitHub's 10 s are up.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, NonNegativeInt, ValidationError
from pydantic.alias_generators import to_camel

from include.github.models import Commit, Repository
from include.github.search import Found
from include.shown import first_problem, shown

Model = TypeVar("Model", bound=BaseModel)

# https://github.com/orgs/community/discussions/24631 and docs "Timeouts": GitHub ends a query after 10 s.
_OVERLOAD_TYPES = frozenset({"RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED"})
_OVERLOAD_WORDS = ("something went wrong", "timeout", "timedout", "timed out", "couldn't respond")


class QueryError(BaseModel):
    """One error of an answer. Attributes: type, GitHub's name of its kind; path, of the field at fault."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    message: str = ""
    type: str | None = None
    path: tuple[str | int, ...] = ()

    @property
    def alias(self) -> str:
        """The field of the query's root that it is about; '' where it is about the query."""
        first = str(self.path[0]) if self.path else ""
        # "query Commits", "fragment CommitPage": what is not valid.
        return "" if " " in first else first

    @property
    def not_found(self) -> bool:
        """Tell whether the thing asked for is deleted, private, or not visible with this token."""
        return self.type == "NOT_FOUND" and len(self.path) == 1

    @property
    def overload(self) -> bool:
        """Tell whether a smaller query may be answered. A message with a type may quote a name."""
        message = self.message.lower() if self.type is None else ""
        return self.type in _OVERLOAD_TYPES or any(words in message for words in _OVERLOAD_WORDS)

    def __str__(self) -> str:
        return ascii(f"{self.type or 'error'}: {self.message[:300]}"[:350])[1:-1]


class QueryAnswer(BaseModel):
    """A whole answer. Attributes: data, by alias; errors."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    data: dict[str, Any] | None = None
    errors: tuple[QueryError, ...] = ()

    def node(self, alias: str) -> Any:
        """Return what is under an alias, None where that is null."""
        return (self.data or {}).get(alias)

    def refusal(self, alias: str) -> Refusal | None:
        """Tell why there is nothing, or not all, under an alias; None where it is whole."""
        errors = [error for error in self.errors if error.alias in ("", alias)]
        reason = "; ".join(map(str, errors))[:500]
        if any(error.overload for error in errors):
            return Refusal("overload", reason)
        if errors and all(error.not_found for error in errors):
            return Refusal("not_found", reason)
        if self.data is None and any(not error.alias for error in errors):
            return Refusal("useless", reason)
        if errors or self.node(alias) is None:
            return Refusal("refused", reason or "null, without an error")
        return None


class _Node(BaseModel):
    """A part of the data. What `Any` holds is judged by the models of REST."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class _PageInfo(_Node):
    has_next_page: bool
    end_cursor: str | None = None

    @property
    def next(self) -> str:
        """The cursor to go on after, '' at the end of the list."""
        return (self.end_cursor or "") if self.has_next_page else ""


class _Actor(_Node):
    name: Any = None
    email: Any = None
    user: Any = None


class _Commit(_Node):
    oid: Any = None
    committed_date: Any = None
    author: _Actor | None = None


class _History(_Node):
    total_count: NonNegativeInt
    page_info: _PageInfo
    nodes: tuple[_Commit | None, ...]


class _Target(_Node):
    history: _History | None = None


class _Branch(_Node):
    target: _Target | None = None


class _Committed(_Node):
    name_with_owner: str
    is_empty: bool = False
    default_branch_ref: _Branch | None = None


class _Language(_Node):
    name: Any = None


class _Result(_Node):
    database_id: Any = None
    name: Any = None
    owner: Any = None
    stargazer_count: Any = None
    fork_count: Any = None
    primary_language: _Language | None = None
    updated_at: Any = None
    pushed_at: Any = None


class _Results(_Node):
    repository_count: NonNegativeInt
    page_info: _PageInfo
    nodes: tuple[_Result | None, ...]


class Refusal(NamedTuple):
    """What came instead of a page.

    Attributes: kind: not_found; empty, there are no commits; overload, a smaller query may be answered;
    refused, by GraphQL, for whatever reason; useless, so is every such query. reason, in GitHub's words.
    """

    kind: Literal["not_found", "empty", "overload", "refused", "useless"]
    reason: str


class CommitPage(NamedTuple):
    """A page of a repository's commits. Attributes: full_name of today; total, of the whole list; next."""

    full_name: str
    commits: list[Commit]
    total: int
    next: str


def read_answer(value: JsonValue) -> QueryAnswer:
    """Check the frame of an answer. Raises: ValueError where it has neither data nor errors."""
    try:
        answer = QueryAnswer.model_validate(value)
    except ValidationError as error:
        raise ValueError(f"not an answer of GraphQL: {first_problem(error)}") from error
    if answer.data is None and not answer.errors:
        raise ValueError("not an answer of GraphQL: neither data nor errors")
    return answer


def read_commit_pages(value: JsonValue, aliases: int) -> list[CommitPage | Refusal]:
    """Read the answer to commits_query(aliases). Raises: ValueError where asking again may help."""
    answer = read_answer(value)
    return [_commit_page(answer, f"r{number}") for number in range(aliases)]


def read_result_pages(value: JsonValue, aliases: int) -> list[Found | Refusal]:
    """Read the answer to search_query(aliases). Raises: ValueError where asking again may help."""
    answer = read_answer(value)
    return [_result_page(answer, f"s{number}") for number in range(aliases)]


def _commit_page(answer: QueryAnswer, alias: str) -> CommitPage | Refusal:
    if refusal := answer.refusal(alias):
        return refusal
    node = _checked(_Committed, answer.node(alias), alias)
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


def _result_page(answer: QueryAnswer, alias: str) -> Found | Refusal:
    if refusal := answer.refusal(alias):
        return refusal
    results = _checked(_Results, answer.node(alias), alias)
    repositories = tuple(_repository_of(node) for node in results.nodes if node)
    if len(repositories) < len(results.nodes):
        return Refusal("refused", "a repository is null, without an error")
    return Found(results.repository_count, repositories, results.page_info.next)


def _commit_of(node: _Commit) -> Commit:
    """Return the commit that REST would send."""
    author = node.author or _Actor()
    git = {"author": {"name": author.name, "email": author.email}, "committer": {"date": node.committed_date}}
    item = {"sha": node.oid, "commit": git, "author": author.user}
    return _checked(Commit, item, f"commit {shown(node.oid)}")


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
    return _checked(Repository, item, "a repository of a search")


def _checked(model: type[Model], value: object, what: str) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ValueError(f"{what}: {first_problem(error)}") from error
