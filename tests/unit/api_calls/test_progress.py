"""What is told of a run while it calls."""

import json
from datetime import timedelta
from pathlib import Path

from include.api_calls.outcomes import Outcome, Outcomes
from include.api_calls.progress import Progress
from tests.clock import now


def test_the_first_look_tells_rate_and_time_left(tmp_path: Path):
    """Both are counted from the moment when the calls begin."""
    moments = iter((now(), now() + timedelta(seconds=5)))
    progress, outcomes = (
        Progress(tmp_path / "progress.json", 100, {}, moments.__next__),
        Outcomes(tmp_path, 100),
    )
    progress.begin(requests=0, to_do=100)
    outcomes.take([Outcome(row, "ok", 201, requests=1) for row in range(1, 21)])
    progress.tell(outcomes, "calling", requests=20, to_do=80)
    told = json.loads((tmp_path / "progress.json").read_text())
    assert (told["done"], told["requests_per_second"], told["seconds_left"]) == (20, 4.0, 20)
