"""The real stack with DAGs of its own: green, red, interrupted, broken, in the background."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from include.local_stack.supervision import BACK_OFF_S
from tests.servers.prometheus import Prometheus

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 240
SOON_S = 60

DAGS = """
import logging
from airflow.sdk import dag, task

@dag(schedule="@daily", catchup=False)
def green():
    @task
    def count():
        logging.getLogger("include.demo").info("42 of 100 counted")
    count()

@dag(schedule=None)
def red():
    @task
    def fail():
        raise ValueError("no such column: stars")
    fail()

green()
red()
"""


class Checkout:
    """A state directory and a DAG folder; `make run`'s command on them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "dags").mkdir()
        (directory / "dags" / "both.py").write_text(DAGS)

    def start(self, command: str, *dag_ids: str, **given: str) -> subprocess.Popen[str]:
        """Start a command as `make` does, in an environment with nothing in it."""
        each = [word for dag_id in dag_ids for word in ("--dag", dag_id)]
        places = ["--state", str(self.directory / "state"), "--dags", str(self.directory / "dags")]
        return subprocess.Popen(
            [sys.executable, "-m", "include.local_stack", command, *places, *each],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": str(self.directory), "LANG": "C.UTF-8"} | given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, command: str, *dag_ids: str, **given: str) -> tuple[int, str]:
        """Run a command to its end; return its exit code and output."""
        process = self.start(command, *dag_ids, **given)
        output, _ = process.communicate(timeout=LIMIT_S)
        return process.returncode, output

    def alive(self) -> list[psutil.Process]:
        """All processes that work in or were started for this checkout."""
        found = []
        for process in psutil.process_iter():
            try:
                words = " ".join(process.cmdline())
                if process.cwd().startswith(str(self.directory)) or str(self.directory) in words:
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Iterator[Checkout]:
    """Share one state directory: its database is migrated once."""
    made = Checkout(tmp_path_factory.mktemp("checkout"))
    yield made
    made.finish("down")
    for process in made.alive():  # only after a test that failed
        process.kill()


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read output up to the line with this text."""
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"ended without saying {text!r}")


def test_runs_green_then_red_and_leaves_nothing(checkout):
    """The task's own progress is shown; the red run ends all with code 1, the reason and where the log is."""
    code, output = checkout.finish("run", "green", "red")
    assert code == 1, output
    assert "count: 42 of 100 counted" in output
    assert "green: success" in output
    assert "task fail: ValueError: no such column: stars" in output
    assert Path(output.rsplit("log: ", 1)[1].strip()).is_file()
    assert checkout.alive() == []


@pytest.mark.parametrize("said", ["Postgres is up", "Starting Airflow"])
def test_ctrl_c_leaves_nothing(checkout, said):
    """Interrupted on the way up it ends with code 130 and no process."""
    process = checkout.start("run", "green")
    read_until(process, said)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output.splitlines()[-1]) == (130, "Stopped: interrupted by SIGINT")
    assert checkout.alive() == []


