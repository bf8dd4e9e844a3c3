"""A task's work in a process of its own, to be killed: `python -m tests.faults.task_process`.

What it is to do comes on its standard input: a password in the arguments of a process is seen by everybody.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg2

from include.clickhouse.client import NativeClient
from include.clickhouse.load import StagedPart
from include.clickhouse.publish import check_day
from include.postgres.lease import lease
from tests.faults.day import FaultyDay
from tests.faults.import_day import ImportDay
from tests.integration.clickhouse.days import load, publish, staged_in


class TaskProcess:
    """One try of a task: "load" (of all parts), "publish" or "check".

    Args: port: of the server unless it goes through a proxy. directory: of another run than the day's new
        one. staged: what publish publishes. postgres: a DSN, publish and check hold the day's lease there.
    """

    def __init__(
        self,
        day: FaultyDay | ImportDay,
        task: str,
        attempt: str,
        *,
        port: int | None = None,
        directory: Path | None = None,
        staged: Sequence[StagedPart] = (),
        postgres: str = "",
    ) -> None:
        server = day.server
        login = {"user": server.user, "password": server.password}
        work = {"port": port or server.port, "database": day.database, "task": task, "attempt": attempt}
        work |= {"login": login, "directory": str(directory or day.directory)}
        work |= {"staged": [part.model_dump() for part in staged], "postgres": postgres, "lease": day.lease}
        self._start("tests.faults.task_process", work)

    def _start(self, module: str, work: dict[str, Any]) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", module]
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        with self._process.stdin as told:
            json.dump(work, told)
        self._process.stdin = None  # or communicate() would write there

    def kill(self) -> None:
        """End it as the kernel does when memory is short."""
        self._process.kill()
        assert self._process.wait(30) == -signal.SIGKILL

    def result(self) -> Any:
        """Wait for what the task returns: for "load" the staged parts."""
        out, errors = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, errors
        result = json.loads(out)
        return [StagedPart.model_validate(each) for each in result] if isinstance(result, list) else result

    def error(self) -> str:
        """Wait for its failure; return the last line of what it says."""
        _, errors = self._process.communicate(timeout=60)
        assert self._process.returncode == 1
        return errors.strip().splitlines()[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


def main(work: dict[str, Any]) -> object:
    """Do the work."""
    client = NativeClient(
        "connection 'clickhouse_default'", "127.0.0.1", work["port"], work["database"], **work["login"]
    )
    directory, attempt = Path(work["directory"]), work["attempt"]
    manifest = staged_in(directory)
    holder = f"{work['task']} of {manifest.run_id}"
    with _held(work["postgres"], work["lease"], holder) as check_lease, client as clickhouse:
        if work["task"] == "load":
            return [part.model_dump() for part in load(clickhouse, directory, manifest, attempt)]
        if work["task"] == "publish":
            staged = [StagedPart.model_validate(part) for part in work["staged"]]
            return publish(clickhouse, manifest, staged, attempt, check_lease=check_lease)
        return check_day(clickhouse, directory, manifest, attempt)


@contextmanager
def _held(postgres: str, name: str, holder: str) -> Iterator[Callable[[], None]]:
    if not postgres:
        yield lambda: None
        return
    with lease(partial(psycopg2.connect, postgres), name, holder) as held:
        yield held.check


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.load(sys.stdin))))
