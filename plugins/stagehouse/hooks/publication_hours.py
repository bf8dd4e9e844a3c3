"""The hour by which each day has to be published: the Airflow variable `published_by_hour`."""

from __future__ import annotations

from airflow.sdk import Variable

from include.published_days import read_hours
from stagehouse.hooks.storage_roots import BadVariable

VARIABLE = "published_by_hour"


def publication_hours() -> dict[str, int]:
    """Return the hour (UTC) by which each DAG has to have published the day before. Raises: BadVariable."""
    try:
        return read_hours(str(Variable.get(VARIABLE, default="") or ""))
    except ValueError as error:
        raise BadVariable(VARIABLE, str(error)) from None
