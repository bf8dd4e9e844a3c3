"""Who may see what: Airflow's own answer, asked before every route."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from fastapi import Depends


def signed_in() -> Any:
    """Return the dependency that lets any signed-in user pass; 401 or 403 for all others."""
    return Depends(get_user)


def may_read(dag_id: str) -> Any:
    """Return the dependency that lets those pass who may read the DAG; 401 or 403 for all others."""
    return Depends(requires_access_dag(method="GET", param_dag_id=dag_id))


def may_read_the_dag_asked_for() -> Any:
    """Return the same for a route whose query has `dag_id`."""
    return Depends(requires_access_dag(method="GET"))
