"""Variables of roots on a real server of S3: whose credentials, what is seen, what a mistake is called."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from airflow.sdk.io import store

from include.github.api.page_cache import CachedPage, PageCache
from include.staging.cleaning import KEPT_AFTER_LAST_WRITE, drop_old_runs, drop_unfinished_files
from include.staging.files import open_buffered, run_directory, write_atomically, written_atomically
from stagehouse.hooks.connection_fields import BadConnection
from stagehouse.hooks.storage_roots import (
    BadVariable,
    StorageAway,
    names_below,
    reports_root,
    require_storage,
    staging_root,
)
from tests.servers.free_port import free_ports
from tests.servers.object_store import ObjectStore

MIDNIGHT = datetime(2026, 8, 20, tzinfo=UTC)


@pytest.fixture
def root(bucket: str, set_variable: Callable, connect: Callable) -> str:
    """`staging_root` on the store, through aws_default."""
    connect()
    set_variable("staging_root", url := f"s3://{bucket}/some/prefix")
    return url


def test_the_default_connection_is_used(root: str, bucket: str, object_store: ObjectStore):
    """A URL without one means aws_default; files are below the prefix, whole, also large ones in pieces."""
    require_storage("staging_root")
    write_atomically(staging_root() / "day" / "small", b"data")
    with written_atomically(staging_root() / "day" / "large") as write:
        for _ in range(3):
            write(b"x" * 1_000_000)
    assert object_store.files(bucket, "some/prefix/") == {"day/small": b"data", "day/large": b"x" * 3_000_000}
    with open_buffered(staging_root() / "day" / "small") as file:
        assert list(file) == [b"data"]


def test_nothing_is_kept_of_a_file_whose_writing_failed(root: str, bucket: str, object_store: ObjectStore):
    """The content before is still there."""
    path = staging_root() / "file"
    write_atomically(path, b"before")
    with suppress(ZeroDivisionError), written_atomically(path) as write:
        write(b"half")
        raise ZeroDivisionError
    assert object_store.files(bucket) == {"some/prefix/file": b"before"}


def test_the_connection_in_the_url_wins(
    bucket: str, set_variable: Callable, connect: Callable, object_store: ObjectStore
):
    """Here one that may only read; its refusal to write names the path, and nothing is written."""
    connect()
    connect("looking_only", object_store.reader)
    set_variable("reports_root", f"s3://looking_only@{bucket}/reports")
    object_store.put(bucket, "reports/day/file", b"data")
    require_storage("reports_root")
    assert (reports_root() / "day" / "file").read_bytes() == b"data"
    with pytest.raises(PermissionError, match=f"1 bytes not written: .*{bucket}/reports/new"):
        write_atomically(reports_root() / "new", b"x")
    assert set(object_store.files(bucket)) == {"reports/day/file"}


async def test_it_opens_inside_an_event_loop(root: str):
    """Tasks that are asynchronous ask for it too."""
    require_storage("staging_root")
    await asyncio.to_thread(write_atomically, staging_root() / "file", b"data")
    assert (staging_root() / "file").read_bytes() == b"data"


def test_what_another_process_wrote_is_seen(root: str, object_store: ObjectStore, bucket: str):
    """Also where this one has listed the place before, and through a path that it has had all the time."""
    kept = staging_root()
    write_atomically(kept / "day" / "first", b"from here")
    assert [path.name for path in (kept / "day").iterdir()] == ["first"]
    assert not (kept / "day" / "second").exists()
    object_store.put(bucket, "some/prefix/day/second", b"from there")
    assert names_below("staging_root", kept / "day") == ["first", "second"]
    assert sorted(path.name for path in (kept / "day").iterdir()) == ["first", "second"]
    assert (kept / "day" / "second").read_bytes() == b"from there"
    object_store.s3.delete_object(Bucket=bucket, Key="some/prefix/day/first")
    assert not (kept / "day" / "first").exists()


def test_old_runs_go(root: str, bucket: str, object_store: ObjectStore):
    """Those that wrote nothing for long; another DAG's stay, and nothing unfinished is ever found."""
    write_atomically(run_directory(staging_root(), "dag", date(2026, 8, 20), "old") / "manifest.json", b"{}")
    write_atomically(run_directory(staging_root(), "dag", date(2026, 8, 20), "old") / "fetched" / "1", b"{}")
    write_atomically(run_directory(staging_root(), "other", date(2026, 8, 20), "old") / "part", b"{}")
    now = datetime.now(UTC)
    assert drop_old_runs(staging_root(), "dag", now) == []
    late = now + KEPT_AFTER_LAST_WRITE + timedelta(minutes=1)
    assert drop_unfinished_files(staging_root() / "dag", late) == []
    assert len(drop_old_runs(staging_root(), "dag", late)) == 1
    assert {key.split("/")[0] for key in object_store.files(bucket, "some/prefix/")} == {"other"}


