"""The service `prometheus` of docker-compose.yaml as a native process: command, files, health check."""

import http.server
import subprocess
import threading
import time
from pathlib import Path

import httpx

from tests.compose.compose_file import read_services
from tests.servers.free_port import free_ports
from tests.servers.prometheus import Prometheus, prometheus_program

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "a token of the file .env, of some length"


class Scraped(http.server.BaseHTTPRequestHandler):
    """Gives one metric to who has the token, at the address of ours."""

    def do_GET(self) -> None:
        """Answer."""
        right = self.path == "/stagehouse/metrics" and self.headers["Authorization"] == f"Bearer {TOKEN}"
        self.send_response(200 if right else 401)
        self.end_headers()
        self.wfile.write(b"stagehouse_airflow_import_errors 0\n" if right else b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_service_reads_its_files_and_scrapes(tmp_path: Path):
    """What the container mounts is put where this test may write; the rest is the file's own."""
    secrets = "POSTGRES_PASSWORD CLICKHOUSE_PASSWORD REDIS_PASSWORD ADMIN_PASSWORD FERNET_KEY API_SECRET_KEY"
    variables = dict.fromkeys([*secrets.split(), "JWT_SECRET"], "x")
    variables |= {"COMPOSE_PROFILES": "small,monitoring", "METRICS_TOKEN": TOKEN}
    service = read_services(ROOT / "docker-compose.yaml", variables)["prometheus"]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scraped)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (port,) = free_ports(1)
    source, mounted, _ = service["volumes"][0].split(":")
    config, token = tmp_path / "config", tmp_path / "metrics_token"
    config.mkdir()
    token.write_text(TOKEN)
    replaced = {
        mounted: str(config),
        "=/prometheus": f"={tmp_path}/data",
        "0.0.0.0:9090": f"127.0.0.1:{port}",
        "127.0.0.1:9090": f"127.0.0.1:{port}",
        "/run/secrets/metrics_token": str(token),
        "api-server:8080": f"127.0.0.1:{server.server_port}",
        "scrape_interval: 30s": "scrape_interval: 1s",
        "scrape_timeout: 10s": "scrape_timeout: 1s",
    }

    def local(text: str) -> str:
        for there, here in replaced.items():
            text = text.replace(there, here)
        return text

    for file in (ROOT / source).iterdir():
        (config / file.name).write_text(local(file.read_text()))
    program, *arguments = service["entrypoint"]
    process = subprocess.Popen(
        [prometheus_program(program), *map(local, arguments)], stderr=subprocess.DEVNULL
    )
    try:
        prometheus = Prometheus(f"http://127.0.0.1:{port}")
        health = local(service["healthcheck"]["test"][-1])
        deadline = time.monotonic() + 30
        ready = f"{prometheus.url}/-/ready"  # it is healthy before it can be asked
        asked = "stagehouse_airflow_import_errors == 0"
        while not (is_healthy(health) and is_healthy(ready) and prometheus.query(asked)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        rules = httpx.get(f"{prometheus.url}/api/v1/rules", timeout=10).json()["data"]["groups"]
        assert next(rule["name"] for group in rules for rule in group["rules"]) == "MetricsDown"
    finally:
        process.terminate()
        process.wait(20)
        server.shutdown()
        server.server_close()


def is_healthy(url: str) -> bool:
    """Ask as the health check of the service does."""
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False
