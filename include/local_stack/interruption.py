"""Signals become a flag that every wait looks at, so that none can strike between a start and its record."""

import signal
import threading
from types import FrameType

from include.local_stack.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Remembers the first signal. All waiting in this package is by `sleep`, which raises Interrupted."""

    def __init__(self) -> None:
        self._signum: int | None = None
        self._requested = threading.Event()

    def listen(self) -> None:
        """Take over SIGINT, SIGTERM and SIGHUP for the rest of this process; main thread only.

        Later signals change nothing: stopping is already under way and has its own time limit.
        """
        for signum in SIGNALS:
            signal.signal(signum, self._note)

    def request(self, signum: int) -> None:
        """Ask for the end as if the signal had arrived."""
        self._signum = self._signum or signum
        self._requested.set()

    def sleep(self, seconds: float) -> None:
        """Wait, or raise Interrupted as soon as a signal is there."""
        self._requested.wait(seconds)
        if self._signum is not None:
            raise Interrupted(self._signum)

    def _note(self, signum: int, _frame: FrameType | None) -> None:
        self.request(signum)
