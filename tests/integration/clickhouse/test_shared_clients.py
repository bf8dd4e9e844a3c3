"""What must not be shared: a client between threads or over a fork, the embedded engine between paths."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from include.clickhouse.client import NativeClient
from include.clickhouse.dbapi import ClickHouseConnection
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.errors import ClientShared, UnusableConnection
from tests.servers.clickhouse import ClickHouseServer

OVER_A_FORK = """
import json, os, sys
from include.clickhouse.client import NativeClient
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.errors import ClientShared
kind, where = json.load(sys.stdin)
try:
    with {"native": NativeClient, "embedded": EmbeddedClient}[kind](**where) as client:
        client.execute("CREATE TEMPORARY TABLE of_this_connection (n Int32)")
        if os.fork() == 0:
            client.execute("SELECT 2")
        os.wait()
        print(client.execute("SELECT count() FROM of_this_connection"))
except ClientShared as error:
    print(error, flush=True)
    os._exit(0)
"""


@pytest.fixture
def native(clickhouse_server: ClickHouseServer) -> dict[str, object]:
    """What a NativeClient is made of."""
    server = clickhouse_server
    login = {"user": server.user, "password": server.password}
    return {
        "where": "connection 'c'",
        "host": server.host,
        "port": server.port,
        "database": "default",
    } | login


def test_a_client_serves_one_thread_at_a_time(native: dict):
    """The second thread is told, and closes nothing; the first gets its answer, and the client serves on."""
    with NativeClient(**native) as shared, NativeClient(**native) as other, ThreadPoolExecutor(1) as thread:
        first = thread.submit(shared.execute, "SELECT 1, sleep(1)")
        until = time.monotonic() + 30
        while other.execute("SELECT count() FROM system.processes WHERE query LIKE '%%sleep(1)'") == [(0,)]:
            assert time.monotonic() < until
        told = r"connection 'c': another thread .*\. Next: make a client for each"
        with pytest.raises(ClientShared, match=told), shared:
            shared.execute("SELECT 2")
        assert first.result() == [(1, 0)]
        assert shared.execute("SELECT 2") == [(2,)]


def test_the_embedded_engine_serves_threads_one_after_the_other(chdb_path: Path):
    """Each gets its own answers."""
    count = "SELECT count() FROM numbers(10000000) WHERE number %% %(n)s = 0"
    with (
        EmbeddedClient("connection 'c'", chdb_path, "stagehouse") as shared,
        ThreadPoolExecutor(4) as threads,
    ):
        counts = list(threads.map(lambda n: shared.execute(count, {"n": n}), [1, 10, 100, 1000] * 5))
    assert counts == [[(10_000_000 // n,)] for n in [1, 10, 100, 1000] * 5]


def test_a_client_that_streamed_rows_serves_on(native: dict):
    """However its connection was made."""
    with NativeClient(**native) as client:
        assert list(client.execute_iter("SELECT number FROM numbers(3)")) == [(0,), (1,), (2,)]
        assert client.execute("SELECT 3") == [(3,)]
    with closing(ClickHouseConnection(lambda: NativeClient(**native))) as connection:
        cursor = connection.cursor()
        cursor.set_stream_results(stream_results=True, max_row_buffer=1)
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == [(1,)]
        other = connection.cursor()
        other.execute("SELECT 2")
        assert other.fetchall() == [(2,)]


@pytest.mark.parametrize("kind", ["native", "embedded"])
def test_a_client_does_not_go_over_a_fork(native: dict, chdb_path: Path, root: Path, kind: str):
    """The child is told at once instead of hanging, and closes nothing of the parent's."""
    embedded = {"where": "connection 'c'", "path": str(chdb_path), "database": "stagehouse"}
    run = partial(subprocess.run, cwd=root, capture_output=True, text=True, timeout=60, check=True)
    told = json.dumps([kind, {"native": native, "embedded": embedded}[kind]])
    child, parent = run([sys.executable, "-c", OVER_A_FORK], input=told).stdout.splitlines()
    assert child.startswith("connection 'c': ")
    assert child.endswith(
        "was forked. Next: make a client for each thread, and in each process after its fork"
    )
    assert parent == "[(0,)]"


def test_one_process_opens_one_path_of_the_engine(chdb_path: Path):
    """The second path is refused by its field; it can be opened when the first is closed."""
    other = EmbeddedClient("connection 'c'", chdb_path.with_name("other"), "stagehouse")
    with EmbeddedClient("connection 'd'", chdb_path, "stagehouse") as first:
        first.execute("SELECT 1")
        with other, pytest.raises(UnusableConnection, match=f"'c', field extra.path: .*'{chdb_path}'"):
            other.execute("SELECT 1")
        assert first.execute("SELECT 2") == [(2,)]
    with other:
        assert other.execute("SELECT 3") == [(3,)]
