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

    Args: name; read, returns the facts or raises; explain, turns what it raised into words without secrets.
    Attributes: last, the last facts it gave; None before.
    """

    def __init__(self, name: str, read: Callable[[], T], explain: Callable[[Exception], str]) -> None:
        self.name, self.last = name, None
        self._read, self._explain = read, explain
        self._lock = threading.Lock()
        self._reading: Future[T] | None = None
        self._ended = 0.0  # when the last reading had ended

    last: T | None

    def ask(self) -> Callable[[float], Reading[T]]:
        """Begin to read, unless somebody has; return what waits for the facts until a monotonic time."""
        begun = time.monotonic()
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = Future()
                name = f"stagehouse-{self.name}"
                threading.Thread(target=self._fulfil, args=(self._reading,), daemon=True, name=name).start()
            reading = self._reading

        def wait(deadline: float) -> Reading[T]:
            try:
                facts = reading.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError as error:
                if not reading.done():
                    return Reading(self.name, None, time.monotonic() - begun, f"no answer in {BUDGET_S:g} s")
                return self._failed(error, begun)
            except Exception as error:  # noqa: BLE001 - a source fails in its own ways, and the others answer
                return self._failed(error, begun)
            return Reading(self.name, facts, self._seconds(begun))

        return wait

    def _seconds(self, begun: float) -> float:
        """Return how long a reading took who asked at `begun`; who looks later has waited for others."""
        return max(0.0, self._ended - begun)

    def _failed(self, error: Exception, begun: float) -> Reading[T]:
        log.warning("source %s: %s", self.name, self._explain(error))
        return Reading(self.name, None, self._seconds(begun), self._explain(error))

    def _fulfil(self, reading: Future[T]) -> None:
        try:
            self.last = facts = self._read()
        except Exception as error:  # noqa: BLE001 - told to who waits
            self._ended = time.monotonic()
            reading.set_exception(error)
        else:
            self._ended = time.monotonic()
            reading.set_result(facts)
