"""A real Prometheus of Debian, on a free port of 127.0.0.1."""

import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.servers.free_port import free_ports

STARTS_WITHIN_S = 30


def prometheus_program(name: str = "prometheus") -> str:
    """Return the path of a program of the package; fails the test, never skips it, where it is missing."""
    program = shutil.which(name)
    if program is None:
        pytest.fail(f"no {name} on this machine: apt-get install prometheus", pytrace=False)
    return program


class Prometheus:
    """A running server. Attributes: url."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[dict]:
        """Return what an expression is now: labels and value of each series."""
        return self._ask("query", query=expression)["result"]

    def alerts(self) -> dict[str, str]:
        """Return the alerts that are pending or firing, by name."""
        return {each["labels"]["alertname"]: each["state"] for each in self._ask("alerts")["alerts"]}

    def _ask(self, what: str, **params: str) -> dict:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(params)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{params}: {error.read().decode()}") from error


@contextmanager
def running_prometheus(config: dict, directory: Path) -> Iterator[Prometheus]:
    """A server with a configuration of your own; its files are in `directory`."""
    file, port = directory / "prometheus.yml", free_ports(1)[0]
    file.write_text(yaml.safe_dump(config))
    command = [prometheus_program(), f"--config.file={file}", f"--storage.tsdb.path={directory}/data"]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}"
    with (directory / "prometheus.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not _ready(url):
            assert process.poll() is None, (directory / "prometheus.log").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield Prometheus(url)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False
