"""Start and stop components. Each leads a session: what it forks stays in it, also after the leader is gone.

Process groups would not do: an Airflow task leaves its scheduler's group, but never its session.
"""

import json
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from include.local_stack.errors import ComponentDied
from include.local_stack.identity import started
from include.local_stack.state import last_lines, write_private

logger = logging.getLogger(__name__)

GRACE_S = 5.0  # an Airflow task that does not heed SIGTERM must be able to bear SIGKILL anyway
ORDERLY_GRACE_S = 30.0  # a database writes its checkpoint
POLL_S = 0.05


@dataclass(frozen=True)
class Command:
    """The command and environment of a component.

    env: all of its environment. cwd: below the state directory. stop: what ends it in good order.
    only_leader: the leader ends its children in order; otherwise all of the session get the signal.
    privileges: options of setpriv(1).
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    cwd: Path
    stop: signal.Signals = signal.SIGTERM
    only_leader: bool = False
    privileges: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Running:
    """A started component."""

    command: Command
    process: subprocess.Popen[bytes]


class Sessions:
    """The components of one stack, in starting order; a file remembers them for the start after a crash.

    pid_file: that file. work_dir: the directory below which every component works.
    """

    def __init__(self, pid_file: Path, work_dir: Path) -> None:
        self._pid_file = pid_file
        self._work_dir = work_dir
        self._running: list[Running] = []

    def start(self, command: Command) -> Running:
        """Start a component with its output in its log, which then holds nothing of earlier starts."""
        command.log.unlink(missing_ok=True)
        return self._start(command)

    def start_again(self, running: Running) -> Running:
        """End what a dead component has left running, start it anew; its log goes on."""
        self.kill(running)
        self._running.remove(running)
        return self._start(running.command)

    def _start(self, command: Command) -> Running:
        with command.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own commands, no shell
                (*_setpriv(command), *command.argv),
                cwd=command.cwd,
                env=dict(command.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        running = Running(command, process)
        self._running.append(running)
        self._write_pid_file()
        return running

    def run(self, command: Command, sleep: Callable[[float], None]) -> None:
        """Start a command that ends by itself and wait for it. Raises: ComponentDied: it failed."""
        running = self.start(command)
        while (code := running.process.poll()) is None:
            sleep(POLL_S)
        self._running.remove(running)
        self._write_pid_file()
        if code:
            raise _died(running, code)

    def running(self) -> tuple[Running, ...]:
        """Return the components that were started, in that order."""
        return tuple(self._running)

    def ended(self) -> Iterator[tuple[Running, ComponentDied]]:
        """Yield the components that have ended on their own, each with what there is to say of it."""
        for running in self.running():
            code = running.process.poll()
            if code is not None:
                yield running, _died(running, code)

    def check(self) -> None:
        """Raise ComponentDied for a component that has ended on its own."""
        for _, died in self.ended():
            raise died

    def kill(self, running: Running) -> None:
        """End a component, and all that it has forked, at once."""
        running.process.kill()
        running.process.wait()  # first, or psutil would take the exit code
        deadline = time.monotonic() + GRACE_S
        # Again, for what was forked meanwhile.
        while (left := list(members({running.process.pid}, self._work_dir))) and time.monotonic() < deadline:
            for process in left:
                _send(process, signal.SIGKILL)
            psutil.wait_procs(left, timeout=POLL_S)  # the kernel takes a moment

    def stop(self) -> None:
        """Stop all: first together those whose order does not matter, then the others, last started first."""
        together = [running for running in self._running if not running.command.only_leader]
        for running in reversed(together):
            for process in members({running.process.pid}, self._work_dir):
                _send(process, running.command.stop)
        self._await_end(together, GRACE_S)
        for running in reversed(self._running):
            if running.command.only_leader and running.process.poll() is None:
                running.process.send_signal(running.command.stop)
                self._await_end([running], ORDERLY_GRACE_S)
        self._running.clear()
        self._pid_file.unlink(missing_ok=True)

    def sweep(self) -> int:
        """End what a killed predecessor left running; return how many processes that were."""
        if not self._pid_file.exists():
            return 0
        leaders = {int(pid): int(at) for pid, at in json.loads(self._pid_file.read_text()).items()}
        # A pid can have been given to a stranger since; one that leads a session with our members cannot.
        strangers = {pid for pid, at in leaders.items() if started(pid) not in {None, at}}
        left = list(members(leaders.keys() - strangers, self._work_dir))
        for process in left:
            _send(process, signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
        _, alive = psutil.wait_procs(left, timeout=GRACE_S)
        for process in alive:
            _send(process, signal.SIGKILL)
        psutil.wait_procs(alive, timeout=GRACE_S)
        self._pid_file.unlink()
        return len(left)

    def _await_end(self, stopping: list[Running], grace_s: float) -> None:
        leaders = {running.process.pid for running in stopping}
        deadline = time.monotonic() + grace_s
        while (left := list(members(leaders, self._work_dir))) and time.monotonic() < deadline:
            for running in stopping:
                running.process.poll()  # reaps, so that the leader leaves the list
            time.sleep(POLL_S)
        for process in left:
            logger.info("%s did not end within %.0f s and was killed", process, grace_s)
            _send(process, signal.SIGKILL)
        psutil.wait_procs(left, timeout=GRACE_S)  # the kernel takes a moment, also for SIGKILL
        for running in stopping:
            running.process.wait()

    def _write_pid_file(self) -> None:
        leaders = {running.process.pid: started(running.process.pid) for running in self._running}
        write_private(self._pid_file, json.dumps({pid: at for pid, at in leaders.items() if at is not None}))


def members(sessions: set[int], work_dir: Path) -> Iterator[psutil.Process]:
    """Yield the living processes of the sessions, named by their leaders' pids, that work below work_dir."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) not in sessions or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if _works_below(process, work_dir):
                yield process
        except (psutil.Error, ProcessLookupError, PermissionError):
            continue  # gone meanwhile, or not ours


def _works_below(process: psutil.Process, directory: Path) -> bool:
    # Airflow makes its task processes undumpable: where they work, root alone may see.
    try:
        return Path(process.cwd()).is_relative_to(directory)
    except psutil.AccessDenied:
        return process.uids().real == os.getuid()


def _setpriv(command: Command) -> tuple[str, ...]:
    # Should this process be killed outright, the kernel tells the components to end.
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    return (setpriv, *command.privileges, "--pdeathsig", command.stop.name.removeprefix("SIG"), "--")


def _send(process: psutil.Process, signum: signal.Signals) -> None:
    try:
        process.send_signal(signum)
    except psutil.NoSuchProcess:
        return


def _died(running: Running, code: int) -> ComponentDied:
    return ComponentDied(running.command.name, code, running.command.log, last_lines(running.command.log))
