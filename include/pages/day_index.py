"""index.json of a rendered day: while it is there, the files beside it are whole and of one publication."""

from __future__ import annotations

import json
from collections.abc import Mapping

from include.staging.files import StagingPath, write_atomically

INDEX = "index.json"
READABLE = 0o644  # less the umask: the API server that shows the files may run as another user


def withdraw_index_of_another(directory: StagingPath, facts: Mapping[str, object]) -> None:
    """Remove the index unless it says these facts: to be called before the first file of theirs is written.

    A renderer that is killed then leaves a day without index, which is not shown, and never one whose files
    are partly of another publication. Facts that are there already come with the same files: the day stays
    in sight.
    """
    index = directory / INDEX
    try:
        found = json.loads(index.read_bytes())
    except FileNotFoundError:
        return
    except ValueError:
        found = None
    if not isinstance(found, dict) or not facts.items() <= found.items():
        index.unlink(missing_ok=True)


def write_index(directory: StagingPath, facts: Mapping[str, object]) -> None:
    """Bring the day into sight: to be called when all its files are written."""
    text = json.dumps(facts, ensure_ascii=False, indent=1)
    write_atomically(directory / INDEX, text.encode(), mode=READABLE)
