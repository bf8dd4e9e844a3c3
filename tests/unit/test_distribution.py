"""A stack is started once, however many workers run the tests."""

from pathlib import Path

import pytest

from tests.distribution import ONE_WORKER, scope_of


@pytest.mark.parametrize("folder", ONE_WORKER)
def test_the_tests_of_a_stack_stay_together(root: Path, folder: str):
    """Those of all its files, as the fixture that starts it is the package's."""
    files = sorted((root / folder).glob("test_*.py"))
    assert len(files) > 1
    assert {scope_of(f"{folder}/{file.name}::test_it[a::b]") for file in files} == {folder}
    assert 'scope="package"' in (root / folder / "conftest.py").read_text()


def test_other_tests_stay_with_those_of_their_file():
    """In whatever class and with whatever values."""
    assert scope_of("tests/unit/test_text.py::TestOf::test_it[a/b]") == "tests/unit/test_text.py"
    assert scope_of("tests/e2e_of_others/test_it.py::test_it") == "tests/e2e_of_others/test_it.py"


def test_no_other_folder_starts_servers_for_a_package(root: Path):
    """Each worker would start its own."""
    starting = [
        str(path.parent.relative_to(root))
        for path in (root / "tests").rglob("conftest.py")
        if 'scope="package"' in path.read_text()
    ]
    assert sorted(starting) == sorted(ONE_WORKER)
