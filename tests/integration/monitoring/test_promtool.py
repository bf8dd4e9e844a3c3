"""What Prometheus' own tool says of the configuration and the alerts."""

import subprocess
from pathlib import Path

import pytest

from tests.servers.prometheus import prometheus_program

PLACE = Path(__file__).resolve().parents[3] / "include" / "monitoring" / "prometheus"


@pytest.mark.parametrize(
    "asked",
    ["check rules alerts.yml", "check config --syntax-only prometheus.yml", "test rules alerts_test.yml"],
)
def test_prometheus_takes_them(asked: str):
    """And each alert fires, and does not fire, where its tests say so."""
    command = [prometheus_program("promtool"), *asked.split()]
    done = subprocess.run(command, cwd=PLACE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
