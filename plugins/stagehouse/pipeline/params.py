"""Params that several DAGs have, as the form in Airflow's UI shows them."""

from __future__ import annotations

from airflow.sdk import Param

PATTERN = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"


def day_param(title: str, description: str) -> Param:
    """Return the param of a day, YYYY-MM-DD. "" and null: the run's own day."""
    return Param("", title=title, description=description, type=["null", "string"], pattern=PATTERN)
