"""The dashboard *on call* of Grafana, from code: `python -m include.monitoring.dashboard` writes it anew.

At most twelve panels, each of which answers one question of somebody who was woken.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).with_name("grafana") / "dashboards" / "on-call.json"
SOURCE = {"type": "prometheus", "uid": "stagehouse-prometheus"}
_WIDTH, _HEIGHT, _ACROSS = 8, 7, 3


class Panel(NamedTuple):
    """A panel. Attributes: title; unit, as Grafana names it; targets: legend and expression of each."""

    title: str
    unit: str
    targets: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    says: str = ""


_ROWS_RATIO = (
    'max by (dag_id, table) (stagehouse_table_day_rows{days_ago="1"})'
    ' / avg by (dag_id, table) (stagehouse_table_day_rows{days_ago=~"[2-8]"})'
)
PANELS = (
    Panel(
        "Late, by table",
        "s",
        (("{{table}}", "stagehouse_table_late_seconds"),),
        says="Time since the first missing day was due; 0 is in time.",
    ),
    Panel(
        "Age of what is published",
        "s",
        (
            ("{{table}}", "time() - stagehouse_table_published_timestamp_seconds"),
            ("{{dag_id}}: source", "stagehouse_sync_lag_seconds"),
        ),
    ),
    Panel(
        "Rows of yesterday, against the week before",
        "percentunit",
        (("{{table}}", _ROWS_RATIO),),
    ),
    Panel(
        "Days missing of the last 14",
        "none",
        (("{{table}}", "stagehouse_table_unpublished"),),
        "stat",
    ),
    Panel(
        "Failed within 24 hours",
        "none",
        (
            ("{{dag_id}}: runs", 'stagehouse_airflow_dag_runs_finished_recent{state="failed"}'),
            ("{{dag_id}}.{{task_id}}", "stagehouse_airflow_tasks_failed_recent > 0"),
        ),
    ),
    Panel(
        "Last run took",
        "s",
        (("{{dag_id}}", "max by (dag_id) (stagehouse_airflow_dag_last_run_duration_seconds)"),),
    ),
    Panel(
        "GitHub: requests of the last run, and quota",
        "none",
        (
            ("{{kind}}", "stagehouse_github_requests"),
            ("left when planned", "stagehouse_github_quota_left"),
        ),
    ),
    Panel(
        "GitHub: seconds of the last run",
        "s",
        (("{{kind}}", "stagehouse_github_commit_seconds"),),
    ),
    Panel(
        "Kafka: messages behind",
        "none",
        (("{{topic}}", "stagehouse_kafka_lag_messages"),),
    ),
    Panel(
        "Staging",
        "bytes",
        (
            ("{{dag_id}}", "stagehouse_staging_bytes"),
            ("free", "stagehouse_staging_free_bytes"),
        ),
    ),
    Panel(
        "Sources and components: 1 is well",
        "none",
        (
            ("{{source}}", "stagehouse_source_up"),
            ("{{component}}", "(time() - stagehouse_airflow_heartbeat_timestamp_seconds) < bool 120"),
            ("{{component}}: restarts", "stagehouse_local_restarts"),
        ),
    ),
    Panel(
        "Tasks that wait",
        "none",
        (
            ("{{state}}", "stagehouse_airflow_task_instances"),
            (
                "minutes of the oldest",
                "(time() - stagehouse_airflow_oldest_queued_task_timestamp_seconds) / 60",
            ),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    return {
        "uid": "stagehouse-on-call",
        "title": "Stagehouse: on call",
        "tags": ["stagehouse"],
        "timezone": "utc",
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "editable": False,
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, _ACROSS)
    return {
        "id": number + 1,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for place, (legend, expression) in enumerate(panel.targets)
        ],
    }


def as_text() -> str:
    """Return the dashboard as its file holds it."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(as_text())
