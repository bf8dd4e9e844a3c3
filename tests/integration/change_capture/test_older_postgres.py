"""PostgreSQL 15 as the source, as Debian packages it, where it is installed."""

import os
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import psycopg2
import pytest

from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.schema import migrate
from tests.integration.change_capture.place import TABLES, Place
from tests.servers.postgres import SYSTEM_USER, PostgresServer

PROGRAMS = Path("/usr/lib/postgresql/15/bin")


class DebianPostgres(PostgresServer):
    """A server by Debian's programs."""

    def _run(self, program: str, *arguments: str) -> None:
        user = SYSTEM_USER if os.geteuid() == 0 else None
        command = [PROGRAMS / program, "-D", self.data, *arguments]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, check=True, user=user, cwd=self.directory, timeout=60, **quiet)


@pytest.fixture
def server():
    """A server of the test's own."""
    if not PROGRAMS.is_dir():
        pytest.skip("no PostgreSQL 15 of Debian on this machine")
    directory = Path(tempfile.mkdtemp(prefix="stagehouse-postgres-", dir="/tmp"))
    made = DebianPostgres(directory)
    try:
        made.create()
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(directory)


def test_runs_of_each_kind(server, chdb_path, tmp_path):
    """Everything, nothing, changes, a crash, a value that has no place: as on the newest."""
    with EmbeddedClient("connection 'embedded'", chdb_path, "stagehouse", wait_s=20) as clickhouse:
        migrate(clickhouse)
        place = Place(partial(psycopg2.connect, **server.parameters), clickhouse, tmp_path)
        assert place.connection.server_version // 10000 == 15
        place.sql(TABLES)
        place.run(full_check=True)
        assert place.run() == {"parents": 0, "pairs": 0, "words": 0}
        place.sql("UPDATE parents SET id = id + 1000 WHERE id < 9; DELETE FROM words WHERE word < 'word2'")
        place.run(full_check=True)
        place.require_same()
        server.stop()
        server.start()
        place.connection = server.connect()
        assert set(place.why_whole().values()) == {"the server was started anew"}
        place.require_same()
        place.connection.close()
