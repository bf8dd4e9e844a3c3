"""What does parsing all DAG files cost, against importing airflow.sdk alone?

`python -m tests.bench.parse sdk|dags` does one of both in a fresh process and prints its seconds and, in the
second case, the DAGs it found. Answers: why drivers are imported inside tasks (PLC0415 in pyproject.toml).
"""

import json
import os
import runpy
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from tests.bench.findings import Finding, at_most, require_equal
from tests.bench.rounds import in_turn, ratios, typical

ROOT = Path(__file__).resolve().parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
ROUNDS = 6


def run() -> list[Finding]:
    """Import and parse in turn, each time in a fresh process."""
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as home:
        work = {what: partial(_seconds_of_child, what, home) for what in ("sdk", "dags")}
        seconds = in_turn(work, ROUNDS)
    remark = f"{typical(seconds['dags'])} s against {typical(seconds['sdk'])} s"
    cost = ratios(seconds["dags"], seconds["sdk"])
    return [
        at_most(f"parse {len(DAG_FILES)} DAG files: time of importing airflow.sdk", cost, 1.3, remark=remark)
    ]


def _seconds_of_child(what: str, home: str) -> float:
    environment = os.environ | {
        "AIRFLOW_HOME": home,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    command = [sys.executable, "-m", "tests.bench.parse", what]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=ROOT)
    answer = json.loads(done.stdout.splitlines()[-1])
    require_equal("DAGs found", answer["dags"], [path.stem for path in DAG_FILES] if what == "dags" else [])
    return answer["seconds"]


def main(what: str) -> None:
    """Import airflow.sdk and, where `what` is "dags", execute every DAG file; print seconds and DAG ids."""
    started = time.perf_counter()
    from airflow.sdk import DAG

    found: list[str] = []
    leave = DAG.__exit__

    def note(dag: DAG, *exc_info: object) -> None:
        found.append(dag.dag_id)
        leave(dag, *exc_info)

    DAG.__exit__ = note
    for path in DAG_FILES if what == "dags" else []:
        runpy.run_path(str(path))
    seconds = time.perf_counter() - started
    sys.stdout.write(json.dumps({"seconds": seconds, "dags": sorted(found)}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