def test_a_component_that_dies_is_named_with_its_log(checkout):
    """When the database server dies, the run ends at once with its last words, and stops the rest."""
    process = checkout.start("run", "green")
    read_until(process, "Starting Airflow")
    server = int((checkout.directory / "state" / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(server, signal.SIGQUIT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "postgres ended with exit code" in output
    assert "received immediate shutdown request" in output
    assert checkout.alive() == []


def test_up_and_down_are_safe_to_repeat(checkout):
    """A second `up` finds the first; `run` refuses and names `make down`; `down` waits and is repeatable.

    Recipes and rows for api_calls are there from the start.
    """
    code, first = checkout.finish("up", "green")
    assert code == 0, first
    delivered = [
        *(checkout.directory / "state").glob("recipes/*"),
        *(checkout.directory / "state").glob("inbox/*"),
    ]
    assert {path.name for path in delivered} == {"create_posts.toml", "user_todos.toml", "posts.csv"}
    assert "password:" in first
    assert checkout.finish("up", "green") == (0, first)
    code, refused = checkout.finish("run", "green")
    assert code == 1
    assert "make down" in refused
    assert checkout.finish("down") == (0, "Stopped\n")
    assert checkout.alive() == []
    assert checkout.finish("down") == (0, "Nothing is running\n")


def test_prometheus_beside_it_sees_what_breaks(checkout):
    """Postgres hangs, and the scheduler is killed: as metrics and on the page, by an alert; others go on."""
    code, said = checkout.finish("up", "green", MONITORING="1")
    assert code == 0, said
    prometheus = Prometheus(said.split("Prometheus: ")[1].split()[0])
    airflow, token = said.split()[1], (checkout.directory / "state" / "metrics_token").read_text()
    assert f"metrics: {airflow}/stagehouse/metrics, with the bearer token in " in said

    def metric(expression: str) -> float | None:
        found = prometheus.query(f"max(stagehouse_{expression})")
        return float(found[0]["value"][1]) if found else None

    def wait_for(expression: str, value: float) -> None:
        deadline = time.monotonic() + SOON_S
        while metric(expression) != value:
            assert time.monotonic() < deadline, (expression, metric(expression))
            time.sleep(0.5)

    def page() -> str:
        return httpx.get(f"{airflow}/stagehouse/data/", headers=of_user, timeout=20).text

    wait_for('source_up{source="airflow"}', 1)
    wait_for('local_restarts{component="scheduler"}', 0)
    secrets = json.loads((checkout.directory / "state" / "secrets.json").read_text())
    user = {"username": "admin", "password": secrets["admin_password"]}
    signed_in = httpx.post(f"{airflow}/auth/token", json=user, timeout=20).json()["access_token"]
    of_user = {"Authorization": f"Bearer {signed_in}", "accept": "text/html"}
    assert "Airflow&#39;s database well" in text_of(page())
    server = psutil.Process(
        int((checkout.directory / "state" / "postgres" / "postmaster.pid").read_text().split()[0])
    )
    frozen = [server, *server.children(recursive=True)]
    for process in frozen:
        process.suspend()
    try:
        wait_for('source_up{source="airflow"}', 0)
        assert metric('source_up{source="staging"}') == 1
        assert float(prometheus.query('up{job="stagehouse"}')[0]["value"][1]) == 1
        begun = time.monotonic()
        while "SourceDown" not in prometheus.alerts():  # it waits for its ten minutes
            assert time.monotonic() - begun < SOON_S
            time.sleep(0.5)
    finally:
        for process in frozen:
            process.resume()
    wait_for('source_up{source="airflow"}', 1)
    first = component(checkout, "scheduler")
    first.kill()
    component(checkout, "scheduler", but=first.pid)
    wait_for('local_restarts{component="scheduler"}', 1)
    shown = page()
    assert "scheduler restarts: 1" in text_of(shown)
    of_prometheus = {"Authorization": f"Bearer {token}"}
    metrics = httpx.get(f"{airflow}/stagehouse/metrics", headers=of_prometheus, timeout=20)
    assert metrics.status_code == 200
    assert [name for name, secret in secrets.items() if secret in metrics.text + shown] == []
    assert checkout.finish("down") == (0, "Stopped\n")
    assert checkout.alive() == []


def text_of(html: str) -> str:
    """Return what a page says, without its marks."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def component(checkout: Checkout, name: str, but: int = 0) -> psutil.Process:
    """Wait for the process of a component, another one than that with this pid; return it."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        for process in checkout.alive():
            with suppress(psutil.Error):
                words = process.cmdline()
                is_leader = os.getsid(process.pid) == process.pid  # the tasks' processes are forks of it
                if process.pid != but and name in words and is_leader:
                    return process
        time.sleep(0.1)
    pytest.fail(f"no {name}")


def test_what_dies_is_started_again_until_it_dies_again_and_again(checkout):
    """Behind `make up` nobody looks: its log names what died, and why the stack has stopped in the end."""
    code, said = checkout.finish("up", "green")
    assert code == 0, said
    log = checkout.directory / "state" / "logs" / "stack.log"
    assert f"log:     {log}" in said
    first = component(checkout, "dag-processor")
    first.kill()
    component(checkout, "dag-processor", but=first.pid)
    text = log.read_text()
    assert "dag-processor was ended by SIGKILL; the end of " in text
    assert "dag-processor is started again" in text
    pid = 0
    for _ in range(len(BACK_OFF_S) + 1):
        scheduler = component(checkout, "scheduler", but=pid)
        pid = scheduler.pid
        scheduler.kill()
    deadline = time.monotonic() + 60
    while checkout.alive() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert checkout.alive() == []
    assert "scheduler died 5 times within " in log.read_text()
    assert checkout.finish("down") == (0, "Nothing is running\n")


def test_a_start_after_a_kill_finds_no_rest(checkout):
    """Killed outright in the middle, everything ends all the same, and the next start is not hindered."""
    process = checkout.start("run", "green")
    read_until(process, "Starting Airflow")
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while checkout.alive() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert checkout.alive() == []
    process = checkout.start("run", "green")
    read_until(process, "Starting Airflow")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
