"""How much lies in staging, and how much room is left there."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from pathlib import Path

from include.monitoring.facts import Staging

WALK_S = 2.0


def read_staging(root: Path, walk_s: float = WALK_S) -> Staging:
    """Count the files below a directory of a local disk, by the DAG that wrote them, for `walk_s` at most.

    A root that is not there yet is empty. Raises: OSError.
    """
    sizes, files = Counter[str](), Counter[str]()
    ends, is_whole = time.monotonic() + walk_s, True
    for folder, _, names in os.walk(root):
        if time.monotonic() > ends:
            is_whole = False
            break
        dag_id = (*Path(folder).relative_to(root).parts, "")[0]
        for name in names:
            try:
                sizes[dag_id] += (Path(folder) / name).lstat().st_size
            except FileNotFoundError:  # a run drops what it no longer needs
                continue
            files[dag_id] += 1
    there = next(place for place in (root, *root.parents) if place.exists())
    return Staging(dict(sizes), dict(files), shutil.disk_usage(there).free, is_whole)
