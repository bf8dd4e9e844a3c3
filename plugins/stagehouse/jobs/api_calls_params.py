"""The params of api_calls, as the form in Airflow's UI shows them."""

from __future__ import annotations

from airflow.sdk import Param

from include.api_calls.recipe import NAME
from include.api_calls.request import DELIMITER_NAMES, MAX_ROWS, RESEND
from include.inbox.params import MAX_PATH, MAX_REJECTED

PARAMS = {
    "path": Param(
        type="string",
        minLength=1,
        maxLength=MAX_PATH,
        title="File",
        description="Its path below the variable inbox_root, such as august/users.csv, or its URL.",
    ),
    "recipe": Param(
        type="string",
        pattern=NAME,
        title="Recipe",
        description="The name of a file below the variable recipes_root, without .toml.",
    ),
    "format": Param(
        "auto",
        type="string",
        enum=["auto", "csv", "ndjson"],
        title="Format",
        description="auto: a file that begins with '{' is ndjson, any other csv. Either may be gzipped.",
    ),
    "encoding": Param(
        "utf-8",
        type="string",
        minLength=1,
        maxLength=40,
        title="Encoding",
        description="Such as utf-8, cp1251, iso-8859-1. A byte order mark in the file decides instead.",
    ),
    "delimiter": Param(
        "auto",
        type="string",
        enum=list(DELIMITER_NAMES),
        title="Delimiter",
        description="Between the cells of a CSV. auto: the one that finds the recipe's columns.",
    ),
    "max_rejected": Param(
        0,
        type="integer",
        minimum=0,
        maximum=MAX_REJECTED,
        title="Rows that may be rejected",
        description=f"With more of them the run fails before anything is called; 0 to {MAX_REJECTED}.",
    ),
    "max_failed": Param(
        0,
        type="integer",
        minimum=0,
        maximum=MAX_ROWS,
        title="Rows that may fail",
        description=f"With more of them no further rows are sent, and the run ends red; 0 to {MAX_ROWS}.",
    ),
    "resend": Param(
        "none",
        type="string",
        enum=list(RESEND),
        title="Send again",
        description="Rows that an earlier run has sent: none, those of this file that failed, or all.",
    ),
    "retry_unknown": Param(
        default=False,
        type="boolean",
        title="Send unknown rows again",
        description="Rows that an earlier run left unknown: they may then be carried out twice, unless the "
        "recipe has an idempotency key.",
    ),
    "limit": Param(
        0,
        type=["null", "integer"],
        minimum=0,
        maximum=MAX_ROWS,
        title="First rows only",
        description=f"So many rows from the top may be sent, 0 to {MAX_ROWS}; 0: all.",
    ),
    "dry_run": Param(
        default=False,
        type="boolean",
        title="Dry run",
        description="Check the file, show the first five requests in the log of plan, and send nothing.",
    ),
}
