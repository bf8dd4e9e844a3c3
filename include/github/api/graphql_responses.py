"""The meaning of GraphQL responses: data and errors may come together, and each error names its field.

A node becomes the same model as the item that REST sends for it, checked by the same rules.
Source: https://spec.graphql.org/October2021/#sec-Response-Format; the types of errors are those clients met:
NOT_FOUND, FORBIDDEN, RESOURCE_LIMITS_EXCEEDED, and a message without type where GitHub's 10 s are up.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic.alias_generators import to_camel

from include.text import first_problem

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


class Node(BaseModel):
    """A part of the data. What `Any` holds is judged by the models of REST."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class PageInfo(Node):
    """The end of a page of a list."""

    has_next_page: bool
    end_cursor: str | None = None

    @property
    def next(self) -> str:
        """The cursor to go on after, '' at the end of the list."""
        return (self.end_cursor or "") if self.has_next_page else ""


class Refusal(NamedTuple):
    """The errors that came instead of a page.

    Attributes: kind: not_found; empty, there are no commits; overload, a smaller query may be answered;
    refused, by GraphQL, for whatever reason; useless, so is every such query. reason, in GitHub's words.
    """

    kind: Literal["not_found", "empty", "overload", "refused", "useless"]
    reason: str


def read_answer(value: JsonValue) -> QueryAnswer:
    """Check the frame of an answer. Raises: ValueError where it has neither data nor errors."""
    try:
        answer = QueryAnswer.model_validate(value)
    except ValidationError as error:
        raise ValueError(f"not an answer of GraphQL: {first_problem(error)}") from error
    if answer.data is None and not answer.errors:
        raise ValueError("not an answer of GraphQL: neither data nor errors")
    return answer


def checked(model: type[Model], value: object, what: str) -> Model:
    """Return a value as a model. Raises: ValueError, naming `what` it is."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ValueError(f"{what}: {first_problem(error)}") from error


def points_of(value: JsonValue) -> int:
    """Return what an answer says that it cost, 1 where it does not."""
    data = value.get("data") if isinstance(value, dict) else None
    limit = data.get("rateLimit") if isinstance(data, dict) else None
    cost = limit.get("cost") if isinstance(limit, dict) else None
    return cost if isinstance(cost, int) else 1
