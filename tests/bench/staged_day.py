"""A staged day of invented commits for the benchmarks of the load, and the server it goes to.

`python -m tests.bench.staged_day ROWS DIRECTORY` writes one; a process of its own, for it takes memory.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from include.clickhouse.client import NativeClient
from include.clickhouse.schema import migrate
from include.github.tables import AUTHORS_COMMITS
from include.staging.manifest import MANIFEST, Manifest, save_manifest
from include.staging.parts import write_table
from include.staging.tables import Part
from tests.bench.invented_rows import DAY, rows
from tests.servers.clickhouse import PASSWORD, ClickHouseServer, running_clickhouse

TABLE = AUTHORS_COMMITS
DATABASE = "bench"


def stage(directory: Path, count: int) -> Manifest:
    """Have a child process write `count` rows as one part; return the manifest."""
    subprocess.run([sys.executable, "-m", "tests.bench.staged_day", str(count), str(directory)], check=True)
    return staged_in(directory)


def staged_in(directory: Path) -> Manifest:
    """Return the manifest."""
    return Manifest.model_validate_json((directory / MANIFEST).read_bytes())


def only_part(manifest: Manifest) -> Part:
    """Return the one part."""
    (part,) = manifest.tables[TABLE.name].parts
    return part


@contextmanager
def migrated_server() -> Iterator[ClickHouseServer]:
    """A real clickhouse-server with the project's tables in DATABASE."""
    with running_clickhouse() as server:
        server.execute(f"CREATE DATABASE {DATABASE}")
        with connect(server.port) as clickhouse:
            migrate(clickhouse)
        yield server


def connect(port: int) -> NativeClient:
    """Return the project's client of the server."""
    return NativeClient(
        "the benchmark's server",
        ClickHouseServer.host,
        port,
        DATABASE,
        user=ClickHouseServer.user,
        password=PASSWORD,
    )


def main(count: int, directory: Path) -> None:
    """Write the staging files of a run: one part and the manifest."""
    parts = write_table(directory, TABLE, rows(count), rows_per_part=count)
    manifest = Manifest(
        dag_id="bench",
        run_id="bench",
        day=DAY,
        host="here",
        written_at=datetime.now(UTC),
        tables={TABLE.name: parts},
    )
    save_manifest(directory, manifest)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
