"""docs/faults.md is true: it names tests that exist, and every test of this suite and of the cluster's."""

import ast
import re
from pathlib import Path

import pytest

SUITES = {"faults", "cluster"}
NAMED = re.compile(r"`([a-z0-9_/]+\.py)::(test_\w+)`")


def names_in(path: Path) -> set[str]:
    """The names of the test functions of a file."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.parse(path.read_text()).body if isinstance(node, functions)]
    return {node.name for node in nodes if node.name.startswith("test_")}


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    """The page."""
    return (root / "docs" / "faults.md").read_text()


def test_every_test_named_exists(page: str, root: Path):
    """Under the name and in the file that the page says."""
    named = set(NAMED.findall(page))
    assert named
    assert {(file, name) for file, name in named if name not in names_in(root / "tests" / file)} == set()


def test_every_test_of_the_suite_is_named(page: str, root: Path):
    """Whoever adds a test here says in the page which fault it is for."""
    files = [path for suite in SUITES for path in sorted((root / "tests" / suite).glob("test_*.py"))]
    there = {(f"{path.parent.name}/{path.name}", name) for path in files for name in names_in(path)}
    assert {file.split("/")[0] for file, _ in there} == SUITES
    assert there - set(NAMED.findall(page)) == set()


def test_every_row_has_a_test(page: str):
    """No row promises something that nothing shows."""
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    rows = [row for row in rows if not row.endswith("| test |")]
    assert len(rows) > 50
    assert [row for row in rows if not NAMED.search(row)] == []
