"""Other projects' tools that the benchmarks measure beside ours, each in a virtual environment of its own.

They are installed below .stagehouse/peers the first time, which `make clean` removes. None is a dependency.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

PLACE = Path(__file__).resolve().parents[2] / ".stagehouse" / "peers"
INSTALLED_WITHIN_S = 600


@dataclass(frozen=True)
class Peer:
    """A package at one version. Attributes: package; version; extra; title, in the table."""

    package: str
    version: str
    title: str
    extra: str = ""

    @property
    def directory(self) -> Path:
        """Its virtual environment."""
        return PLACE / f"{self.package}-{self.version}"

    def program(self, name: str = "python") -> str:
        """Return the path of a program of it, after installing it where that has not been done.

        Raises: NotInstalled.
        """
        done = self.directory / "installed"
        if not done.exists():
            sys.stderr.write(f"installing {self.package} {self.version}, once\n")
            shutil.rmtree(self.directory, ignore_errors=True)
            python = str(self.directory / "bin" / "python")
            self._run(sys.executable, "-m", "venv", str(self.directory))
            wanted = f"{self.package}{self.extra}=={self.version}"
            self._run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted)
            done.touch()
        return str(self.directory / "bin" / name)

    def _run(self, *command: str) -> None:
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALLED_WITHIN_S)
        except (OSError, subprocess.SubprocessError) as failed:
            said = (getattr(failed, "stderr", None) or str(failed)).strip().splitlines()
            raise NotInstalled(self, said[-1] if said else "") from failed


class NotInstalled(Exception):
    """A peer could not be installed here. Attributes: peer."""

    def __init__(self, peer: Peer, reason: str) -> None:
        super().__init__(f"not measured: {peer.package} {peer.version} could not be installed ({reason})")
        self.peer = peer


AIOCHCLIENT = Peer("aiochclient", "2.7.0", "aiochclient", "[aiohttp-speedups]")
TAP_GITHUB = Peer("meltanolabs-tap-github", "1.30.1", "tap-github")
DLT = Peer("dlt", "1.31.0", "dlt's rest_api source", "[duckdb,postgres,sql-database]")
DLT_SQL = replace(DLT, title="dlt's sql_database source")
AIRBYTE = Peer("airbyte-source-github", "2.7.1", "Airbyte's source-github")
