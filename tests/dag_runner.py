"""Airflow's own runner of a DAG, dag.test(), as tests use it: without its pauses, parsing one file only.

It sleeps a second in each round in which no task can run: once for each task behind a failed one. Nothing
happens meanwhile. Before each run it also parses the whole bundle of its DAG.
"""

import json
import sys
import time
from pathlib import Path

_RUNNER = "airflow.sdk.definitions.dag"
_SECONDS = 0.02  # some, as a task may wait for its next try
_sleep = time.sleep


def bundle_per_file(dags: Path) -> dict[str, str]:
    """Return the environment variables that make each DAG file a bundle of its own."""
    # Measured by the processor time of tests/dags: a sixth less than with one bundle.
    classpath = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundles = [
        {"name": file.stem, "classpath": classpath, "kwargs": {"path": str(file)}}
        for file in sorted(dags.glob("*.py"))
    ]
    return {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles)}


def shorten_pauses() -> None:
    """Let the runner sleep for a moment only, in this process; all others sleep as long as they mean to."""
    time.sleep = _sleep_shortly


def _sleep_shortly(seconds: float) -> None:
    in_runner = sys._getframe(1).f_globals.get("__name__") == _RUNNER
    _sleep(_SECONDS if in_runner else seconds)
