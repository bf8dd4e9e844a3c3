"""Hours and ranges of offsets on a cluster: each hour lies whole on one shard, each offset on one."""

import pytest

from include.clickhouse.cluster_ddl import cluster_forms
from include.clickhouse.schema import migrate
from tests.cluster.conftest import HOME
from tests.integration.clickhouse.days import staging_tables
from tests.integration.clickhouse.units import (
    EVENTS,
    FIVE,
    READINGS,
    SIX,
    as_seen,
    events,
    migrations,
    readings,
    run_hour,
    run_unit,
    seen,
)  # fmt: skip

OTHER = 3 - HOME


@pytest.fixture
def clickhouse(database):
    """A client of the cluster, with tables of units that are no days."""
    with database.connect() as client:
        migrate(client)
        for statement in migrations():
            for each in cluster_forms(statement, client.cluster, database.name):
                client.execute(each)
        yield client


def test_hours_are_replaced_on_the_shard_that_has_them(clickhouse, database, tmp_path):
    """A new one lies on the shard of its day, on all replicas; another stays where it is."""
    row = f"SELECT toDateTime({int(SIX.timestamp())}, 'UTC'), 'sensor', 9"
    database.cluster.nodes[OTHER, 1].execute(f"INSERT INTO {database.name}_shard.readings {row}")
    for run_id, hour, rows in (("run 5", FIVE, 100), ("run 6", SIX, 30), ("run 5 again", FIVE, 70)):
        with database.connect(shard=OTHER) as client:
            run_hour(client, tmp_path, run_id, hour, readings(rows, hour))
    assert seen(clickhouse, READINGS) == as_seen([*readings(70, FIVE), *readings(30, SIX)])
    assert database.counts(READINGS.name) == {(HOME, 1): 70, (HOME, 2): 70, (OTHER, 1): 30, (OTHER, 2): 30}
    recorded = "SELECT unit, rows, run_id FROM loads_by_unit FINAL ORDER BY unit"
    assert clickhouse.execute(recorded) == [
        ("2026-08-20T05", 70, "run 5 again"),
        ("2026-08-20T06", 30, "run 6"),
    ]
    assert staging_tables(clickhouse) == []


def test_ranges_of_offsets_are_upserted(clickhouse, database, tmp_path):
    """Also one that overlaps another: the last that came counts, whichever shard has the row."""
    for run_id, first, end, action in (("run 1", 0, 100, "click"), ("run 2", 50, 150, "buy")):
        with database.connect(shard=OTHER) as client:
            run_unit(client, tmp_path, run_id, EVENTS, events(first, end, action), f"orders 0: {first}-{end}")
    assert seen(clickhouse, EVENTS) == sorted([*events(0, 50), *events(50, 150, "buy")])
