"""Access to pages: Airflow's own answer, asked before every route."""

from __future__ import annotations

from collections.abc import Iterable
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


def readable_dags(dag_ids: Iterable[str]) -> Any:
    """Return the dependency that tells which of the DAGs the user may read; 401 or 403 for who is no user."""

    def readable(request: Request, user: GetUserDep) -> frozenset[str]:
        return frozenset(each for each in dag_ids if _passes(_reading(each), request, user))

    return Depends(readable)


def may_read_the_dag_asked_for() -> Any:
    """Return the same for a route whose query has `dag_id`."""
    return Depends(requires_access_dag(method="GET"))


def may_start(dag_id: str) -> Any:
    """Return the dependency that lets those pass who may start runs of the DAG; 401 or 403 for all others."""
    return Depends(_starting(dag_id))


def tells_who_may_start(dag_id: str) -> Any:
    """Return the dependency that says whether the user may start runs of the DAG."""

    def may(request: Request, user: GetUserDep) -> bool:
        return _passes(_starting(dag_id), request, user)

    return Depends(may)


def _passes(asked: Any, request: Request, user: Any) -> bool:
    try:
        asked(request, user)
    except HTTPException:
        return False
    return True


def _reading(dag_id: str) -> Any:
    return requires_access_dag(method="GET", param_dag_id=dag_id)


def _starting(dag_id: str) -> Any:
    return requires_access_dag("POST", DagAccessEntity.RUN, dag_id)
