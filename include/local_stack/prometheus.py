"""Prometheus beside the stack, where it is installed: `make up MONITORING=1`."""

import json
import shutil
from pathlib import Path

from include.local_stack.errors import StackError
from include.local_stack.sessions import Command
from include.local_stack.settings import LOOPBACK, Settings
from include.local_stack.state import StateDirectory

PROMETHEUS = "prometheus"
RULES = Path("include") / "monitoring" / "prometheus" / "alerts.yml"
KEPT = "15d"


def require_prometheus(settings: Settings) -> str:
    """Return its program. Raises: StackError: it is not installed."""
    program = shutil.which(PROMETHEUS, path=settings.inherited.get("PATH"))
    if program is None:
        raise StackError(
            "MONITORING=1, and there is no prometheus on PATH. Next: install it (Debian: apt-get install "
            "prometheus), or leave MONITORING out"
        )
    return program


def prometheus(settings: Settings, state: StateDirectory, airflow_port: int, port: int) -> Command:
    """Write its configuration and port; return what starts it, on loopback. Raises: StackError."""
    directory = state.path / PROMETHEUS
    directory.mkdir(exist_ok=True)
    job = {
        "job_name": "stagehouse",
        "metrics_path": "/stagehouse/metrics",
        "authorization": {"credentials_file": str(state.metrics_token)},
        "static_configs": [{"targets": [f"{LOOPBACK}:{airflow_port}"]}],
    }
    every = {"scrape_interval": "5s", "scrape_timeout": "5s", "evaluation_interval": "5s"}
    # JSON is YAML too.
    config = {"global": every, "rule_files": [str(settings.root / RULES)], "scrape_configs": [job]}
    file = directory / "prometheus.yml"
    file.write_text(json.dumps(config, indent=2))
    state.port_file(PROMETHEUS).write_text(f"{port}\n")
    return Command(
        name=PROMETHEUS,
        argv=(
            require_prometheus(settings),
            f"--config.file={file}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--storage.tsdb.retention.time={KEPT}",
            f"--web.listen-address={LOOPBACK}:{port}",
        ),
        env=settings.inherited,
        log=state.log(PROMETHEUS),
        cwd=directory,
    )
