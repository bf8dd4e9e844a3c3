"""Where staging files live: the Airflow variable `staging_root`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from airflow.sdk import ObjectStoragePath, Variable

if TYPE_CHECKING:
    from include.staging.files import StagingPath

VARIABLE = "staging_root"


class BadVariable(ValueError):
    """An Airflow variable cannot be used as it is. Attributes: variable; reason."""

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(variable, reason)
        self.variable, self.reason = variable, reason

    def __str__(self) -> str:
        return f"variable {self.variable!r}: {self.reason}"


def staging_root() -> StagingPath:
    """Return the directory or object store prefix that `staging_root` names.

    A directory is given as pathlib.Path: Airflow's wrapper around the same files is many times slower.

    Raises: BadVariable.
    """
    text = str(Variable.get(VARIABLE, default="") or "").strip()
    if not text:
        reason = f"not set: a directory or a URL like s3://bucket/prefix (AIRFLOW_VAR_{VARIABLE.upper()})"
        raise BadVariable(VARIABLE, reason)
    path = text.removeprefix("file://")
    if "://" in path:
        return _object_store(path)
    if not Path(path).is_absolute():
        raise BadVariable(VARIABLE, f"{text!r} is no absolute path: tasks have no common working directory")
    return Path(path)


def _object_store(url: str) -> StagingPath:
    try:
        store = ObjectStoragePath(url)
        store.fs  # noqa: B018 - a store whose provider is not installed is found here, not by the first file
    except (ValueError, ImportError) as error:
        raise BadVariable(VARIABLE, f"{url!r} cannot be opened: {error}") from error
    return cast("StagingPath", store)
