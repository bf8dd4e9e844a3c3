"""The clock of tests that run a day: half past six when they begin, so that no midnight passes in them.

It is given to whatever takes a clock. Plugins and DAGs read theirs in stagehouse.clock, where by_clock() puts
this one. So a run, its day, the stand-in of GitHub and the oracle agree at every hour. The sample differs
from day to day: what a test counts in it is the same whenever it runs.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self
from unittest.mock import patch

DAY = date(2026, 8, 20)
_BEGIN = datetime(2026, 8, 21, 6, 30, tzinfo=UTC)  # the day is over, and by default it is due by now
# In the environment, because a process that a test starts goes on with this clock: it inherits it.
_BEGAN_S = float(os.environ.setdefault("STAGEHOUSE_TESTS_BEGAN_S", str(time.monotonic())))


def now() -> datetime:
    """The time by this clock."""
    return _BEGIN + timedelta(seconds=time.monotonic() - _BEGAN_S)


class _Clock(datetime):
    """What stands for `datetime` where the machine's clock is read."""

    @classmethod
    def now(cls, tz: Any = None) -> Self:
        """Not the machine's."""
        return now().astimezone(tz)  # type: ignore[return-value]


@contextmanager
def by_clock() -> Iterator[None]:
    """Have plugins and DAGs read this clock."""
    with patch("stagehouse.clock.datetime", _Clock):
        yield


def run_by_clock(dag: Any, **params: object) -> Any:
    """Run a DAG through Airflow's own runner, due now by this clock; return its run."""
    with by_clock():
        return dag.test(run_after=now(), run_conf=params)
