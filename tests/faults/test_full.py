"""Disks and memory that are full, tables with too many parts: said in words, and healed by the next run."""

import re
from collections.abc import Iterator
from os import urandom as random_bytes
from pathlib import Path
from uuid import uuid4

import pytest

from include.clickhouse.client import insert_rows
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.errors import ClickHouseError, Refused
from include.clickhouse.load import load_part
from include.staging.manifest import MANIFEST
from tests.faults.day import NEW, FaultyDay
from tests.faults.full_disk import SmallDisk, small_disk
from tests.integration.clickhouse.days import COMMITS, commits, load, publish
from tests.servers.clickhouse import ClickHouseServer, running_clickhouse

SERVER_MB, ENGINE_MB = 128, 24
FEW_PARTS = (
    "<parts_to_delay_insert>30</parts_to_delay_insert>"
    "<parts_to_throw_insert>30</parts_to_throw_insert>"
    "<max_bytes_to_merge_at_max_space_in_pool>1</max_bytes_to_merge_at_max_space_in_pool>"
)
MAKE_ROOM = "free space on the server's disk"


@pytest.fixture(scope="module")
def server_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    """The disk for the data of clickhouse_server; its logs and settings lie beside it."""
    with small_disk(tmp_path_factory.mktemp("server") / "data", SERVER_MB) as disk:
        yield disk


@pytest.fixture(scope="module")
def clickhouse_server(server_disk: SmallDisk) -> Iterator[ClickHouseServer]:
    """A server of these tests' own, whose data is on that disk, and which merges nothing by itself."""
    settings = server_disk.path.with_name("config.d") / "few_parts.xml"
    settings.parent.mkdir()
    settings.write_text(f"<yandex><merge_tree>{FEW_PARTS}</merge_tree></yandex>")
    with running_clickhouse(directory=server_disk.path.parent) as server:
        yield server


@pytest.fixture
def clickhouse_database() -> str:
    """A name; not dropped: of a table that it had no room to make the server keeps a directory."""
    return f"test_{uuid4().hex[:12]}"


@pytest.mark.parametrize("room", [0, 20_000])
def test_the_servers_disk_is_full_while_it_takes_rows(day: FaultyDay, server_disk: SmallDisk, room: int):
    """The error names the disk; the day in sight stays; with room again the next run is exact."""
    with day.watched() as reader:
        with server_disk.full(room), day.connect() as clickhouse, pytest.raises(ClickHouseError) as caught:
            load(clickhouse, day.directory, day.manifest)
        assert len(reader.seen) == 1
        assert re.search(f"No space left on device.* Next: {MAKE_ROOM}|memory. disk.", str(caught.value))
        day.require_old()
        day.next_run()


@pytest.mark.parametrize("room", [0, 20_000])
def test_the_servers_disk_is_full_while_rows_come_into_sight(
    day: FaultyDay, server_disk: SmallDisk, room: int
):
    """Old or new, never a part of it; with room again the next try of publish alone is exact."""
    with day.connect() as clickhouse:
        staged = load(clickhouse, day.directory, day.manifest)
    with day.watched(), server_disk.full(room), day.connect() as clickhouse:
        with pytest.raises(Refused, match=f"No space left on device.* Next: {MAKE_ROOM}") as caught:
            publish(clickhouse, day.manifest, staged)
        assert "DB::" not in str(caught.value)
    with day.watched(), day.connect() as clickhouse:
        publish(clickhouse, day.manifest, staged, "2")
    day.require_published(day.manifest, day.rows)


