"""Errors of the local stack on its way up.

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

from attrs import define

MEND = "Next: mend what the log names, then start the stack again"


class StackError(Exception):
    """Base of everything the local stack reports in place of a traceback; may be raised with a whole text."""


@define(slots=False)
class BadSetting(StackError):
    """A setting has no usable value. Attributes: name of the variable; value as given; allowed, in words."""

    name: str
    value: str
    allowed: str

    def __str__(self) -> str:
        facts = f"{self.name}={self.value[:80]!r} is not usable: {self.allowed}"
        return f"{facts}. Next: start again with another value, or without {self.name}"


@define(slots=False)
class AlreadyRunning(StackError):
    """A running stack owns the state directory. Attributes: state, the directory; pid or None."""

    state: Path
    pid: int | None

    def __str__(self) -> str:
        owner = f"process {self.pid}" if self.pid else "another process"
        return (
            f"{owner} already runs a stack on {self.state}. "
            "Next: stop it, by `make down` where `make up` started it"
        )


@define(slots=False)
class ComponentDied(StackError):
    """A component ended on its own. Attributes: name; exit_code; log, its file; tail, the log's end."""

    name: str
    exit_code: int
    log: Path
    tail: str

    @property
    def facts(self) -> str:
        """The text without a next step, for one that is started again."""
        return f"{self.name} {_ended(self.exit_code)}; the end of {self.log}:\n{self.tail}"

    def __str__(self) -> str:
        return f"{self.facts}\n{self.name} is not started again. {MEND}"


@define(slots=False)
class KeepsDying(ComponentDied):
    """A component was started again and again, and ended each time.

    Attributes: those of its last end; times; within_s, seconds.
    """

    times: int
    within_s: float

    def __str__(self) -> str:
        often = f"{self.name} died {self.times} times within {self.within_s:.0f} s: it is not started again"
        return f"{self.facts}\n{often}. {MEND}"


@define(slots=False)
class NotHealthy(StackError):
    """Something did not come to work in time. Attributes: what; seconds waited; log; tail, the log's end."""

    what: str
    seconds: float
    log: Path
    tail: str

    def __str__(self) -> str:
        facts = f"{self.what} after {self.seconds:.0f} s; the end of {self.log}"
        return f"{facts}:\n{self.tail}\nIt is not waited for any longer. {MEND}"


@define(slots=False)
class RunFailed(StackError):
    """A DAG run ended red. Attributes: dag_id; run_id; report, one paragraph for each failed task."""

    dag_id: str
    run_id: str
    report: str

    def __str__(self) -> str:
        return f"{self.dag_id} failed (run {self.run_id}). Next: do what its tasks say\n{self.report}"


def _ended(exit_code: int) -> str:
    """Say how a process ended. exit_code: as Popen has it, negative for a signal."""
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:  # a real-time signal
        return f"was ended by signal {-exit_code}"


@define(slots=False)
class Interrupted(Exception):
    """A signal asked us to end. Attribute: signum."""

    signum: int

    def __str__(self) -> str:
        return f"interrupted by {signal.Signals(self.signum).name}"

    @property
    def exit_code(self) -> int:
        """128 + signal number, as shells have it."""
        return 128 + self.signum
