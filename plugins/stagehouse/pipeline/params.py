"""Params that several DAGs have, as the form in Airflow's UI shows them."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

# Airflow checks what it is given against "$ref" alone: in draft 7 of JSON Schema, what is beside it is for
# people. A checked "format" would refuse the empty text, which scripts send and runs in progress may have.
# include.params.read_day() refuses a day that does not exist, by name.
_DAY: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "$ref": "#/definitions/day",
    "definitions": {"day": {"type": ["null", "string"], "pattern": "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"}},
}


def day_param(title: str, description: str) -> Param:
    """Return the param of a day, YYYY-MM-DD: a date picker in the form. "" and null: the run's own day."""
    return Param("", title=title, description=description, type=["null", "string"], format="date", **_DAY)
