"""GitHub's GraphQL API, by executing the schema that GitHub publishes over a data set of the stand-in.

What our queries need is answered, any other field of the schema is null. Imported only where a schema file is
given: graphql-core is no runtime requirement.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    build_ast_schema,
    execute_sync,
    parse,
    validate,
)

from include.github_stand_in.answers import Answer, RefusedError, json_body, refusal
from include.github_stand_in.catalogue import Catalogue
from include.github_stand_in.dataset import Dataset, Repository, Standing
from include.github_stand_in.graphql_cost import MOST_NODES, Cost, CostReader
from include.github_stand_in.graphql_nodes import (
    Node,
    Nodes,
    after_search_cursor,
    page,
    page_size,
    refused,
    search_cursor,
)
from include.github_stand_in.quota import Window
from include.github_stand_in.repository_json import timestamp
from include.github_stand_in.search import QueryError, Search, SearchIndex

SEARCH_CAP = 1000
_SORT = re.compile(r"\bsort:(?P<by>[a-z]+)(?:-(?P<order>asc|desc))?")


@lru_cache(maxsize=1)
def read_schema(file: Path) -> GraphQLSchema:
    """Build the schema, which takes two seconds."""
    # It is GitHub's own, so its rules are taken as kept.
    return build_ast_schema(parse(file.read_text("utf-8"), no_location=True), assume_valid=True)


@dataclass(frozen=True, slots=True)
class _Query:
    document: DocumentNode
    variables: dict[str, Any]
    cost: Cost


class GraphQLApi:
    """Answers queries about one data set. schema: GitHub's, as SDL."""

    def __init__(self, dataset: Dataset, catalogue: Catalogue, index: SearchIndex, schema: Path) -> None:
        self._dataset, self._catalogue, self._index = dataset, catalogue, index
        self._schema = read_schema(schema)
        self._read_document = lru_cache(maxsize=64)(self._parse)

    def answer(self, body: bytes, as_of: datetime, window: Window) -> Answer:
        """Return the answer to a query, with its cost in points; refusals are answers too.

        Args: as_of: the server's time, aware, UTC, whole seconds. window: the quota that it is charged to.
        """
        try:
            query = self._read(body)
        except RefusedError as refused_request:
            return refused_request.answer
        except GraphQLError as error:
            return _errors(error)
        asked = _Asked(self._dataset, self._catalogue, self._index, as_of)
        root = asked.root() | {"rateLimit": _rate_limit(query.cost, window)}
        result = execute_sync(self._schema, query.document, root, variable_values=query.variables)
        content: dict[str, object] = {"data": result.data}
        if result.errors:
            content["errors"] = [_error_json(error) for error in result.errors]
        return Answer(200, json_body(content), cost=query.cost.points)

    def _read(self, body: bytes) -> _Query:
        try:
            sent = json.loads(body)
        except ValueError:
            raise RefusedError(refusal(400, "Problems parsing JSON")) from None
        text, variables = sent.get("query"), sent.get("variables") or {}
        if not isinstance(text, str) or not isinstance(variables, dict):
            raise GraphQLError("A query attribute must be specified and must be a string.")
        document = self._read_document(text)
        cost = CostReader(self._schema, document, variables).read()
        if cost.nodes > MOST_NODES:
            raise refused(
                "MAX_NODE_LIMIT_EXCEEDED",
                f"This query requests up to {cost.nodes:,} possible nodes which exceeds the maximum limit of "
                f"{MOST_NODES:,}.",
            )
        return _Query(document, variables, cost)

    def _parse(self, text: str) -> DocumentNode:
        document = parse(text)
        for error in validate(self._schema, document):
            raise error
        return document


class _Asked:
    """The root of one query: what is resolved of `Query`."""

    def __init__(self, dataset: Dataset, catalogue: Catalogue, index: SearchIndex, as_of: datetime) -> None:
        self._catalogue, self._index, self._nodes = catalogue, index, Nodes(dataset, as_of)

    def root(self) -> Node:
        return {"search": self._search, "repository": self._repository}

    def _repository(
        self,
        _info: object,
        *,
        owner: str,
        name: str,
        followRenames: bool = True,  # noqa: N803 - GitHub's
    ) -> Node:
        asked = f"{owner}/{name}"
        try:
            found = self._catalogue.named(owner, name)
        except RefusedError:
            raise _unknown(asked) from None
        renamed = found.standing is Standing.MOVED and found.full_name.lower() == asked.lower()
        if found.standing is Standing.GONE or (renamed and not followRenames):
            raise _unknown(asked)
        if found.standing is Standing.BLOCKED:
            # GitHub does not say how it tells of these; a client can only take any refusal for one.
            raise refused("FORBIDDEN", "Repository access blocked")
        return self._nodes.repository(found, found.moved_to or found.full_name)

    def _search(
        self,
        _info: object,
        *,
        query: str,
        type: str,  # noqa: A002
        first: int | None = None,
        after: str | None = None,
    ) -> Node:
        if type != "REPOSITORY":
            raise refused("UNPROCESSABLE", f"This stand-in does not search for {type}.")
        begin = after_search_cursor(after)
        positions = slice(begin, begin + page_size("search", first))
        found = self._found(query)
        reachable = found[:SEARCH_CAP]
        nodes = [self._nodes.repository(item, item.full_name) for item in reachable[positions]]
        return page(nodes, len(reachable), positions, search_cursor) | {"repositoryCount": len(found)}

    def _found(self, query: str) -> tuple[Repository, ...]:
        sort = _SORT.search(query)
        by, order = (sort["by"], sort["order"] or "desc") if sort else ("", "")
        try:
            return self._index.find(Search(_SORT.sub("", query).strip(), by, order))
        except QueryError as error:
            raise refused("UNPROCESSABLE", str(error)) from error


def _unknown(full_name: str) -> GraphQLError:
    return refused("NOT_FOUND", f"Could not resolve to a Repository with the name '{full_name}'.")


def _rate_limit(cost: Cost, window: Window) -> Node:
    remaining = max(0, window.remaining - cost.points)
    return {
        "cost": cost.points,
        "limit": window.limit,
        "nodeCount": cost.nodes,
        "remaining": remaining,
        "used": window.limit - remaining,
        "resetAt": timestamp(datetime.fromtimestamp(window.reset, UTC)),
    }


def _errors(*errors: GraphQLError) -> Answer:
    """Answer a query that is not run at all: GitHub says so with a 200, and leaves `data` out."""
    return Answer(200, json_body({"errors": [_error_json(error) for error in errors]}))


def _error_json(error: GraphQLError) -> dict[str, object]:
    content: dict[str, object] = {"message": error.message}
    if kind := cast("Mapping[str, object]", error.extensions or {}).get("type"):
        content["type"] = kind
    if error.path is not None:
        content["path"] = list(error.path)
    if error.locations:
        content["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    return content
