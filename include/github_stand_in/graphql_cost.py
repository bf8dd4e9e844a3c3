"""The cost of a GraphQL query, known before it runs: GitHub counts the nodes asked for, not those returned.

Source: https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

MOST_NODES = 500_000
MOST_A_PAGE = 100
REQUESTS_A_POINT = 100


@dataclass(frozen=True, slots=True)
class Cost:
    """The size of a query. nodes: things it may return; requests: lists that are read for it."""

    nodes: int = 0
    requests: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.nodes + other.nodes, self.requests + other.requests)

    @property
    def points(self) -> int:
        """Return what the quota is charged: a hundredth of the requests, rounded, at least one."""
        return max(1, round(self.requests / REQUESTS_A_POINT))


class CostReader:
    """Reads the cost out of a valid query. variables: as they were sent."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, object]
    ) -> None:
        self._schema, self._variables = schema, variables
        definitions = document.definitions
        self._operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
        self._fragments = {
            node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)
        }

    def read(self) -> Cost:
        """Return the cost of the document's only operation."""
        return self._of(self._operations[0].selection_set, self._schema.query_type, 1)

    def _of(self, selections: SelectionSetNode | None, parent: Any, times: int) -> Cost:
        """Add up what is selected of `parent`, which the query may hold so many times."""
        total = Cost()
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                total += self._field(node, parent, times)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                total += self._of(node.selection_set, self._named(condition, parent), times)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                total += self._of(fragment.selection_set, self._named(fragment.type_condition, parent), times)
        return total

    def _named(self, condition: Any, parent: Any) -> Any:
        return self._schema.get_type(condition.name.value) if condition else parent

    def _field(self, node: FieldNode, parent: Any, times: int) -> Cost:
        field = getattr(parent, "fields", {}).get(node.name.value)
        if field is None:  # __typename
            return Cost()
        kind = get_named_type(field.type)
        if not kind.name.endswith("Connection"):
            return self._of(node.selection_set, kind, times)
        size = self._page_size(node)
        own = Cost(nodes=times * size, requests=times)
        return own + self._of(node.selection_set, kind, times * size)

    def _page_size(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in ("first", "last"):
                value = argument.value
                if isinstance(value, IntValueNode):
                    return int(value.value)
                if isinstance(value, VariableNode):
                    sent = self._variables.get(value.name.value)
                    return sent if isinstance(sent, int) else 0
        return 0
