"""Access to pages: Airflow's own answer, asked before every route."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from fastapi import Depends, HTTPException, Request


def signed_in() -> Any:
    """Return the dependency that lets any signed-in user pass; 401 or 403 for all others."""
    return Depends(get_user)


def may_read(dag_id: str) -> Any:
    """Return the dependency that lets those pass who may read the DAG; 401 or 403 for all others."""
    return Depends(_reading(dag_id))


def may_read_the_dag_asked_for() -> Any:
    """Return the same for a route whose path or query has `dag_id`."""
    return Depends(requires_access_dag(method="GET"))


def tells_which_may_be_read(*dag_ids: str) -> Any:
    """Return the dependency that says which of the DAGs the user may read; 403 where there is none."""

    def may(request: Request, user: GetUserDep) -> list[str]:
        readable = [dag_id for dag_id in dag_ids if _passes(_reading(dag_id), request, user)]
        if not readable:
            raise HTTPException(403)
        return readable

    return Depends(may)


def may_start(dag_id: str) -> Any:
    """Return the dependency that lets those pass who may start runs of the DAG; 401 or 403 for all others."""
    return Depends(_starting(dag_id))


def tells_who_may_start(dag_id: str) -> Any:
    """Return the dependency that says whether the user may start runs of the DAG."""

    def may(request: Request, user: GetUserDep) -> bool:
        return _passes(_starting(dag_id), request, user)

    return Depends(may)


def _passes(check: Any, request: Request, user: Any) -> bool:
    try:
        check(request, user)
    except HTTPException:
        return False
    return True


def _reading(dag_id: str) -> Any:
    return requires_access_dag(method="GET", param_dag_id=dag_id)


def _starting(dag_id: str) -> Any:
    return requires_access_dag("POST", DagAccessEntity.RUN, dag_id)
