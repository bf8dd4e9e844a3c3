"""Which tests xdist gives to one worker: those of a file, and those of a folder that share a stack.

https://pytest-xdist.readthedocs.io/en/stable/distribution.html
"""

import pytest
from xdist.scheduler import LoadFileScheduling

# A stack of Airflow takes 40 s to start and a third of a processor while nothing is asked of it.
ONE_WORKER = ("tests/cluster", "tests/compose", "tests/e2e")


def together(nodeid: str) -> str:
    """Return the name of all that runs in the same worker as this test."""
    file = nodeid.split("::", 1)[0]
    return next((folder for folder in ONE_WORKER if file.startswith(f"{folder}/")), file)


class FilesAndFolders(LoadFileScheduling):
    """What xdist does for `--dist loadfile`, with folders that stay together."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    """Give the tests out by files and folders where files are asked for."""
    return FilesAndFolders(config, log) if config.getoption("dist") == "loadfile" else None
