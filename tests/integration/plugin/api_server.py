"""A real `airflow api-server` with our plugin, its users, and clients of it."""

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from include.local_stack.airflow_environment import AIRFLOW
from tests.servers.free_port import free_ports

USERS = {"admin": "admin", "op": "op", "user": "user", "viewer": "viewer"}  # name: role; password = name
STARTS_WITHIN_S = 60


class ApiServer:
    """One server process. Attributes: url; log: a file; process."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / "api-server.log"
        passwords = directory / "passwords.json"
        passwords.write_text(json.dumps({name: name for name in USERS}))
        self._environment = os.environ | {
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of tests " * 4,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{n}:{r}" for n, r in USERS.items()),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "SCARF_ANALYTICS": "false",
            **environment,
        }

    def run(self, *arguments: str) -> None:
        """Run another command of `airflow` in the same environment, until it ends."""
        command = [AIRFLOW, *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [AIRFLOW, "api-server"]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                pytest.fail(f"the API server did not start:\n{self.log.read_text()[-3000:]}", pytrace=False)
            time.sleep(0.2)

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/api/v2/version", timeout=2).status_code == 200
        return False

    def stop(self) -> int:
        """Stop it as an operator does, with SIGTERM; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=20)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def client(self, user: str) -> httpx.Client:
        """Return a client signed in as this user."""
        headers = {"Authorization": f"Bearer {self.token(user)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20)

    def token(self, user: str) -> str:
        """Sign in; return the token."""
        answer = httpx.post(f"{self.url}/auth/token", json={"username": user, "password": user}, timeout=20)
        assert answer.status_code == 201, answer.text
        return answer.json()["access_token"]
