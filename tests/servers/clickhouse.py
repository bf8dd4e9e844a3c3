"""A real clickhouse-server on free ports of 127.0.0.1, and a directory for the embedded engine.

Fixtures: `clickhouse_server` (session), `clickhouse_database` (a fresh name per test), `chdb_path`.
"""

import json
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.servers.free_port import free_ports

PASSWORD = "loader-s3cret-pa55"
START_TIMEOUT_S = 60
ENOUGH_MEMORY = 2 * 1024**3
CONFIG = """<yandex>
    <logger><level>information</level><log>{directory}/server.log</log><errorlog>{directory}/errors.log</errorlog></logger>
    <listen_host>127.0.0.1</listen_host>
    <tcp_port>{port}</tcp_port>
    <http_port>{http_port}</http_port>
    <path>{directory}/data/</path>
    <tmp_path>{directory}/tmp/</tmp_path>
    <format_schema_path>{directory}/schemas/</format_schema_path>
    <users_config>users.xml</users_config>
    <default_profile>default</default_profile>
    <default_database>default</default_database>
    <timezone>{time_zone}</timezone>
    <mark_cache_size>67108864</mark_cache_size>
</yandex>
"""
USERS = f"""<yandex>
    <profiles><default/></profiles>
    <quotas><default/></quotas>
    <users>
        <default>
            <password></password><profile>default</profile><quota>default</quota>
            <networks><ip>127.0.0.1</ip></networks>
        </default>
        <loader>
            <password>{PASSWORD}</password><profile>default</profile><quota>default</quota>
            <networks><ip>127.0.0.1</ip></networks>
        </loader>
    </users>
</yandex>
"""


class ClickHouseServer:
    """One clickhouse-server in a directory of its own; its data outlives stop() and kill().

    Attributes: host; port: native protocol; http_port; user, password: a user with a password
    (`default` has none); time_zone: the server's zone.
    """

    host = "127.0.0.1"
    user, password = "loader", PASSWORD

    def __init__(self, program: str, directory: Path, time_zone: str) -> None:
        self.program, self.directory, self.time_zone = program, directory, time_zone
        self.port, self.http_port = free_ports(2)
        self.process: subprocess.Popen[bytes] | None = None
        facts = {
            "directory": directory,
            "port": self.port,
            "http_port": self.http_port,
            "time_zone": time_zone,
        }
        (directory / "config.xml").write_text(CONFIG.format(**facts))
        (directory / "users.xml").write_text(USERS)

    def start(self) -> None:
        """Start the server (no-op when it runs) and wait until it answers."""
        if self.process is not None:
            return
        command = [self.program, f"--config-file={self.directory / 'config.xml'}"]
        with (self.directory / "output.log").open("ab") as output:
            self.process = subprocess.Popen(command, cwd=self.directory, stdout=output, stderr=output)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"clickhouse-server did not start:\n{self._log_tail()}", pytrace=False)
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server as an operator would (SIGTERM)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop the server as the kernel would (SIGKILL)."""
        self._end(signal.SIGKILL)

    def execute(self, sql: str) -> str:
        """Run one statement as `default` over HTTP, without any driver; returns tab separated rows."""
        request = urllib.request.Request(f"http://{self.host}:{self.http_port}/", data=sql.encode())
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read().decode().rstrip("\n")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{sql}\n{error.read().decode()}") from error

    def airflow_connection(self, **changes: object) -> str:
        """Return a value for AIRFLOW_CONN_CLICKHOUSE_DEFAULT (JSON); `changes` win, None removes a field."""
        fields = {"conn_type": "clickhouse", "host": self.host, "port": self.port, "login": self.user}
        fields |= {"password": self.password, "schema": "stagehouse"} | changes
        return json.dumps({name: value for name, value in fields.items() if value is not None})

    def _end(self, signal_number: signal.Signals) -> None:
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal_number)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:  # a server that hangs at its end must not outlive the tests
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.http_port}/ping", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def _log_tail(self) -> str:
        logs = [self.directory / name for name in ("output.log", "errors.log")]
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs if log.exists())


def fast_disk() -> str | None:
    """Memory where there is plenty of it: statements take a quarter of their time there."""
    shared = Path("/dev/shm")  # noqa: S108 - mkdtemp() makes a directory of our own in it
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > ENOUGH_MEMORY else None


def clickhouse_program() -> str:
    """Return the path of clickhouse-server; fails the test, never skips it, when the program is missing."""
    program = shutil.which("clickhouse-server") or shutil.which(
        "clickhouse-server", path="/usr/sbin:/usr/local/sbin"
    )
    if program is None:
        pytest.fail("no clickhouse-server on this machine: apt-get install clickhouse-server", pytrace=False)
    return program


@contextmanager
def running_clickhouse(time_zone: str = "UTC", directory: Path | None = None) -> Iterator[ClickHouseServer]:
    """A server of your own in any time zone.

    Its files are in `directory` and stay there, or else in one that is made and removed at the end.
    """
    program = clickhouse_program()
    made = None if directory else Path(tempfile.mkdtemp(prefix="stagehouse-clickhouse-", dir=fast_disk()))
    server = ClickHouseServer(program, directory or made, time_zone)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        if made:
            shutil.rmtree(made)


@pytest.fixture(scope="session")
def clickhouse_server(request: pytest.FixtureRequest) -> Iterator[ClickHouseServer]:
    """The session's clickhouse-server (about 1 s), zone UTC. A test that stops it starts it again.

    Another zone: @pytest.mark.parametrize("clickhouse_server", ["Asia/Tokyo"], indirect=True)
    """
    with running_clickhouse(getattr(request, "param", "UTC")) as server:
        yield server


@pytest.fixture
def clickhouse_database(clickhouse_server: ClickHouseServer) -> Iterator[str]:
    """A fresh database name for one test: not created (migrations do that), dropped afterwards.

    The server is brought back first if the test left it stopped.
    """
    name = f"test_{uuid4().hex[:12]}"
    yield name
    clickhouse_server.start()
    clickhouse_server.execute(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture
def chdb_path(tmp_path: Path) -> Path:
    """A fresh directory (not made yet) for the embedded engine.

    The engine opens one path per process at a time: close the session before the test ends.
    """
    return tmp_path / "chdb"
