"""Airflow's task logs as they grow on disk: one JSON object a line, one file for each try."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TASK = re.compile(r"task_id=(?P<task>[^/]+)(?:/map_index=(?P<index>\d+))?/attempt=(?P<attempt>\d+)\.log$")
OURS = ("include.", "stagehouse.")


@dataclass(frozen=True)
class LogLine:
    """One record. task: label as in TaskInstance; reason: 'Type: message' of its exception, or empty."""

    task: str
    level: str
    logger: str
    text: str
    reason: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether the project's own code wrote it, not Airflow."""
        return self.logger.startswith(OURS)


def read_line(task: str, line: str) -> LogLine | None:
    """Return the record in a line of a log; None for anything that is not a record."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or "event" not in record:
        return None
    return LogLine(
        task=task,
        level=str(record.get("level", "info")),
        logger=str(record.get("logger", "")),
        text=str(record["event"]),
        reason=_reason(record.get("error_detail")),
    )


def task_of(path: Path) -> str | None:
    """Return the label of the task whose log this is."""
    found = _TASK.search(path.as_posix())
    if not found:
        return None
    return found["task"] if found["index"] is None else f"{found['task']}[{found['index']}]"


class RunLogs:
    """The logs of one DAG run. root: Airflow's log folder."""

    def __init__(self, root: Path, dag_id: str, run_id: str) -> None:
        self.directory = root / f"dag_id={dag_id}" / f"run_id={run_id}"
        self._read: dict[Path, int] = {}

    def news(self) -> Iterator[LogLine]:
        """Yield the records added since the last call."""
        for path in self._files():
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            yield from _records(path, whole)

    def last_reason(self, task: str) -> tuple[str, Path | None]:
        """Return why a task failed, from the newest of its logs that says so, and that log."""
        for path in reversed([path for path in self._files() if task_of(path) == task]):
            records = list(_records(path, path.read_bytes()))
            reasons = [r.reason or r.text for r in records if r.reason or r.level in {"error", "critical"}]
            if reasons:
                return next((r.reason for r in reversed(records) if r.reason), reasons[-1]), path
        return "its log holds no error", None

    def _files(self) -> list[Path]:
        return sorted(self.directory.rglob("attempt=*.log"), key=lambda path: path.stat().st_mtime)


def _records(path: Path, data: bytes) -> Iterator[LogLine]:
    task = task_of(path)
    for line in data.decode(errors="replace").splitlines():
        record = read_line(task, line) if task else None
        if record:
            yield record


def _reason(detail: Any) -> str:
    # A chain, cause last; the first is what the task raised.
    if not isinstance(detail, list) or not detail or not isinstance(detail[0], dict):
        return ""
    return f"{detail[0].get('exc_type', 'Error')}: {detail[0].get('exc_value', '')}"
