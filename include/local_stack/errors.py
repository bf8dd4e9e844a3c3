"""What can go wrong on the way up.

StackError
+-- BadSetting       a value given to `make run` that cannot be meant
+-- AlreadyRunning   another stack holds this checkout's state directory
+-- ComponentDied    a component ended on its own
|   +-- KeepsDying   one that was started again did so too often
+-- NotHealthy       a component runs, but never came to work
+-- RunFailed        the stack works; a DAG run in it ended red
Interrupted          somebody pressed Ctrl-C or sent SIGTERM or SIGHUP; no error of the stack
"""

import signal
from pathlib import Path


class StackError(Exception):
    """Base of everything the local stack reports in place of a traceback."""


class BadSetting(StackError):
    """A setting has no usable value. Attributes: name of the variable; value as given; allowed, in words."""

    def __init__(self, name: str, value: str, allowed: str) -> None:
        super().__init__(name, value, allowed)
        self.name, self.value, self.allowed = name, value, allowed

    def __str__(self) -> str:
        return f"{self.name}={self.value[:80]!r} is not usable: {self.allowed}"


class AlreadyRunning(StackError):
    """A running stack owns the state directory. Attributes: state, the directory; pid or None."""

    def __init__(self, state: Path, pid: int | None) -> None:
        super().__init__(state, pid)
        self.state, self.pid = state, pid

    def __str__(self) -> str:
        owner = f"process {self.pid}" if self.pid else "another process"
        return f"{owner} already runs a stack on {self.state}: `make down` stops one that `make up` started"


class ComponentDied(StackError):
    """A component ended on its own. Attributes: name; exit_code; log, its file; tail, the log's end."""

    def __init__(self, name: str, exit_code: int, log: Path, tail: str) -> None:
        super().__init__(name, exit_code, log, tail)
        self.name, self.exit_code, self.log, self.tail = name, exit_code, log, tail

    def __str__(self) -> str:
        return f"{self.name} {_ended(self.exit_code)}; the end of {self.log}:\n{self.tail}"


class KeepsDying(ComponentDied):
    """A component was started again and again, and ended each time. Attributes: times; within_s, seconds."""

    def __init__(self, last: ComponentDied, times: int, within_s: float) -> None:
        super().__init__(last.name, last.exit_code, last.log, last.tail)
        self.args = (last, times, within_s)
        self.times, self.within_s = times, within_s

    def __str__(self) -> str:
        often = f"{self.name} died {self.times} times within {self.within_s:.0f} s: it is not started again"
        return f"{super().__str__()}\n{often}. Next: mend what the log names, then start the stack again"


class NotHealthy(StackError):
    """Something did not come to work in time. Attributes: what; seconds waited; log; tail, the log's end."""

    def __init__(self, what: str, seconds: float, log: Path, tail: str) -> None:
        super().__init__(what, seconds, log, tail)
        self.what, self.seconds, self.log, self.tail = what, seconds, log, tail

    def __str__(self) -> str:
        return f"{self.what} after {self.seconds:.0f} s; the end of {self.log}:\n{self.tail}"


class RunFailed(StackError):
    """A DAG run ended red. Attributes: dag_id; run_id; report, one paragraph for each failed task."""

    def __init__(self, dag_id: str, run_id: str, report: str) -> None:
        super().__init__(dag_id, run_id, report)
        self.dag_id, self.run_id, self.report = dag_id, run_id, report

    def __str__(self) -> str:
        return f"{self.dag_id} failed (run {self.run_id})\n{self.report}"


def _ended(exit_code: int) -> str:
    """Say how a process ended. exit_code: as Popen has it, negative for a signal."""
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:  # a real-time signal
        return f"was ended by signal {-exit_code}"


class Interrupted(Exception):
    """A signal asked us to end. Attribute: signum."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    def __str__(self) -> str:
        return f"interrupted by {signal.Signals(self.signum).name}"

    @property
    def exit_code(self) -> int:
        """128 + signal number, as shells have it."""
        return 128 + self.signum
