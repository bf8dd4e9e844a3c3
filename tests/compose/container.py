"""A service's process without a container engine: its command, environment, volumes, host name, health check.

What stands in for the container: a directory with what the image copies and the volumes mount, and a UTS
namespace, which gives it a host name. Paths of the image become paths of that directory, names of services
127.0.0.1, and their ports free ones.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from include.local_stack.sessions import Command

ROOT = Path(__file__).resolve().parents[2]
HOME = "/opt/airflow"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COPIED = re.findall(rf"^COPY --chown=\S+ (\S+) ({HOME}/\S+)$", DOCKERFILE, re.MULTILINE)
IMAGE_ENVIRONMENT = dict(re.findall(r"^(?:ENV|   ) (\w+)=(\S+)", DOCKERFILE, re.MULTILINE))
UNSHARED = ("unshare", "--uts", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")))
NAMED = (*UNSHARED, "sh", "-c", 'hostname "$0" && exec "$@"')


class Container:
    """One container of a service. Attributes: name: also the host's; directory: its files; output: a log.

    ports: the native port of each "service:port". own: what is put for what in this one.
    """

    def __init__(
        self,
        name: str,
        service: Mapping[str, Any],
        place: Path,
        ports: Mapping[str, int],
        own: Mapping[str, str],
    ) -> None:
        self.name, self._service, self._ports, self._own = name, service, ports, own
        self.directory = place / name
        self.output = place / f"{name}.log"
        self._mount(place / "volumes")

    @property
    def environment(self) -> dict[str, str]:
        """All variables of its processes, and none of ours."""
        image = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
        image |= {"HOME": str(self.directory), "HOSTNAME": self.name, "AIRFLOW_HOME": HOME}
        written = {**image, **IMAGE_ENVIRONMENT, **self._service.get("environment", {})}
        return {name: self._local(str(value)) for name, value in written.items()}

    @property
    def command(self) -> Command:
        """What starts it: as the image's entry point does, `airflow` is put before what is no program."""
        words = self._service.get("entrypoint") or _words(self._service["command"])
        if words[0] not in {"bash", "python", "sh"}:
            words = ["airflow", *words]
        return Command(
            name=self.name,
            argv=(*NAMED, self.name, *(self._local(word) for word in words)),
            env=self.environment,
            log=self.output,
            cwd=self.directory / HOME.strip("/"),
        )

    def is_healthy(self) -> bool:
        """Run its health check once."""
        kind, *words = self._service["healthcheck"]["test"]
        return self.run(*(("sh", "-c", *words) if kind == "CMD-SHELL" else words)) == 0

    def run(self, *words: str) -> int:
        """Run a command in the container, as `docker compose exec` does; return its exit code."""
        done = subprocess.run(
            (*NAMED, self.name, *(self._local(word) for word in words)),
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            check=False,
        )
        return done.returncode

    def _mount(self, volumes: Path) -> None:
        links = [(ROOT / source, target) for source, target in COPIED]
        for mount in self._service.get("volumes", ()):
            source, target, *_ = mount.split(":")
            path = volumes / source if "/" not in source else Path(source)
            path.mkdir(parents=True, exist_ok=True)
            links.append((path, target))
        for source, target in links:
            inside = self.directory / target.strip("/")
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.symlink_to(source)
        (self.directory / HOME.strip("/")).mkdir(parents=True, exist_ok=True)

    def _local(self, text: str) -> str:
        if text.startswith('{"conn_type"'):
            return self._local_connection(json.loads(text))
        for there, here in self._own.items():
            text = text.replace(there, here)
        for address, port in self._ports.items():
            text = re.sub(rf"\b{address}\b", f"127.0.0.1:{port}", text)
        return text.replace(HOME, f"{self.directory}{HOME}")

    def _local_connection(self, fields: dict[str, Any]) -> str:
        port = self._ports.get(f"{fields['host']}:{fields.get('port')}")
        own = {"host": "127.0.0.1", "port": port} if port else {"host": self._local(fields["host"])}
        return json.dumps(fields | own)


def _words(command: str | Sequence[str]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else list(command)
