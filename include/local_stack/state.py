"""The one directory with everything the stack keeps: layout, secrets, and who is running."""

import base64
import hashlib
import json
import os
import secrets
import stat
import tempfile
from pathlib import Path

from pydantic import BaseModel, Field

from include.local_stack.errors import StackError

LONGEST_SOCKET_PATH = (
    107  # sun_path holds 108 bytes with the closing NUL: https://man7.org/linux/man-pages/man7/unix.7.html
)
SOCKET_NAME = ".s.PGSQL.5432"


class Secrets(BaseModel, frozen=True):
    """Generated once for each state directory and kept, so that logins and stored connections stay valid."""

    admin_password: str
    fernet_key: str
    jwt_secret: str
    api_secret_key: str
    metrics_token: str = Field(default_factory=lambda: secrets.token_urlsafe(32))  # older ones have none


class StateDirectory:
    """Paths below the state directory, which only its owner may enter."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.postgres = path / "postgres"
        self.airflow = path / "airflow"
        self.task_logs = path / "airflow" / "logs"
        self.clickhouse = path / "clickhouse"
        self.staging = path / "staging"
        self.reports = path / "reports"
        self.inbox = path / "inbox"
        self.recipes = path / "recipes"
        self.logs = path / "logs"
        self.lock = path / "stack.lock"
        self.owner = path / "stack.json"
        self.sessions = path / "sessions.json"
        self.passwords = path / "airflow" / "passwords.json"
        self.metrics_token = path / "metrics_token"
        self.restarts = path / "restarts.json"
        self.migrated = path / "airflow" / "migrated"

    def create(self) -> None:
        """Make the directories that are missing; ClickHouse makes its own."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        ours = (self.staging, self.reports, self.inbox, self.recipes, self.logs)
        for directory in (self.airflow, self.task_logs, *ours):
            directory.mkdir(exist_ok=True)

    def log(self, component: str) -> Path:
        """Return the file that takes the output of a component."""
        return self.logs / f"{component}.log"

    def port_file(self, stand_in: str) -> Path:
        """Return the file that takes the port of a stand-in."""
        return self.path / f"{stand_in}.port"

    def socket_directory(self) -> Path:
        """Return a directory for Postgres' socket: in here, or in the temporary one if the path is too long.

        Raises: StackError: somebody else made the directory in the temporary one.
        """
        directory = self.path / "socket"
        if len(os.fsencode(directory / SOCKET_NAME)) > LONGEST_SOCKET_PATH:
            name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
            directory = Path(tempfile.gettempdir()) / f"stagehouse-{name}"
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
        # Whoever can reach the socket is a superuser of the database.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise StackError(f"{directory} is no directory that only this user can enter. Next: remove it")
        return directory

    def secrets(self) -> Secrets:
        """Return the kept secrets; generate them on first use."""
        path = self.path / "secrets.json"
        if not path.exists():
            write_private(path, _generate().model_dump_json(indent=2))
        written = path.read_text()
        kept = Secrets.model_validate_json(written)
        if written != (whole := kept.model_dump_json(indent=2)):
            write_private(path, whole)
        write_private(self.metrics_token, kept.metrics_token)
        write_private(self.passwords, json.dumps({"admin": kept.admin_password}))
        return kept


def write_private(path: Path, text: str) -> None:
    """Write a file whole that only its owner may read."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)


def last_lines(path: Path, count: int = 15) -> str:
    """Return the end of a log for an error message; it may be missing or empty."""
    if not path.exists():
        return "(no output)"
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64 * 1024))
        lines = file.read().decode(errors="replace").rstrip().splitlines()
    return "\n".join(lines[-count:]) or "(no output)"


def _generate() -> Secrets:
    return Secrets(
        admin_password=secrets.token_urlsafe(12),
        fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        jwt_secret=secrets.token_urlsafe(64),  # HS512 wants at least 64 characters
        api_secret_key=secrets.token_urlsafe(32),
    )
