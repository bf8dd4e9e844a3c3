"""The progress of a run: a line in the log, and a small file that pages read while it runs."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from include.api_calls.outcomes import OUTCOMES, Outcomes
from include.staging.files import StagingPath, write_atomically

PROGRESS = "progress.json"
READABLE = 0o644
_RATE_OVER = timedelta(minutes=1)

log = logging.getLogger(__name__)


class Progress:
    """The progress of one run.

    Args: path, of the file; rows, of the run's file; facts, that do not change; now, our clock.
    """

    def __init__(
        self, path: StagingPath, rows: int, facts: Mapping[str, object], now: Callable[[], datetime]
    ) -> None:
        self._path, self._rows, self._facts, self._now = path, rows, dict(facts), now
        self._seen: deque[tuple[datetime, int, int]] = deque()

    def begin(self, requests: int, to_do: int) -> None:
        """Count the rate from now on. Args: as for tell()."""
        self._seen.append((self._now(), requests, to_do))

    def tell(self, outcomes: Outcomes, state: str, requests: int, to_do: int) -> None:
        """Say it in the log and in the file. What is wrong with that file ends no run.

        Args: state, calling, waiting or called; requests, sent by this try so far; to_do, rows that are still
            to be sent.
        """
        facts = self.facts(outcomes, state, requests, to_do)
        log.info(
            "%s of %s rows: %s; %s requests a second; %s",
            facts["done"],
            self._rows,
            ", ".join(f"{facts[name]} {name}" for name in OUTCOMES if facts[name]) or "none done",
            facts["requests_per_second"],
            f"about {facts['seconds_left']} s left" if facts["seconds_left"] is not None else state,
        )
        write_progress(self._path, facts)

    def facts(self, outcomes: Outcomes, state: str, requests: int, to_do: int) -> dict[str, Any]:
        """Return what the file says."""
        now = self._now()
        self._seen.append((now, requests, to_do))
        while now - self._seen[0][0] > _RATE_OVER:
            self._seen.popleft()
        began, requests_then, to_do_then = self._seen[0]
        seconds = (now - began).total_seconds()
        rate = (requests - requests_then) / seconds if seconds > 0 else 0.0
        finished = to_do_then - to_do
        known: dict[str, int] = {name: outcomes.counts[name] for name in OUTCOMES}
        return {
            **self._facts,
            "state": state,
            "rows": self._rows,
            "done": sum(known.values()),
            **known,
            "requests": outcomes.requests,
            "requests_per_second": round(rate, 2),
            "seconds_left": round(to_do * seconds / finished) if finished > 0 and to_do else None,
            "updated_at": now.isoformat(timespec="seconds"),
        }


def write_progress(path: StagingPath, facts: Mapping[str, object]) -> None:
    """Write the file; what is wrong with its place is told by a warning."""
    try:
        write_atomically(path, json.dumps(facts, ensure_ascii=False).encode(), mode=READABLE)
    except OSError as error:
        log.warning("the progress is not written: %s", error)