@pytest.fixture
def engine_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk for the embedded engine, with a table `t` of incompressible texts in it."""
    with small_disk(tmp_path / "engine", ENGINE_MB) as disk:
        with EmbeddedClient("embedded", disk.path / "chdb", "stagehouse") as clickhouse:
            clickhouse.execute("CREATE TABLE t (n Int32, s String) ENGINE = MergeTree ORDER BY n")
        yield disk


def test_the_embedded_engines_disk_is_full_while_it_takes_rows(engine_disk: SmallDisk):
    """The INSERT raises and names the disk; what was told before is there."""
    block = [(number, random_bytes(1000).hex()) for number in range(2500)]
    with EmbeddedClient("embedded", engine_disk.path / "chdb", "stagehouse") as clickhouse:
        assert insert_rows(clickhouse, "t", ("n", "s"), [block]) == len(block)
        with pytest.raises(Refused, match=f"not enough space.* Next: {MAKE_ROOM}.*extra.path"):
            insert_rows(clickhouse, "t", ("n", "s"), [block] * ENGINE_MB)
        ((rows,),) = clickhouse.execute("SELECT count() FROM t")
        assert rows % len(block) == 0
        with pytest.raises(Refused):
            insert_rows(clickhouse, "t", ("n", "s"), [block])
        assert clickhouse.execute("SELECT count() FROM t") == [(rows,)]


@pytest.mark.parametrize(
    "statement",
    [
        "-- a comment\nCREATE TABLE u (n Int32) ENGINE = MergeTree ORDER BY n",
        "ALTER TABLE t ADD COLUMN m Int32",
        "CREATE DATABASE other",
    ],
)
def test_the_embedded_engines_disk_is_full_while_a_table_is_made(engine_disk: SmallDisk, statement: str):
    """It is refused before the engine writes an empty definition, with which it could not be opened again."""
    path = engine_disk.path / "chdb"
    with engine_disk.full(), EmbeddedClient("embedded", path, "stagehouse") as clickhouse:
        with pytest.raises(Refused, match=f"disk of {path}. Next: {MAKE_ROOM}"):
            clickhouse.execute(statement)
        assert clickhouse.execute("SELECT count() FROM t") == [(0,)]
    another = EmbeddedClient("embedded", path, "another")
    with engine_disk.full(), another, pytest.raises(Refused, match=MAKE_ROOM):
        another.execute("SELECT 1")
    with EmbeddedClient("embedded", path, "stagehouse") as clickhouse:
        clickhouse.execute(statement)
    with EmbeddedClient("embedded", path, "stagehouse") as clickhouse:
        assert clickhouse.execute("SELECT count() FROM t") == [(0,)]


def test_the_disk_of_the_staging_files_is_full(day: FaultyDay, tmp_path: Path):
    """The error names the file and the bytes; nothing counts as staged; with room again all is staged."""
    with small_disk(tmp_path / "staging disk", 1) as disk:
        day.root = disk.path
        with (
            disk.full(but_for=20_000),
            pytest.raises(OSError, match=r"No space left on device: \d+ bytes not written: '.*ndjson'"),
        ):
            day.stage("next run", commits(NEW))
        assert not list(disk.path.rglob(MANIFEST))
        assert not list(disk.path.rglob(".*"))
        day.directory, day.manifest = day.stage("next run", commits(NEW))
        day.next_run()


def test_a_query_needs_more_memory_than_it_may_have(day: FaultyDay):
    """The error names the setting; the next run is exact."""
    with day.watched():
        with (
            day.connect(settings={"max_memory_usage": 300_000}) as clickhouse,
            pytest.raises(ClickHouseError, match=r"Next: raise max_memory_usage|memory\? disk"),
        ):
            load(clickhouse, day.directory, day.manifest)
        day.require_old()
        day.next_run()


def test_a_table_has_too_many_parts(day: FaultyDay):
    """The server refuses more until it has merged; nothing is in sight, and the next run is exact."""
    part = {"table": COMMITS.name, "file": day.manifest.tables[COMMITS.name].parts[0].file}
    with day.watched(), day.connect() as clickhouse:
        with pytest.raises(Refused, match=r"Too many parts.* Next: wait until the server has merged"):
            load_part(clickhouse, day.directory, day.manifest, **part, attempt="1", batch_rows=20)
        day.require_old()
        day.next_run()
