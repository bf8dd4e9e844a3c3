"""The params of shop_sync, as the form in Airflow's UI shows them."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

_NAMES: dict[str, Any] = {"type": ["null", "array"], "items": {"type": "string"}, "uniqueItems": True}
PARAMS = {
    "full_check": Param(
        default=False,
        type="boolean",
        title="Compare all values",
        description="Of source and destination. The first run of a UTC day does it anyway.",
    ),
    "strict": Param(
        default=False,
        type="boolean",
        title="Strict",
        description="What would be a warning of `quality` fails the run.",
    ),
    "accept_shrink": Param(
        [],
        title="Tables that may shrink",
        description="Names of tables that may lose more than half of their rows.",
        **_NAMES,
    ),
    "reread": Param(
        [],
        title="Tables to read whole",
        description="Names of tables whose every row is sent again.",
        **_NAMES,
    ),
    "accept_dropped": Param(
        [],
        title="Columns that may be gone",
        description="Each as table.column: it is NULL in all rows from then on.",
        **_NAMES,
    ),
}
