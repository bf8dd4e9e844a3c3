"""Parts of text on an object store: written there in parts, loaded from there, refused where they changed."""

from collections.abc import Callable

import pytest

from include.clickhouse.client import NativeClient
from include.clickhouse.publish import check_day
from include.clickhouse.schema import migrate
from include.phrase_views.counters.staging import PHRASES_VIEWS
from include.staging.errors import BadRow, StagingFileDamaged, StagingFileMissing
from include.staging.manifest import Manifest, save_manifest
from include.staging.text_parts import TextWriter
from stagehouse.hooks.storage_roots import staging_root
from tests.clock import DAY, now
from tests.integration.clickhouse.days import load, publish
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.object_store import ObjectStore

BLOCKS, ROWS_OF_BLOCK = 5, 50_000
PHRASE = "платье"


def block(number: int) -> bytes:
    """Lines of counters, 2 MiB of them, as COPY writes them."""
    first = number * ROWS_OF_BLOCK
    rows = range(first, first + ROWS_OF_BLOCK)
    lines = (f"7\t{PHRASE} \\\\ {row}\t{row}\t{1787220000 + row}\n" for row in rows)
    return "".join(lines).encode()


@pytest.fixture
def directory(connect: Callable[..., None], set_variable: Callable[[str, str], None], bucket: str):
    """A directory of a run below staging_root."""
    connect()
    set_variable("staging_root", f"s3://{bucket}/staging")
    return staging_root() / "run"


def staged(directory) -> Manifest:
    """Write the blocks as two parts, and the manifest."""
    with TextWriter(directory, PHRASES_VIEWS, part_bytes=3 * 2 * 2**20) as writer:
        for number in range(BLOCKS):
            writer.write(block(number))
    manifest = Manifest(
        dag_id="some_dag",
        run_id="run 1",
        day=DAY,
        task="some_task",
        host="here",
        written_at=now(),
        tables={PHRASES_VIEWS.name: writer.parts},
    )
    save_manifest(directory, manifest)
    return manifest


@pytest.fixture
def clickhouse(clickhouse_server: ClickHouseServer, clickhouse_database: str):
    """A client of a server with the project's tables."""
    clickhouse_server.execute(f"CREATE DATABASE {clickhouse_database}")
    login = {"user": clickhouse_server.user, "password": clickhouse_server.password}
    place = clickhouse_server.host, clickhouse_server.port, clickhouse_database
    with NativeClient("test", *place, **login) as client:
        migrate(client)
        yield client


def test_text_is_staged_on_the_store_and_loaded_from_it(
    directory, clickhouse: NativeClient, object_store: ObjectStore, bucket: str
):
    """Objects are what the parts say, byte for byte; each line is in ClickHouse, and proved there."""
    manifest = staged(directory)
    first, second = manifest.tables[PHRASES_VIEWS.name].parts
    objects = object_store.files(bucket, "staging/run/")
    assert set(objects) == {"manifest.json", first.file, second.file}
    assert objects[first.file] + objects[second.file] == b"".join(map(block, range(BLOCKS)))
    publish(clickhouse, manifest, load(clickhouse, directory, manifest))
    check_day(clickhouse, directory, manifest, "2")
    count = BLOCKS * ROWS_OF_BLOCK
    found = clickhouse.execute("SELECT count(), sum(views), max(phrase) FROM phrases_views FINAL")
    assert found == [(count, sum(range(count)), f"{PHRASE} \\ 99999")]


def test_a_writer_that_fails_leaves_no_part_on_the_store(directory, object_store: ObjectStore, bucket: str):
    """Its last line is cut, after blocks that were taken."""
    with pytest.raises(BadRow), TextWriter(directory, PHRASES_VIEWS) as writer:
        writer.write(block(0) + b"7\tno end")
    assert object_store.files(bucket) == {}


def test_an_object_that_was_changed_or_lost_is_refused(
    directory, clickhouse: NativeClient, object_store: ObjectStore, bucket: str
):
    """By its URL, with the task to clear."""
    manifest = staged(directory)
    part = manifest.tables[PHRASES_VIEWS.name].parts[0]
    key = f"staging/run/{part.file}"
    whole = object_store.files(bucket)[key]
    for data in (whole[: len(whole) // 2], whole.replace(b"7\t", b"8\t", 1)):
        object_store.put(bucket, key, data)
        with pytest.raises(StagingFileDamaged, match=f"{part.file}.*clear task some_task"):
            load(clickhouse, directory, manifest)
    object_store.s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(StagingFileMissing, match=f"{part.file}.*clear task some_task"):
        load(clickhouse, directory, manifest)
