"""An Airflow in which nothing has happened yet."""

from include.monitoring.airflow_facts import AirflowFacts

AIRFLOW = AirflowFacts(
    paused={},
    open_runs={},
    recent_runs={},
    last_runs={},
    last_tasks=(),
    tasks={},
    recent_failures={},
    recent_repeats={},
    oldest_queued=None,
    pools={},
    heartbeats={},
    import_errors=0,
)
