"""One Airflow of others for all tests here, with Stagehouse put into it by the commands of the page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.guest.airflow_of_others import AirflowOfOthers
from tests.servers.postgres import PostgresServer

PAGE = "docs/into-your-airflow.md"


def commands(root: Path, heading: str) -> str:
    """Return the shell commands of the first code block below a heading of the page."""
    section = (root / PAGE).read_text().partition(f"## {heading}\n")[2]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found, heading
    return found[1]


def run_commands(root: Path, heading: str, home: Path) -> None:
    """Run them in the checkout, as its reader does."""
    python = Path(sys.executable).parent
    environment = {"AIRFLOW_HOME": str(home), "PATH": f"{python}:/usr/bin:/bin"}
    block = commands(root, heading)
    done = subprocess.run(
        ["bash", "-euc", block], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def theirs(
    root: Path, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AirflowOfOthers:
    """Their Airflow, its database migrated, and Stagehouse copied in."""
    made = AirflowOfOthers(tmp_path_factory.mktemp("theirs"), postgres_server)
    made.python("from airflow.utils import db; db.initdb()")
    run_commands(root, "Copy", made.home)
    return made
