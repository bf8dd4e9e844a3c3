"""The task `load` of the main job, of every part, in a process of its own: `python -m ... JSON`."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.object_store.place import OneRun, parsed

DAG_ID = "github_top_repositories"


def load(root: Path, work: dict[str, Any]) -> list[dict[str, object]]:
    """Do what the mapped tasks do, one after the other."""
    task = parsed(root, DAG_ID).task_dict["load"]
    with OneRun(work["params"], work["pushed"]).try_of_a_task(DAG_ID):
        return [task.python_callable(part=part) for part in work["parts"]]


if __name__ == "__main__":
    loaded = load(Path(__file__).resolve().parents[2], json.loads(sys.argv[1]))
    sys.stdout.write(f"\n{json.dumps(loaded)}\n")
