"""The services of a profile as native processes, started in the order that depends_on asks for."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from include.local_stack.sessions import Sessions
from include.local_stack.state import last_lines
from tests.compose.container import Container

HEALTHY_WITHIN = timedelta(minutes=3)
POLL_S = 0.2


class ComposeStack:
    """What runs. Attributes: containers, by name: one, or replica-1, replica-2."""

    def __init__(
        self, services: Mapping[str, dict[str, Any]], containers: Mapping[str, list[Container]], place: Path
    ):
        self._services, self._of_service = services, containers
        self.sessions = Sessions(place / "sessions.json", place)

    @property
    def containers(self) -> list[Container]:
        """All of them."""
        return [container for containers in self._of_service.values() for container in containers]

    def start(self) -> None:
        """Start each service as soon as what it depends on is as it asks for."""
        conditions = {name: service.get("depends_on", {}) for name, service in self._services.items()}
        for name in TopologicalSorter(conditions).static_order():
            for needed, condition in conditions.get(name, {}).items():
                if condition["condition"] == "service_healthy" and needed in self._of_service:
                    self.wait_until_healthy(needed)
            for container in self._of_service.get(name, ()):
                if self._services[name]["restart"].startswith("on-failure"):
                    self.sessions.run(container.command, time.sleep)
                else:
                    self.sessions.start(container.command)

    def wait_until_healthy(self, name: str) -> None:
        """Wait for a service's own check; a process that ends meanwhile is an error."""
        for container in self._of_service[name]:
            deadline = time.monotonic() + HEALTHY_WITHIN.total_seconds()
            while not container.is_healthy():
                self.sessions.check()
                assert time.monotonic() < deadline, f"{container.name}:\n{last_lines(container.output)}"
                time.sleep(POLL_S)

    def wait_until(
        self,
        condition: Callable[[], object],
        within: timedelta,
        otherwise: Callable[[], object],
        every_s: float = POLL_S,
    ) -> None:
        """Wait for something to come true while all processes live; else say how it is."""
        deadline = time.monotonic() + within.total_seconds()
        while not condition():
            self.sessions.check()
            assert time.monotonic() < deadline, otherwise()
            time.sleep(every_s)
