"""The day that a run is for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from include.params import BadParam, read_day


def run_day(partition_key: str | None, run_after: datetime) -> date:
    """Return the day of a run: its partition, or the day (UTC) before the run was due.

    Both are fixed when the run is made, so a retry after midnight means the same day.

    Raises: BadParam for a partition key that is no day.
    """
    if partition_key:
        try:
            return read_day(partition_key, date.min, date.min, date.max)
        except BadParam as error:
            raise BadParam("partition_key", error.value, "a day, YYYY-MM-DD") from None
    return run_after.astimezone(UTC).date() - timedelta(days=1)
