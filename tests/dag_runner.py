"""Airflow's own runner of a DAG, dag.test(), as tests use it: without its pauses.

It sleeps a second in each round in which no task can run: once for each task behind a failed one. Nothing
happens meanwhile.
"""

import sys
import time

_RUNNER = "airflow.sdk.definitions.dag"
_SECONDS = 0.02  # some, as a task may wait for its next try
_sleep = time.sleep


def shorten_pauses() -> None:
    """Let the runner sleep for a moment only, in this process; all others sleep as long as they mean to."""
    time.sleep = _sleep_shortly


def _sleep_shortly(seconds: float) -> None:
    in_runner = sys._getframe(1).f_globals.get("__name__") == _RUNNER
    _sleep(_SECONDS if in_runner else seconds)
