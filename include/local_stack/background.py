"""`make up` and `make down`: the same stack in a process of its own that outlives the terminal."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from include.local_stack.airflow_environment import ADMIN
from include.local_stack.errors import AlreadyRunning, ComponentDied, NotHealthy, StackError
from include.local_stack.owner import read_owner
from include.local_stack.prometheus import PROMETHEUS
from include.local_stack.sessions import Sessions
from include.local_stack.settings import LOOPBACK, Settings
from include.local_stack.state import StateDirectory, last_lines

READY_WITHIN_S = 420.0
STOPPED_WITHIN_S = 60.0
POLL_S = 0.25


def up(
    settings: Settings, serve: tuple[str, ...], environ: Mapping[str, str], sleep: Callable[[float], None]
) -> str:
    """Start the stack in the background and return what to tell the user; one that is up already is kept.

    serve: arguments of the Python interpreter that run the stack until it is told to stop; environ: from
    which that process reads its settings.
    """
    state = StateDirectory(settings.state)
    state.create()
    owner = read_owner(state.owner)
    if owner and owner.url:
        return _greeting(state, owner.url)
    if owner:
        raise AlreadyRunning(state.path, owner.pid)
    log = state.log("stack")
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            (sys.executable, *serve),
            cwd=settings.root,
            env={**environ, "PYTHONPATH": str(settings.root)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _greeting(state, _await_ready(process, state, log, sleep))
    except BaseException:
        process.terminate()
        process.wait()
        raise


def down(settings: Settings, sleep: Callable[[float], None]) -> str:
    """Stop the stack of this state directory; return what happened. Raises: StackError: it does not stop."""
    state = StateDirectory(settings.state)
    owner = read_owner(state.owner)
    process = owner.process() if owner else None
    if process is None:
        left = Sessions(state.sessions, state.path).sweep()
        return f"Ended {left} processes of a stack that was killed" if left else "Nothing is running"
    process.terminate()
    deadline = time.monotonic() + STOPPED_WITHIN_S
    while _alive(process):
        sleep(POLL_S)
        if time.monotonic() > deadline:
            raise StackError(
                f"process {process.pid} did not stop in {STOPPED_WITHIN_S:.0f} s. "
                f"Next: look in {state.log('stack')}, then end the process by its number"
            )
    return "Stopped"


def _await_ready(
    process: subprocess.Popen[bytes], state: StateDirectory, log: Path, sleep: Callable[[float], None]
) -> str:
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        code = process.poll()
        if code is not None:
            raise ComponentDied("the stack", code, log, last_lines(log, 30))
        owner = read_owner(state.owner)
        if owner and owner.pid == process.pid and owner.url:
            return owner.url
        if time.monotonic() > deadline:
            raise NotHealthy("the stack is not ready", READY_WITHIN_S, log, last_lines(log))
        sleep(POLL_S)


def _greeting(state: StateDirectory, url: str) -> str:
    password = state.secrets().admin_password
    lines = [f"Airflow: {url}", f"user:    {ADMIN}", f"password: {password}"]
    lines.append(f"metrics: {url}/stagehouse/metrics, with the bearer token in {state.metrics_token}")
    port = state.port_file(PROMETHEUS)
    if port.exists():
        lines.append(f"Prometheus: http://{LOOPBACK}:{port.read_text().strip()}")
    # Nobody reads along any more: what dies and is started again is said there.
    return "\n".join((*lines, f"log:     {state.log('stack')}", "Stop it with: make down"))


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
