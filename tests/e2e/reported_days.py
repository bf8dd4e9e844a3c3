"""Counters of three days as users bring them in, and the reports of two of these days."""

from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from include.local_stack.phrase_views import IMPORT, REPORT, deliver_sample
from tests.e2e.counters_truth import Row, read_truth


class Reported(NamedTuple):
    """Counters of three days, reports of two. by_schedule, by_hand: the runs that made last's and first's."""

    unreported: date
    first: date
    last: date
    by_schedule: str
    by_hand: str
    truth: dict[date, list[Row]]
    files: Path


def report_days(stack, last_day: date) -> Reported:
    """Import sample counters of two days and the hour before them; report by schedule and by hand."""
    state = stack.stack.state
    days = unreported, first, last = [last_day - timedelta(days=ago) for ago in (2, 1, 0)]
    stack.airflow.unpause(IMPORT)
    for day in (first, last):
        stack.run(IMPORT, **deliver_sample(state, day))
    stack.airflow.unpause(REPORT)
    by_hand = stack.airflow.trigger(REPORT, {"day": first.isoformat()})
    by_schedule = stack.scheduled_run(REPORT)["dag_run_id"]
    assert {stack.wait(run_id, REPORT) for run_id in (by_hand, by_schedule)} == {"success"}
    counters = [state.inbox / f"sample-{day}.csv" for day in (first, last)]
    truth = {day: read_truth(counters, day) for day in days}
    return Reported(unreported, first, last, by_schedule, by_hand, truth, state.reports / "phrase_views")
