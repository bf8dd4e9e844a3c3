"""GitHub's GraphQL schema, where the set-up could get it (`make test-schema`)."""

import sys
from pathlib import Path

import pytest

SCHEMA = Path(sys.prefix) / "github.graphql"
needs_schema = pytest.mark.skipif(
    not SCHEMA.exists(), reason="no GraphQL schema: npm was missing, or its registry; see `make test-schema`"
)
