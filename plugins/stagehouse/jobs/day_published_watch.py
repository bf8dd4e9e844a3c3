"""The work of day_published_watch."""

from __future__ import annotations

from datetime import timedelta

from stagehouse.clock import now


def require_day() -> dict[str, int]:
    """Require the day before (UTC) of each DAG that is due by now; return rows by table.

    Raises: as include.published_days.require_published(); BadVariable.
    """
    from include.published_days import require_published
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook
    from stagehouse.hooks.publication_hours import publication_hours

    time = now()
    due = [dag_id for dag_id, hour in publication_hours().items() if hour <= time.hour]
    with ClickHouseHook().get_client() as clickhouse:
        return require_published(clickhouse, time.date() - timedelta(days=1), due)
