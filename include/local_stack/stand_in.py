"""The local stand-ins as components: of GitHub, of an API for the calls of a file, and of Kafka."""

import sys
import time
from collections.abc import Callable

from include.local_stack.errors import NotHealthy
from include.local_stack.sessions import POLL_S, Command, Sessions
from include.local_stack.settings import API_RATE, LOOPBACK, Settings
from include.local_stack.state import StateDirectory, last_lines

READY_WITHIN_S = 60.0


class StandIns:
    """Starts stand-ins, each on a free port. Args: sleep, waits, or raises to end everything."""

    def __init__(
        self, settings: Settings, state: StateDirectory, sessions: Sessions, sleep: Callable[[float], None]
    ) -> None:
        self._settings, self._state, self._sessions, self._sleep = settings, state, sessions, sleep

    def github(self) -> str:
        """Start the one of GitHub and return its URL. Raises: ComponentDied; NotHealthy: it is mute."""
        data = self._settings.github_data
        options = ("--data", str(data)) if data else ()
        return self._start_http("github-stand-in", "include.github_stand_in", options)

    def api(self) -> str:
        """Start the one that api_calls asks and return its URL. Raises: as above."""
        return self._start_http("api-stand-in", "include.api_stand_in", ("--rate", str(API_RATE)))

    def kafka(self) -> str:
        """Start the one of Kafka and return the address of its broker. Raises: as above."""
        return self._start("kafka-stand-in", "include.kafka_stand_in")

    def _start_http(self, name: str, module: str, options: tuple[str, ...]) -> str:
        return f"http://{self._start(name, module, ('--host', LOOPBACK, '--port', '0', *options))}"

    def _start(self, name: str, module: str, options: tuple[str, ...] = ()) -> str:
        port_file = self._state.port_file(name)
        port_file.unlink(missing_ok=True)
        listen = ("--port-file", str(port_file))
        command = Command(
            name=name,
            argv=(sys.executable, "-m", module, *listen, *options),
            env=self._settings.inherited | {"PYTHONPATH": str(self._settings.root), "PYTHONUNBUFFERED": "1"},
            log=self._state.log(name),
            cwd=self._state.path,
        )
        self._sessions.start(command)
        deadline = time.monotonic() + READY_WITHIN_S
        while not (port := port_file.read_text().strip() if port_file.exists() else ""):
            self._sleep(POLL_S)
            self._sessions.check()
            if time.monotonic() > deadline:
                tail = last_lines(command.log)
                raise NotHealthy(f"the {name} does not listen", READY_WITHIN_S, command.log, tail)
        return f"{LOOPBACK}:{port}"
