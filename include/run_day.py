"""Which day a run is for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta


def run_day(partition_key: str | None, run_after: datetime) -> date:
    """Return the day of a run: its partition, or the day (UTC) before the run was due.

    Both are fixed when the run is made, so a retry after midnight means the same day.

    Raises: ValueError for a partition key that is no day.
    """
    if partition_key:
        return date.fromisoformat(partition_key)
    return run_after.astimezone(UTC).date() - timedelta(days=1)
