"""From where on something is wrong: limits of the page *Data*, which are those of the alerts."""

from __future__ import annotations

from datetime import timedelta

SILENT_S = {"scheduler": 120, "dag_processor": 300}  # components that every Airflow has, without a heartbeat
QUEUED_S = 900  # of a task that no process takes
SYNC_BEHIND = timedelta(hours=2)  # of a source that is copied every hour
KAFKA_BEHIND = 10_000  # messages of a topic
SHARE = 0.5  # of the rows of the week before
HEALTH_OLD_S = 1800  # of postgres_health, which runs every ten minutes
