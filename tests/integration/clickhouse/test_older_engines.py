"""On the engines that most users run: what `make test` has time for of what `make test-engines` runs."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.servers.clickhouse import fast_disk

HERE = "tests/integration/clickhouse"
FILES = [f"{HERE}/{name}.py" for name in ("test_text_parts", "test_whole_tables", "test_publish")]
# What was replaced comes back there when the data is opened again: the test beside this one says who notices.
COMES_BACK = f"{HERE}/test_publish.py::test_an_open_reopened_engine_shows_what_was_published[26.9 embedded]"
EACH, BUT_BAD_VALUES = "embedded", "embedded and not test_every_bad_value_is_found_and_named"


@pytest.mark.parametrize(
    ("engine", "chosen"),
    [("24.8", BUT_BAD_VALUES), ("25.8", EACH), ("26.3", BUT_BAD_VALUES)],
    ids=["24.8", "25.8", "26.3"],
)
def test_an_engine_that_most_users_run(root: Path, engine: str, chosen: str):
    """Text is loaded and proved, days and whole tables are published and checked, as on the newest engine."""
    wheel = root / ".stagehouse" / "engines" / engine
    if not wheel.exists():
        pytest.skip(f"no engine {engine}: its wheel could not be got; see `make test-wheels`")
    environment = os.environ | {"PYTHONPATH": str(wheel)}
    asked = [sys.executable, "-c", "import chdb; print(chdb.query('SELECT version()'))"]
    version = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True).stdout
    assert version.startswith(f'"{engine}.')
    with tempfile.TemporaryDirectory(dir=fast_disk()) as data:
        options = ["-p", "no:xdist", "--basetemp", f"{data}/tests", "-k", chosen, "--deselect", COMES_BACK]
        command = [sys.executable, "-m", "pytest", *options, *FILES]
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
