"""How Hypothesis searches: the same for everybody, and by chance where that is asked for."""

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import CHANCE, FIXED, TIMES, examples

TESTS = Path(__file__).resolve().parents[1]
SEARCHES = TESTS / "examples.py"


@contextmanager
def profile(name: str) -> Iterator[None]:
    """Load a profile for a while."""
    before = settings.get_current_profile_name()
    settings.load_profile(name)
    try:
        yield
    finally:
        settings.load_profile(before)


def drawn(usual: int = 200) -> list[int]:
    """Search by the profile that is loaded; return what was drawn."""
    found = []

    @examples(usual)
    @given(st.integers())
    def search(number: int) -> None:
        found.append(number)

    search()
    return found


def test_a_fixed_search_is_the_same_whatever_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Alone or after other tests, and after a change of a module that it has nothing to do with."""
    with profile(FIXED):
        before = drawn()
        (tmp_path / "limits.py").write_text(f"LIMITS = {[*range(70_000, 70_050)]}\n")
        spec = spec_from_file_location("limits_of_a_test", tmp_path / "limits.py")
        monkeypatch.setitem(sys.modules, spec.name, module_from_spec(spec))
        assert drawn() == before
    assert not set(before) & set(range(70_000, 70_050))


def test_a_search_by_chance_is_longer_and_tells_how_to_see_it_again():
    """Also in tests with a number of their own."""
    with profile(CHANCE):
        by_chance = settings.default
        assert (len(drawn(5)), by_chance.max_examples) == (5 * TIMES, 100 * TIMES)
        assert (by_chance.derandomize, by_chance.database, by_chance.print_blob) == (False, None, True)


def test_no_test_searches_in_a_way_of_its_own():
    """Neither with a seed nor with settings that hide those of the profile: `examples` says how many."""
    ways = {"settings", "seed", "reproduce_failure"}
    for path in {*TESTS.rglob("*.py")} - {SEARCHES, Path(__file__)}:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "hypothesis":
                assert ways.isdisjoint(alias.name for alias in node.names), path
            elif isinstance(node, ast.Import):
                assert "hypothesis" not in {alias.name for alias in node.names}, path
