"""Tasks of one run on several workers: they share an object store, and neither disk nor working directory."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.clickhouse.client import NativeClient
from include.clickhouse.schema import migrate
from include.staging.errors import StagingFileMissing
from tests.clock import DAY, by_clock
from tests.dags.sample_github import SampleGitHub, sample_github
from tests.faults.proxy import INSIDE, Proxy
from tests.object_store.place import OneRun, environment, github, parsed
from tests.object_store.worker import DAG_ID
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.object_store import ObjectStore
from tests.servers.postgres import PostgresServer

TOP = 10
PARAMS = {"top": TOP, "query": "stars:>1", "day": DAY.isoformat()}


@pytest.fixture
def sample(
    object_store: ObjectStore,
    bucket: str,
    postgres_server: PostgresServer,
    clickhouse_server: ClickHouseServer,
    clickhouse_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SampleGitHub]:
    """A GitHub, with the environment of all workers around it."""
    with sample_github() as served:
        connections = {
            "postgres": postgres_server.airflow_connection(),
            "clickhouse": clickhouse_server.airflow_connection(schema=clickhouse_database),
            "github": github(served.url),
        }
        for name, value in environment(object_store, bucket, **connections).items():
            monkeypatch.setenv(name, value)
        clickhouse_server.execute(f"CREATE DATABASE {clickhouse_database}")
        with connected(clickhouse_server, clickhouse_database) as clickhouse:
            migrate(clickhouse)
        yield served


def connected(server: ClickHouseServer, database: str) -> NativeClient:
    """A client."""
    login = {"user": server.user, "password": server.password}
    return NativeClient("test", server.host, server.port, database, **login)


def call(root: Path, run: OneRun, task_id: str, *args: object, **kwargs: object):
    """Run a task of the main job in this process."""
    dag = parsed(root, DAG_ID)
    with by_clock(), run.try_of_a_task(DAG_ID):
        done = dag.task_dict[task_id].python_callable(*args, **kwargs)
        return asyncio.run(done) if asyncio.iscoroutine(done) else done


def worker(directory: Path, run: OneRun, parts: list[dict], **changes: str) -> subprocess.Popen[str]:
    """Load on another worker: another process, in a directory of its own."""
    directory.mkdir()
    work = {"params": run.params, "pushed": run.pushed, "parts": parts}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.object_store.worker", json.dumps(work)],
        env=os.environ | changes,
        cwd=directory,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_day_that_two_workers_share(
    root: Path,
    sample: SampleGitHub,
    clickhouse_server: ClickHouseServer,
    clickhouse_database: str,
    tmp_path: Path,
):
    """One fetches; another loads and is killed among the rows; a third loads, and the day is exact."""
    run = OneRun(PARAMS)
    parts = call(root, run, "fetch")
    assert {part["table"] for part in parts} >= {"repositories_positions", "repositories_authors_commits"}
    with Proxy(clickhouse_server.port) as proxy:
        stop = proxy.stop_at(sample.top(TOP)[-1].full_name.encode(), INSIDE)
        through = clickhouse_server.airflow_connection(schema=clickhouse_database, port=proxy.port)
        second = worker(tmp_path / "second", run, parts, AIRFLOW_CONN_CLICKHOUSE_DEFAULT=through)
        with second:
            stop.wait()
            second.kill()
        assert second.returncode == -signal.SIGKILL
        stop.reset()
    with worker(tmp_path / "third", run, parts) as third:
        staged = json.loads(third.communicate(timeout=60)[0].splitlines()[-1])
    call(root, run, "publish", staged=staged)
    with connected(clickhouse_server, clickhouse_database) as clickhouse:
        found = clickhouse.execute("SELECT position, repo FROM repositories_positions ORDER BY position")
        commits = clickhouse.execute("SELECT repo, author, commits_num FROM repositories_authors_commits")
    ranked = sample.top(TOP)
    assert found == [(position, r.full_name) for position, r in enumerate(ranked, start=1)]
    counted = [(r.full_name, *each) for r in ranked for each in sample.authors(r, DAY).items()]
    assert sorted(commits) == sorted(counted)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_directory_that_another_worker_cannot_see(
    root: Path, sample: SampleGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The error names both hosts, and what to set."""
    run = OneRun(PARAMS)
    monkeypatch.setenv("AIRFLOW_VAR_STAGING_ROOT", str(tmp_path / "disk of worker 1"))
    with monkeypatch.context() as first_host:
        first_host.setattr(socket, "gethostname", lambda: "worker-1")
        parts = call(root, run, "fetch")
    monkeypatch.setenv("AIRFLOW_VAR_STAGING_ROOT", str(tmp_path / "disk of worker 2"))
    for task_id, given in {"load": {"part": parts[0]}, "publish": {"staged": []}}.items():
        with pytest.raises(StagingFileMissing) as caught:
            call(root, run, task_id, **given)
        assert f"written on host worker-1, this is {socket.gethostname()}" in str(caught.value)
        assert "set variable staging_root to storage that all workers share" in str(caught.value)
