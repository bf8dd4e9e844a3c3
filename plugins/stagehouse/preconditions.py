"""Preconditions on the Airflow around us. Every DAG file imports this before anything else.

Without it an Airflow that is too old, or a path that is not set, is an ImportError of some name, which tells
nobody what to do.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from airflow import __version__
from packaging.version import Version

OLDEST_AIRFLOW = "3.3"
OURS_ALONE = "include.phrase_views"  # a package that no other include/ has
PAGE = "docs/into-your-airflow.md"
PLUGINS = Path(__file__).parent

log = logging.getLogger(__name__)


def require_airflow(version: str) -> None:
    """Raises: ImportError: Airflow `version` lacks what the DAGs are built on."""
    if Version(version).release >= Version(OLDEST_AIRFLOW).release:
        return  # a beta of 3.3 has it all, so only the numbers count
    raise ImportError(
        f"Stagehouse needs Airflow {OLDEST_AIRFLOW} or newer; this is {version}. "
        f"Next: upgrade Airflow, or take Stagehouse's files out of its dags/ and plugins/"
    )


def require_include() -> None:
    """Raises: ImportError: our include/ is not on Python's path, or another one hides it."""
    try:
        other = find_spec("include")
        if other and find_spec(OURS_ALONE):
            return
    except ModuleNotFoundError:  # `include` is a module here, not a folder
        pass
    if other is None:
        found = "there is none on Python's path. Next: add the folder that holds it to PYTHONPATH"
    else:
        places = [other.origin] if other.origin else list(other.submodule_search_locations or ())
        found = f"`include` is {places} here, without it. Next: copy Stagehouse's include/ into that folder"
    raise ImportError(f"Stagehouse's DAGs need its folder include/: {found} ({PAGE})")


def other_versions(path: Iterable[str], running: Path) -> list[Path]:
    """Return the plugins/stagehouse of DAG bundles on `path` that differ from the `running` one.

    A bundle may be the project's root or its dags/. Its plugins are not what Airflow runs: those of its
    plugins folder are, whatever commit the DAG files are of.
    """
    roots = [root for entry in path for root in (Path(entry), Path(entry).parent)]
    there = {(root / "plugins" / running.name).resolve() for root in roots} - {running.resolve()}
    return sorted(other for other in there if other.is_dir() and _sources(other) != _sources(running))


def _sources(folder: Path) -> dict[Path, bytes]:
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*.py")}


require_airflow(__version__)
require_include()
for folder in other_versions(sys.path, PLUGINS):
    log.warning(
        "The DAG files may be of another version of Stagehouse than %s, which runs: %s differs. "
        "Next: deploy both from one commit, then clear what failed meanwhile",
        PLUGINS,
        folder,
    )
