"""Sources that may hang: each is read by one thread at a time, and nobody waits longer than a budget."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, NamedTuple, TypeVar

log = logging.getLogger(__name__)

BUDGET_S = 3.0
T = TypeVar("T")


class Reading(NamedTuple, Generic[T]):
    """What a source gave. Attributes: facts, None where it is not up; seconds it took; error, in words."""

    name: str
    facts: T | None
    seconds: float
    error: str = ""

    @property
    def up(self) -> bool:
        """Whether it has answered within the budget."""
        return self.facts is not None


class Source(Generic[T]):
    """A source of facts. Who asks while it is being read waits for that answer: none is asked twice at once.

    A thread that hangs keeps no process from ending: it is a daemon.

    Args: name; explain, turns what a reading raised into words without secrets.
    Attributes: last, the last facts it gave; None before.
    """

    def __init__(self, name: str, explain: Callable[[Exception], str]) -> None:
        self.name, self._explain = name, explain
        self._lock = threading.Lock()
        self._reading: Future[tuple[T | None, str]] | None = None
        self._ended = 0.0  # when the last reading had ended

    last: T | None = None

    def ask(self, read: Callable[[], T]) -> Callable[[float], Reading[T]]:
        """Begin to read, unless somebody has; return what waits for the facts until a monotonic time.

        Args: read, returns the facts or raises.
        """
        begun = time.monotonic()
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = Future()
                name, args = f"stagehouse-{self.name}", (read, self._reading)
                threading.Thread(target=self._fulfil, args=args, daemon=True, name=name).start()
            reading = self._reading

        def wait(deadline: float) -> Reading[T]:
            try:
                facts, error = reading.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                return Reading(self.name, None, time.monotonic() - begun, f"no answer in {BUDGET_S:g} s")
            # Who looks later has waited for others.
            return Reading(self.name, facts, max(0.0, self._ended - begun), error)

        return wait

    def _fulfil(self, read: Callable[[], T], reading: Future[tuple[T | None, str]]) -> None:
        facts, error = None, ""
        try:
            self.last = facts = read()
        except Exception as raised:  # noqa: BLE001 - a source fails in its own ways, and the others answer
            error = self._explain(raised)
            log.warning("source %s: %s", self.name, error)
        self._ended = time.monotonic()
        reading.set_result((facts, error))
