"""Where files live: the Airflow variables `staging_root`, `reports_root` and `inbox_root`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from airflow.sdk import ObjectStoragePath, Variable

if TYPE_CHECKING:
    from include.staging.files import StagingPath


class BadVariable(ValueError):
    """An Airflow variable cannot be used as it is. Attributes: variable; reason."""

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(variable, reason)
        self.variable, self.reason = variable, reason

    def __str__(self) -> str:
        return f"variable {self.variable!r}: {self.reason}"


def staging_root() -> StagingPath:
    """Return the directory or object store prefix for staging files. Raises: BadVariable."""
    return _root("staging_root")


def reports_root() -> StagingPath:
    """Return the directory or object store prefix for rendered reports. Raises: BadVariable."""
    return _root("reports_root")


def inbox_root() -> StagingPath:
    """Return the directory or object store prefix that imports take their files from. Raises: BadVariable."""
    return _root("inbox_root")


def _root(variable: str) -> StagingPath:
    text = str(Variable.get(variable, default="") or "").strip()
    if not text:
        reason = f"not set: a directory or a URL like s3://bucket/prefix (AIRFLOW_VAR_{variable.upper()})"
        raise BadVariable(variable, reason)
    path = text.removeprefix("file://")
    if "://" in path:
        return _object_store(variable, path)
    if not Path(path).is_absolute():
        raise BadVariable(variable, f"{text!r} is no absolute path: tasks have no common working directory")
    # Not Airflow's wrapper around the same files: it is many times slower.
    return Path(path)


def _object_store(variable: str, url: str) -> StagingPath:
    try:
        store = ObjectStoragePath(url)
        store.fs  # noqa: B018 - a store whose provider is not installed is found here, not by the first file
    except (ValueError, ImportError) as error:
        raise BadVariable(variable, f"{url!r} cannot be opened: {error}") from error
    return cast("StagingPath", store)
