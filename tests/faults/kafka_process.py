"""A try of a run that reads a topic, in a process that kills itself (`python -m`)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from include.clickhouse.client import ClickHouse, NativeClient
from include.clickhouse.embedded import EmbeddedClient
from include.kafka.plan import Plan
from tests.integration.kafka.place import Place


def client(engine: dict[str, Any]) -> ClickHouse:
    """Return a client of an engine: path of the embedded one, or host, port, database and login."""
    if path := engine.get("path"):
        return EmbeddedClient("connection 'embedded'", path, "stagehouse", wait_s=30)
    return NativeClient("connection 'native'", **engine)


class Killer:
    """Ends this process as the kernel does, at a statement.

    Args: text, in the statement; nth of those; after, when it is done.
    """

    def __init__(self, text: str, nth: int, after: bool) -> None:
        self._text, self._left, self._after = text, nth, after

    def watch(self, clickhouse: ClickHouse) -> ClickHouse:
        """Have each statement looked at."""
        execute = clickhouse.execute

        def watched(query: str, *arguments: Any, **named: Any) -> Any:
            self._left -= self._text in query
            is_it = self._text in query and not self._left
            if is_it and not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            found = execute(query, *arguments, **named)
            if is_it:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        clickhouse.execute = watched  # type: ignore[method-assign]
        return clickhouse


def killed_try(place: Place, engine: dict[str, Any], plan: Plan, *where: Any) -> None:
    """Do the rest of a run in a process that kills itself. Args: where, as of Killer."""
    work = {"options": place.options, "topic": place.topic, "directory": str(place.directory)}
    work |= {"engine": engine, "plan": plan.model_dump(mode="json"), "where": where}
    command = [sys.executable, "-m", "tests.faults.kafka_process"]
    done = subprocess.run(command, input=json.dumps(work), capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def main(work: dict[str, Any]) -> None:
    """Do the work."""
    killer, engine = Killer(*work["where"]), work["engine"]
    place = Place(work["options"], work["topic"], lambda: client(engine), Path(work["directory"]))
    manifest = place.stage(Plan.model_validate(work["plan"]))
    with killer.watch(client(engine)) as clickhouse:
        place.publish(manifest, clickhouse, place.load(manifest, clickhouse))
        place.check(manifest, clickhouse)


if __name__ == "__main__":
    main(json.load(sys.stdin))
