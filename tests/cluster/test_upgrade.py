"""From one schema version to the next on a cluster while a run is in progress, and back."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from include.clickhouse.errors import UnusableConnection
from include.clickhouse.fingerprint import fingerprint
from include.clickhouse.publish import check_day
from include.clickhouse.schema import MIGRATIONS, migrate
from tests.cluster.conftest import HOME, ClusterDay
from tests.faults.day import Reader
from tests.integration.clickhouse.days import COMMITS, DAY, load, publish, stored
from tests.servers.clickhouse_cluster import REPLICAS

NEXT = """-- The next version of the project.
ALTER TABLE repositories_authors_commits ADD COLUMN signed UInt32 DEFAULT 7;
ALTER TABLE repositories ADD COLUMN license String DEFAULT 'unknown';
CREATE TABLE IF NOT EXISTS licenses (date Date, license String)
    ENGINE = MergeTree PARTITION BY date ORDER BY (license);
"""
OTHER = 3 - HOME
NEXT_VERSION = len(list(MIGRATIONS.glob("*.sql"))) + 1
NEXT_COMMITS = COMMITS.model_copy(update={"columns": COMMITS.columns | {"signed": "UInt32"}})


@pytest.fixture
def following(tmp_path: Path) -> Path:
    """The migrations of the next version: columns, and a table."""
    files = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    (files / f"{NEXT_VERSION:03}_next.sql").write_text(NEXT)
    return files


def require_next_version(day: ClusterDay) -> None:
    """Each server has the table, and shows the day's rows with what the new column says by default."""
    signed = f"SELECT DISTINCT signed FROM {COMMITS.name} WHERE date = '{DAY}'"
    for shard, replica in day.place.cluster.nodes:
        with day.connect(shard=shard, replica=replica) as clickhouse:
            assert clickhouse.execute(signed) == [(7,)]
            assert clickhouse.execute("SELECT count() FROM licenses") == [(0,)]


def test_a_run_goes_on_over_an_upgrade(day, following, caplog):
    """Two workers migrate between its loads, a reader on the other shard sees no gap; back works likewise."""
    reader = Reader(lambda: day.connect(shard=OTHER))

    def migrate_here(replica: int) -> list[int]:
        with day.connect(shard=HOME, replica=replica) as clickhouse:
            return migrate(clickhouse, following)

    with day.connect() as clickhouse:
        old = fingerprint(clickhouse, COMMITS, DAY.isoformat())
        before = load(clickhouse, day.directory, day.manifest)
        with ThreadPoolExecutor(2) as pool:
            assert [NEXT_VERSION] in list(pool.map(migrate_here, (1, 2)))
        after = day.load_last_part(clickhouse, "after the upgrade")
        publish(clickhouse, day.manifest, [*before[:-1], after])
        check_day(clickhouse, day.directory, day.manifest, "1")
        new = fingerprint(clickhouse, COMMITS, DAY.isoformat())
    reader.stop()
    assert reader.seen == {old, new}
    day.require_published(day.manifest, day.rows)
    require_next_version(day)

    with day.connect() as clickhouse:
        assert migrate(clickhouse) == []
    assert f"migrations of a newer version of the project stay: {NEXT_VERSION}" in caplog.text
    day.next_run()
    require_next_version(day)
    with day.connect(shard=OTHER) as clickhouse:
        assert sorted(stored(clickhouse, NEXT_COMMITS)) == sorted((*row, 7) for row in day.rows)


def test_a_run_goes_on_while_an_upgrade_waits_for_a_replica(day, following):
    """The migration is red and names it; the run publishes without it, and the migration is done later."""
    with day.connect() as clickhouse:
        staged = load(clickhouse, day.directory, day.manifest)
    day.place.cluster.nodes[HOME, 2].kill()
    with day.connect() as clickhouse:
        with pytest.raises(UnusableConnection, match=f"replica 2 of shard {HOME}"):
            migrate(clickhouse, following)
        publish(clickhouse, day.manifest, staged)
    day.place.cluster.restart()
    with day.connect() as clickhouse:
        assert migrate(clickhouse, following) == [NEXT_VERSION]
        check_day(clickhouse, day.directory, day.manifest, "1")
    day.require_published(day.manifest, day.rows)
    require_next_version(day)


def test_an_upgrade_waits_until_a_replica_is_active(day, following):
    """A server that was killed answers again some seconds before the others see its replicas as active."""
    node, other = (day.place.cluster.nodes[HOME, replica] for replica in (2, 1))
    node.kill()
    node.start()
    seen = f"SELECT min(active_replicas) FROM system.replicas WHERE database = '{day.place.name}_shard'"
    deadline = time.monotonic() + 5  # its last session ends after 3 s, before which it looks active
    while time.monotonic() < deadline and other.execute(seen) == str(REPLICAS):
        time.sleep(0.02)
    with day.connect() as clickhouse:
        assert migrate(clickhouse, following) == [NEXT_VERSION]
    require_next_version(day)
