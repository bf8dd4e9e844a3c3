"""The tests that xdist gives to one worker: those of a file, and those of a folder with a stack of its own.

https://pytest-xdist.readthedocs.io/en/stable/distribution.html
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# A stack of Airflow takes 40 s to start and a third of a processor while it is idle. A cluster takes the
# memory of five servers, and its tests wait most of their time, which leaves the processor to other tests.
ONE_WORKER = ("tests/cluster", "tests/compose", "tests/e2e")


def scope_of(nodeid: str) -> str:
    """Return the folder of a test where its tests share a stack, else its file."""
    file = nodeid.split("::", 1)[0]
    return next((folder for folder in ONE_WORKER if file.startswith(f"{folder}/")), file)


class LoadFolderScheduling(LoadFileScheduling):
    """What xdist does for `--dist loadfile`, with these folders as one file each."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Return our scheduler for `--dist loadfile`; for every other mode xdist has its own."""
    return LoadFolderScheduling(config, log) if config.getoption("dist") == "loadfile" else None
