"""The page of a topic's DAG, rendered by its task `again`: what readers see, and what the plan leaves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.sdk import Variable

from stagehouse.clock import now
from stagehouse.hooks.publication import publication_lock
from stagehouse.hooks.storage_roots import REPORTS_ROOT, reports_root
from stagehouse.pipeline.rendering import end_rendering
from stagehouse.pipeline.run_context import run_context, run_date

if TYPE_CHECKING:
    from include.kafka.messages import RowType
    from include.kafka.plan import Plan

log = logging.getLogger(__name__)


def render_topic(name: str, row_type: RowType, plan: Plan) -> str:
    """Render the page of the run's day; return its directory, "" where there is no place for pages.

    Args: name, of the DAG and of what publications of its table take. Raises: BadVariable; ClickHouseError;
        OSError; LeaseLost.
    """
    from include.kafka.reports import read_reports
    from include.pages.events import render_events

    if not Variable.get(REPORTS_ROOT, default=""):
        log.warning("No page is rendered: the Airflow variable %s is not set", REPORTS_ROOT)
        return ""
    root, day, run_id = reports_root(), run_date(), run_context()["run_id"]
    with publication_lock(name) as (clickhouse, lease):
        reports = read_reports(clickhouse, name, row_type, plan)
        directory = render_events(
            root, reports, day, dag_id=name, run_id=run_id, published_at=now(), check_lease=lease.check
        )
    end_rendering(root / name, day)
    return str(directory)
