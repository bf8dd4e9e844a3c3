"""Where the rendered files live: the Airflow variable `reports_root`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from airflow.sdk import ObjectStoragePath, Variable

from hooks.staging_root import BadVariable

if TYPE_CHECKING:
    from include.staging.files import StagingPath

VARIABLE = "reports_root"


def reports_root() -> StagingPath:
    """Return the directory or object store prefix that `reports_root` names.

    Raises: BadVariable.
    """
    text = str(Variable.get(VARIABLE, default="") or "").strip()
    if not text:
        reason = f"not set: a directory or a URL like s3://bucket/prefix (AIRFLOW_VAR_{VARIABLE.upper()})"
        raise BadVariable(VARIABLE, reason)
    path = text.removeprefix("file://")
    if "://" in path:
        return cast("StagingPath", ObjectStoragePath(path))
    if not Path(path).is_absolute():
        raise BadVariable(VARIABLE, f"{text!r} is no absolute path")
    return Path(path)
