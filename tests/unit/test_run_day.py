"""Which day a run is for: its partition, or yesterday."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from include.run_day import run_day

MIDNIGHT = datetime(2026, 8, 21, tzinfo=UTC)


def test_a_partition_is_its_day():
    """Whenever it runs: a backfill means the day it names."""
    assert run_day("2024-02-29", MIDNIGHT) == date(2024, 2, 29)


@pytest.mark.parametrize("partition_key", [None, ""])
@pytest.mark.parametrize(
    ("run_after", "day"),
    [
        (MIDNIGHT, date(2026, 8, 20)),
        (MIDNIGHT - timedelta(microseconds=1), date(2026, 8, 19)),
        (datetime(2026, 8, 21, 1, 30, tzinfo=timezone(timedelta(hours=3))), date(2026, 8, 19)),
        (datetime(2026, 8, 20, 22, tzinfo=timezone(-timedelta(hours=5))), date(2026, 8, 20)),
        (datetime(2026, 1, 1, 0, 30, tzinfo=UTC), date(2025, 12, 31)),
    ],
)
def test_without_a_partition_it_is_yesterday_in_utc(
    partition_key: str | None, run_after: datetime, day: date
):
    """Of the moment the run was due, not of the moment a retry happens, and in no other zone."""
    assert run_day(partition_key, run_after) == day


@pytest.mark.parametrize("key", ["2026-02-30", "yesterday", "2026-08-20T00:00:00", "..", "2026-08-20\n", " "])
def test_a_partition_that_is_no_day_is_refused(key: str):
    """A key that names something else is not guessed at."""
    with pytest.raises(ValueError, match=r"isoformat|day"):
        run_day(key, MIDNIGHT)
