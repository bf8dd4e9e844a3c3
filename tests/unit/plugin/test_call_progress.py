"""What a run writes of its progress is what the page API calls reads."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from include.api_calls.outcomes import Outcome, Outcomes
from include.api_calls.progress import PROGRESS, Progress
from stagehouse.ui.api_calls import STATES
from stagehouse.ui.call_runs import CallProgress
from tests.clock import now


@pytest.mark.parametrize("state", ["calling", "waiting", "called"])
def test_a_file_of_a_run_is_read(tmp_path: Path, state: str):
    """At its first line, where nothing is known of the time left, and later; each state has a text."""
    moments = [now(), now() + timedelta(seconds=5)]
    clock = iter(moments)
    outcomes = Outcomes(tmp_path / "staging", 10)

    def then() -> datetime:
        return next(clock)

    facts = {"run_id": "r", "recipe": "posts", "path": "a.csv"}
    progress = Progress(tmp_path / PROGRESS, 10, facts, then)
    progress.tell(outcomes, state, 0, 10)
    assert read(tmp_path).seconds_left is None
    outcomes.take([Outcome(1, "ok", requests=1), Outcome(2, "failed", requests=1)])
    progress.tell(outcomes, state, 2, 8)
    found = read(tmp_path)
    assert (found.state, found.rows, found.done, found.ok, found.failed) == (state, 10, 2, 1, 1)
    assert found.seconds_left == pytest.approx(20, abs=1)
    assert found.requests_per_second == pytest.approx(0.4, abs=0.1)
    assert state in STATES


def read(directory: Path) -> CallProgress:
    """Read it as the page does."""
    return CallProgress.model_validate_json((directory / PROGRESS).read_bytes())
