"""GitHub's GraphQL schema, where the set-up could get it (`make test-schema`)."""

import sys
from pathlib import Path

import pytest

SCHEMA = Path(sys.prefix) / "github.graphql"
SCHEMA_IF_THERE = SCHEMA if SCHEMA.exists() else None  # without it a stand-in has no GraphQL
needs_schema = pytest.mark.skipif(
    SCHEMA_IF_THERE is None,
    reason="no GraphQL schema: npm was missing, or its registry; see `make test-schema`",
)
