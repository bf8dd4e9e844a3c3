"""A store other than Amazon's, which takes no checksums in headers and no lists of what to delete."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from include.staging.cleaning import KEPT_AFTER_LAST_WRITE, drop_old_runs
from include.staging.files import open_buffered, run_directory, write_atomically, written_atomically
from stagehouse.hooks.storage_roots import require_storage, staging_root
from tests.servers.object_store import ObjectStore

LATE = timedelta(minutes=1) + KEPT_AFTER_LAST_WRITE


@pytest.fixture(scope="module")
def strict_store() -> Iterator[ObjectStore]:
    """The server, with a bucket."""
    server = ObjectStore("tests.servers.strict_store")
    server.s3.create_bucket(Bucket="bucket")
    yield server
    server.stop()


@pytest.fixture
def root(strict_store: ObjectStore, set_variable: Callable, monkeypatch: pytest.MonkeyPatch) -> str:
    """`staging_root` on that store."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", strict_store.airflow_connection())
    set_variable("staging_root", url := "s3://bucket/prefix")
    return url


def test_files_are_written_and_read(root: str):
    """Small ones and those in pieces."""
    require_storage("staging_root")
    write_atomically(staging_root() / "day" / "small", b"data")
    with written_atomically(staging_root() / "day" / "large") as write:
        for _ in range(60):
            write(b"x" * 2**20)
    assert (staging_root() / "day" / "small").read_bytes() == b"data"
    with open_buffered(staging_root() / "day" / "large") as file:
        assert len(file.read()) == 60 * 2**20


def test_old_runs_go(root: str, strict_store: ObjectStore):
    """Each of their files by a request of its own."""
    run = run_directory(staging_root(), "dag", date(2026, 8, 20), "old")
    for name in ("manifest.json", "part-0001", "part-0002"):
        write_atomically(run / name, b"{}")
    assert len(drop_old_runs(staging_root(), "dag", datetime.now(UTC) + LATE)) == 1
    left = strict_store.s3.list_objects_v2(Bucket="bucket", Prefix="prefix/dag/")
    assert left["KeyCount"] == 0


def test_the_connection_has_the_last_word(
    strict_store: ObjectStore, set_variable: Callable, monkeypatch: pytest.MonkeyPatch
):
    """A store that wants checksums, such as one that locks its objects, gets them."""
    wanted = {"retries": {"total_max_attempts": 1}, "request_checksum_calculation": "when_supported"}
    connection = strict_store.airflow_connection(config_kwargs=wanted)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection)
    set_variable("staging_root", "s3://bucket/prefix")
    with pytest.raises(OSError, match="Unsupported header"):
        write_atomically(staging_root() / "file", b"data")
