"""The audit of pinned packages: the real pip-audit, against a service of advisories of the test's own."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.servers.free_port import free_ports

ROOT = Path(__file__).resolve().parents[3]
AUDIT = ROOT / ".ci" / "audit"
CANARY = ("jinja2", "2.4.1")
PINS = "sound==1.0\nweak==2.0\n"


class Advisories:
    """Speaks as osv.dev does. Attributes: url; known, by (name, version); broken, one; asked."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], str] = {CANARY: "GHSA-old"}
        self.broken: tuple[str, str] | None = None
        self.asked: list[tuple[str, str]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                package = (asked["package"]["name"], asked["version"])
                service.asked.append(package)
                body = json.dumps({"vulns": service.about(package)}).encode()
                self.send_response(500 if package == service.broken else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/query"

    def about(self, package: tuple[str, str]) -> list[dict]:
        """What is known of a package."""
        if package not in self.known:
            return []
        events = [{"introduced": "0"}, {"fixed": "9.9"}]
        affected = {
            "package": {"name": package[0], "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": events}],
        }
        advisory = {"id": self.known[package], "aliases": ["CVE-2026-1"], "summary": "lets everybody in"}
        return [advisory | {"affected": [affected], "modified": "2026-01-01T00:00:00Z"}]


@pytest.fixture
def advisories() -> Iterator[Advisories]:
    """The service, in a thread."""
    service = Advisories()
    thread = threading.Thread(target=service.server.serve_forever)
    thread.start()
    yield service
    service.server.shutdown()
    thread.join()
    service.server.server_close()


def audit(at: Path, url: str, lock: str = PINS, script: Path = AUDIT) -> subprocess.CompletedProcess[str]:
    """Audit two pins, or a lock, as `make lint` does."""
    (at / "some.lock").write_text(lock)
    service = ["--vulnerability-service", "osv", "--osv-url", url, "--cache-dir", at / "cache"]
    command = [script, "some.lock", "done", *service]
    return subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)


def test_every_package_of_the_lock_is_asked_for(tmp_path: Path, advisories: Advisories):
    """All are sound: nothing is said, and kept in mind. What only other platforms install is left out."""
    lock = (ROOT / "requirements-dev.lock").read_text()
    done = audit(tmp_path, advisories.url, lock)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (tmp_path / "done").exists()
    pins = set(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z0-9,-]+\])?==([^\s;\\]++)(?! ;)", lock, re.MULTILINE))
    assert len(pins) > 100
    assert {(name.replace(".", "-"), version) for name, version in pins} <= set(advisories.asked)


def test_a_vulnerable_package_fails_unless_it_is_ignored(tmp_path: Path, advisories: Advisories):
    """Names the package, the advisory and where it is fixed."""
    advisories.known["weak", "2.0"] = "GHSA-new"
    done = audit(tmp_path, advisories.url)
    assert done.returncode == 1
    (row,) = (line.split() for line in done.stdout.splitlines() if line.startswith("weak"))
    assert {"2.0", "CVE-2026-1", "9.9"} <= set(row)
    assert not (tmp_path / "done").exists()
    script = tmp_path / ".ci" / "audit"
    script.parent.mkdir()
    script.write_text(AUDIT.read_text().replace("IGNORED=()", "IGNORED=(--ignore-vuln CVE-2026-1)"))
    script.chmod(0o700)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    assert audit(tmp_path, advisories.url, script=script).returncode == 0
    assert (tmp_path / "done").exists()


def test_a_service_that_knows_nothing_is_not_believed(tmp_path: Path, advisories: Advisories):
    """A mirror without advisories would call everything sound."""
    del advisories.known[CANARY]
    done = audit(tmp_path, advisories.url)
    assert (done.returncode, done.stdout) == (
        0,
        "Known vulnerabilities were not looked for: no advisory is known there of jinja2==2.4.1\n",
    )
    assert not (tmp_path / "done").exists()


def test_a_service_that_breaks_off_or_is_not_there_is_no_failure(tmp_path: Path, advisories: Advisories):
    """One plain line says that nothing was looked for, and why."""
    advisories.broken = ("weak", "2.0")
    absent = f"http://127.0.0.1:{free_ports(1)[0]}/"
    for url, reason in {advisories.url: "ServiceError", absent: "refused"}.items():
        done = audit(tmp_path, url)
        assert done.returncode == 0
        (line,) = done.stdout.splitlines()
        assert line.startswith("Known vulnerabilities were not looked for: ")
        assert reason in line
        assert not (tmp_path / "done").exists()
