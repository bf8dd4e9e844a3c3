"""A real PgBouncer in transaction mode before a PostgreSQL of the tests (Debian's package pgbouncer)."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import psycopg2.extensions

from tests.servers.free_port import free_ports
from tests.servers.postgres import SYSTEM_USER, PostgresServer

PROGRAM = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
SETTINGS = """
[databases]
* = host={server.host} port={server.port} user={server.user} password={server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {sessions}
idle_transaction_timeout = {idle_transaction_timeout_s}
"""


@contextmanager
def running_pgbouncer(
    server: PostgresServer,
    *,
    mode: str = "transaction",
    sessions: int = 10,
    idle_transaction_timeout_s: float = 0,
) -> Iterator[int]:
    """Yield the port of a pooler, which lets everybody in as the superuser of `server`."""
    assert PROGRAM, "pgbouncer is missing: make test installs it, or says how"
    directory, port = Path(tempfile.mkdtemp(prefix="stagehouse-pgbouncer-", dir="/tmp")), free_ports(1)[0]
    settings = directory / "pgbouncer.ini"
    settings.write_text(
        SETTINGS.format(
            server=server,
            port=port,
            mode=mode,
            sessions=sessions,
            idle_transaction_timeout_s=idle_transaction_timeout_s,
        )
    )
    user = SYSTEM_USER if os.geteuid() == 0 else None  # it refuses to run as root
    if user:
        for path in (directory, settings):
            os.chown(path, pwd.getpwnam(user).pw_uid, -1)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, str(settings)], user=user, stdout=log, stderr=log)
    try:
        _await_port(process, port, directory / "log")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(directory)


def through(server: PostgresServer, port: int, **changes: object) -> psycopg2.extensions.connection:
    """Open a connection to the server's own database through the pooler."""
    return psycopg2.connect(**(server.parameters | {"port": port} | changes))


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        else:
            return