def test_runs_that_may_not_be_removed_are_told(
    root: str, bucket: str, object_store: ObjectStore, connect: Callable, caplog: pytest.LogCaptureFixture
):
    """Such as one that was killed before its manifest; S3 says so in an answer that is a 200."""
    write_atomically(run_directory(staging_root(), "dag", date(2026, 8, 20), "killed") / "part", b"{}")
    connect("aws_default", object_store.reader)
    store._STORE_CACHE.clear()  # as in another process
    late = datetime.now(UTC) + KEPT_AFTER_LAST_WRITE + timedelta(minutes=1)
    assert drop_old_runs(staging_root(), "dag", late) == []
    assert "stays for now: " in caplog.text
    assert len(object_store.files(bucket)) == 1


def test_pages_are_kept_for_two_days(root: str, bucket: str, object_store: ObjectStore):
    """Found by another process, and gone with their day."""
    for hour, found in ((0, None), (25, "e"), (49, None)):
        kept = PageCache(staging_root() / ".answers", lambda hour=hour: MIDNIGHT + timedelta(hours=hour))
        kept.open()
        known = kept.find("account", "url")
        assert (known and known.etag) == found
        if hour == 0:
            kept.keep(CachedPage(account="account", url="url", etag="e", body=b"page"))
    assert object_store.files(bucket) == {}


def test_a_bucket_that_is_not_there(set_variable: Callable, connect: Callable):
    """Is told with the variable, while a prefix that is not there yet is none."""
    connect()
    set_variable("staging_root", "s3://no-such-bucket/prefix")
    with pytest.raises(BadVariable, match=r"'staging_root': 's3://.*no-such-bucket.*create the bucket"):
        require_storage("staging_root")


@pytest.mark.parametrize("wrong", ["login", "password"])
def test_wrong_credentials(
    bucket: str, set_variable: Callable, connect: Callable, object_store: ObjectStore, wrong: str
):
    """Are told with variable and connection, and without the secret."""
    key, secret = object_store.worker
    keys = ("AKIAUNKNOWNUNKNOWN00", secret) if wrong == "login" else (key, f"{secret[:-4]}AAAA")
    connect("aws_default", keys)
    set_variable("staging_root", f"s3://{bucket}/prefix")
    with pytest.raises(
        BadVariable, match=r"refused .*check login and password of connection 'aws_default'"
    ) as told:
        require_storage("staging_root")
    assert keys[1] not in str(told.value)


def test_an_endpoint_that_is_away(root: str, connect: Callable):
    """Is told with the field to look at; it may be back at the next try."""
    connect(endpoint_url=f"http://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(
        StorageAway, match=r"'staging_root'.*endpoint_url in the extra of connection 'aws_default'"
    ):
        require_storage("staging_root")
    with pytest.raises(OSError, match=r"Could not connect.*: 4 bytes not written: .*prefix/file"):
        write_atomically(staging_root() / "file", b"data")


def test_a_connection_that_is_not_there(bucket: str, set_variable: Callable, connect: Callable, metadb: None):
    """Is named: Airflow itself would go on without credentials."""
    connect()
    set_variable("staging_root", f"s3://no_such_connection@{bucket}/prefix")
    with pytest.raises(BadConnection, match="'no_such_connection', id: not defined"):
        require_storage("staging_root")


def test_without_any_connection_the_worker_looks_for_credentials_itself(
    bucket: str,
    set_variable: Callable,
    monkeypatch: pytest.MonkeyPatch,
    object_store: ObjectStore,
    metadb: None,
):
    """As AWS's own tools do: environment, role of the machine. What others write is seen there too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_store.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", object_store.worker[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", object_store.worker[1])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    set_variable("staging_root", f"s3://{bucket}/prefix")
    require_storage("staging_root")
    write_atomically(staging_root() / "file", b"data")
    assert [path.name for path in staging_root().iterdir()] == ["file"]
    object_store.put(bucket, "prefix/other", b"data")
    assert sorted(path.name for path in staging_root().iterdir()) == ["file", "other"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://AKIA:s3cret-k3y@bucket/prefix", "credentials belong into"),
        ("s3://", "no bucket"),
        ("s3:///prefix", "no bucket"),
    ],
)
def test_a_url_that_cannot_be_meant(set_variable: Callable, connect: Callable, url: str, said: str):
    """Is told without what may be a secret."""
    connect()
    set_variable("staging_root", url)
    with pytest.raises(BadVariable, match=said) as told:
        require_storage("staging_root")
    assert "s3cret" not in str(told.value)


def test_an_extra_that_is_no_json_is_named(
    bucket: str, set_variable: Callable, monkeypatch: pytest.MonkeyPatch
):
    """Airflow would go to Amazon without it."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", "extra": "{endpoint_url"}))
    set_variable("staging_root", f"s3://{bucket}/prefix")
    with pytest.raises(BadConnection, match="'aws_default', extra: not JSON"):
        require_storage("staging_root")
