"""Counters of three days as users bring them in, and the reports of two of these days."""

from datetime import UTC, date, datetime, timedelta
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


def report_days(stack) -> Reported:
    """Import sample counters; report the day that is due by schedule, and the one before by hand.

    Which day is due changes 15 minutes after midnight, perhaps meanwhile: so there are counters of one more.
    """
    state = stack.stack.state
    due = (datetime.now(UTC) - timedelta(minutes=15)).date() - timedelta(days=1)
    imported = [due + timedelta(days=more) for more in (-1, 0, 1)]
    stack.airflow.unpause(IMPORT)
    for day in imported:
        stack.run(IMPORT, **deliver_sample(state, day))
    stack.airflow.unpause(REPORT)
    by_schedule = stack.scheduled_run(REPORT)
    last = date.fromisoformat(by_schedule["partition_key"][:10])
    assert last in {due, due + timedelta(days=1)}
    unreported, first = (last - timedelta(days=ago) for ago in (2, 1))
    by_hand = stack.trigger(REPORT, day=first.isoformat())
    run_ids = by_schedule["dag_run_id"], by_hand
    assert {stack.wait(run_id, REPORT) for run_id in run_ids} == {"success"}
    counters = [state.inbox / f"sample-{day}.csv" for day in imported]
    truth = {day: read_truth(counters, day) for day in (unreported, first, last)}
    return Reported(unreported, first, last, *run_ids, truth, state.reports / "phrase_views")
