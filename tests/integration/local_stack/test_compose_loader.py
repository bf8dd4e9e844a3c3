"""docker-compose.yaml, as compose's own loader reads it, where Go and the loader's modules are at hand."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ALWAYS = {"api-server", "clickhouse", "dag-processor", "init", "postgres"}
MONITORING = {"prometheus", "grafana"}
WAITS_S = 120


@pytest.fixture(scope="module")
def go() -> str:
    """The program; its modules are there, or were got."""
    program = shutil.which("go")
    if program is None:
        pytest.skip("no go on this machine")
    try:
        subprocess.run([program, "mod", "download"], cwd=ROOT / ".ci" / "loader", check=True, timeout=WAITS_S)
    except subprocess.SubprocessError as error:
        pytest.skip(f"the modules of compose's loader cannot be had: {error}")
    return program


@pytest.mark.parametrize(
    ("profiles", "services"),
    [
        ("small", {"scheduler-small"}),
        ("distributed,monitoring", MONITORING | {"redis", "scheduler-distributed", "triggerer", "worker"}),
        ("demo,monitoring", MONITORING | {"github", "scheduler-demo"}),
    ],
)
def test_compose_would_start_the_services_of_the_profiles(go: str, profiles: str, services: set[str]):
    """And no others; their images are pinned."""
    done = subprocess.run(
        [ROOT / ".ci" / "load-compose", profiles], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    started = dict(line.split() for line in done.stdout.splitlines())
    assert started.keys() == ALWAYS | services
    assert all(":" in image for image in started.values())
