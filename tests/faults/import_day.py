"""Counters that the faults happen to while a file of them comes in, and the oracle.

A feed has written counters; `old run` has imported a file; `new run` has staged one that corrects most of
that one's samples and has more; a newer file has other values for each of those.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.clickhouse.client import ClickHouse, NativeClient
from include.clickhouse.load import StagedPart
from include.clickhouse.loads import last_publisher
from include.clickhouse.publish import check_day
from include.clickhouse.schema import migrate
from include.phrase_views.counters.staging import PHRASES_VIEWS
from include.staging.manifest import Manifest
from tests.faults.day import Reader
from tests.integration.clickhouse.days import load, publish, run, stage, staging_tables
from tests.servers.clickhouse import ClickHouseServer

ROWS_PER_PART = 8
Samples = dict[tuple[int, str, int], int]  # (campaign_id, phrase, seconds since 1970) -> views


def samples(first: int, count: int, views: int, campaign_id: int = 1) -> Samples:
    """`count` samples, a day apart: in two months."""
    start = int(datetime(2026, 7, 25, tzinfo=UTC).timestamp())
    return {(campaign_id, "платье", start + 86400 * n): views + n for n in range(first, first + count)}


FEED, OLD = samples(0, 5, 900, campaign_id=9), samples(0, 10, 100)
NEW, NEWER = samples(2, 14, 200), samples(2, 14, 300)


class ImportDay:
    """The table on one server. Attributes: server; database; directory and manifest of the new run; lease."""

    lease = "publish phrases_views"

    def __init__(self, server: ClickHouseServer, database: str, root: Path) -> None:
        self.server, self.database, self.root = server, database, root
        server.execute(f"CREATE DATABASE IF NOT EXISTS {database}")
        with self.connect() as clickhouse:
            migrate(clickhouse)
            feed = "INSERT INTO phrases_views (campaign_id, phrase, views, dt) VALUES"
            clickhouse.execute(feed, _rows(FEED))
            run(clickhouse, root, "old run", (PHRASES_VIEWS, _rows(OLD)), rows_per_part=ROWS_PER_PART)
        self.directory, self.manifest = self.stage("new run", NEW)

    def connect(self, port: int | None = None) -> NativeClient:
        """A client of the loader, straight to the server or to the port of a proxy."""
        login = {"user": self.server.user, "password": self.server.password}
        where = "connection 'clickhouse_default'"
        return NativeClient(where, "127.0.0.1", port or self.server.port, self.database, **login)

    def stage(self, run_id: str, of: Samples) -> tuple[Path, Manifest]:
        """Stage a file, in parts."""
        return stage(self.root, run_id, (PHRASES_VIEWS, _rows(of)), rows_per_part=ROWS_PER_PART)

    def load(self) -> list[StagedPart]:
        """Do what the task `load` does, of the new run."""
        with self.connect() as clickhouse:
            return load(clickhouse, self.directory, self.manifest)

    def publish(self, staged: Sequence[StagedPart], attempt: str = "2") -> None:
        """Do what `publish` and `check` do, as another try."""
        with self.connect() as clickhouse:
            publish(clickhouse, self.manifest, list(staged), attempt)
            check_day(clickhouse, self.directory, self.manifest, attempt)

    def require(self, last: Samples, *, by: str) -> None:
        """Readers see the truth, `loads` says whose, nothing is left; the same file again changes nothing."""
        truth = frozenset((FEED | OLD | last).items())
        with self.connect() as clickhouse:
            assert seen(clickhouse) == truth
            assert last_publisher(clickhouse, PHRASES_VIEWS.name) == by
            assert staging_tables(clickhouse) == []
            run(clickhouse, self.root, "same file", (PHRASES_VIEWS, _rows(last)), rows_per_part=ROWS_PER_PART)
            assert seen(clickhouse) == truth

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Have a reader look all the time: of each sample it saw an imported value, and missed none."""
        reader = CounterReader(self.connect)
        try:
            yield
        finally:
            reader.stop()
        assert reader.looks > 0
        imported = {*FEED.items(), *OLD.items(), *NEW.items(), *NEWER.items()}
        for found in reader.seen:
            assert found <= imported
            assert dict(found).keys() >= FEED.keys() | OLD.keys()


class CounterReader(Reader):
    """A thread that reads all counters on its own connection."""

    def _found(self, clickhouse: ClickHouse) -> Any:
        return seen(clickhouse)


def seen(clickhouse: ClickHouse) -> frozenset[tuple]:
    """What readers see, as items of Samples."""
    columns = "campaign_id, phrase, toUnixTimestamp(dt), views"
    found = clickhouse.execute(f"SELECT {columns} FROM phrases_views FINAL")
    return frozenset(((campaign, phrase, second), views) for campaign, phrase, second, views in found)


def _rows(of: Samples) -> list[tuple]:
    return [(c, phrase, views, datetime.fromtimestamp(s, UTC)) for (c, phrase, s), views in of.items()]
