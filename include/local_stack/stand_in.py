"""The local stand-in of the GitHub API as a component."""

import sys
import time
from collections.abc import Callable

from include.local_stack.errors import NotHealthy
from include.local_stack.sessions import POLL_S, Command, Sessions
from include.local_stack.settings import LOOPBACK, Settings
from include.local_stack.state import StateDirectory, last_lines

READY_WITHIN_S = 60.0


def start(
    settings: Settings, state: StateDirectory, sessions: Sessions, sleep: Callable[[float], None]
) -> str:
    """Start the stand-in on a free port and return its URL. Raises: ComponentDied; NotHealthy: it is mute."""
    state.stand_in_port.unlink(missing_ok=True)
    data = ("--data", str(settings.github_data)) if settings.github_data else ()
    listen = ("--host", LOOPBACK, "--port", "0", "--port-file", str(state.stand_in_port))
    command = Command(
        name="github-stand-in",
        argv=(sys.executable, "-m", "include.github_stand_in", *listen, *data),
        env=settings.inherited | {"PYTHONPATH": str(settings.root), "PYTHONUNBUFFERED": "1"},
        log=state.log("github-stand-in"),
        cwd=state.path,
    )
    sessions.start(command)
    deadline = time.monotonic() + READY_WITHIN_S
    while not (port := _written(state)):
        sleep(POLL_S)
        sessions.check()
        if time.monotonic() > deadline:
            tail = last_lines(command.log)
            raise NotHealthy("the GitHub stand-in does not listen", READY_WITHIN_S, command.log, tail)
    return f"http://{LOOPBACK}:{port}"


def _written(state: StateDirectory) -> str:
    return state.stand_in_port.read_text().strip() if state.stand_in_port.exists() else ""
