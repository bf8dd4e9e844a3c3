"""The stack of workers, started once for all tests of this directory."""

from collections.abc import Iterator

import pytest

from tests.compose.running import Running, running


@pytest.fixture(scope="package")
def distributed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The profile of the same name."""
    with running("distributed", tmp_path_factory.mktemp("compose")) as started:
        yield started
