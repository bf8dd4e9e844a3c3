"""The report and the import of counters on a cluster."""

from collections.abc import Iterable, Iterator

import pytest

from include.clickhouse.client import NativeClient
from include.clickhouse.cluster import ClusterClient, await_replicas
from include.clickhouse.schema import migrate
from include.phrase_views.report_row import ReportRow
from tests.integration.phrase_views.days import Counter, ask, counters, insert, run, staging_tables
from tests.integration.phrase_views.test_import_load import import_file
from tests.servers.clickhouse import ClickHouseServer

TIMES = "-1/23:50=1 00:10=4 00:50=4 01:10=9 03:20=7 23:59=20"
LATER = "23:59=30"


@pytest.fixture
def clickhouse(database) -> Iterator[ClusterClient]:
    """An open connection to migrated tables."""
    with database.connect() as connection:
        migrate(connection)
        yield connection


@pytest.fixture
def one_server(clickhouse_server: ClickHouseServer, clickhouse_database: str) -> Iterator[NativeClient]:
    """The same without a cluster: the oracle."""
    server, database = clickhouse_server, clickhouse_database
    server.execute(f"CREATE DATABASE {database}")
    login = {"user": server.user, "password": server.password}
    with NativeClient("n", server.host, server.port, database, **login) as connection:
        migrate(connection)
        yield connection


def of_campaigns(text: str, campaigns: Iterable[int]) -> list[Counter]:
    """Counters of two phrases of each campaign."""
    phrases = ("платье", "a phrase")
    return [row for c in campaigns for phrase in phrases for row in counters(text, phrase, campaign_id=c)]


def reported(rows: Iterable[ReportRow]) -> list[ReportRow]:
    """The rows in an order that both have."""
    return sorted(rows, key=lambda row: (row.campaign_id, row.phrase, row.hour_start))


def test_a_report_equals_that_of_one_server(clickhouse, one_server, database):
    """Of all campaigns, and then of some, which keeps the others' rows; counters lie on both shards."""
    insert(clickhouse, of_campaigns(TIMES, range(1, 10)))
    insert(one_server, of_campaigns(TIMES, range(1, 10)))
    await_replicas(clickhouse, "phrases_views")
    assert min(database.counts("phrases_views").values()) > 0
    assert reported(run(clickhouse, ask(), "run 1")) == reported(run(one_server, ask(), "run 1"))
    for client in (clickhouse, one_server):
        insert(client, of_campaigns(LATER, range(1, 10)))  # newer values of the same samples
    assert reported(run(clickhouse, ask(2, 5), "run 2")) == reported(run(one_server, ask(2, 5), "run 2"))
    assert staging_tables(clickhouse) == []


def test_of_two_imports_the_last_counts(clickhouse, tmp_path, database):
    """Also where it brings the values back that were there before: equal blocks are no repetition."""
    file = "campaign_id,phrase,views,dt\n" + "".join(
        f"{campaign},a,{{}},2026-08-20 00:{campaign:02}:00\n" for campaign in range(1, 60)
    )
    for number, views in enumerate((1, 2, 1)):
        import_file(clickhouse, tmp_path, f"run {number}", file.replace("{}", str(views)))
        for shard, replica in database.cluster.nodes:
            with database.connect(shard=shard, replica=replica) as reader:
                assert reader.execute("SELECT count(), sum(views) FROM phrases_views FINAL") == [
                    (59, 59 * views)
                ]
