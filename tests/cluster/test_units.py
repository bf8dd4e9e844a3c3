"""Hours and ranges of offsets on a cluster: each hour lies whole on one shard, each offset on one."""

import pytest

from include.clickhouse.cluster_ddl import cluster_forms
from include.clickhouse.errors import DayMismatch
from include.clickhouse.publish import check_day
from include.clickhouse.schema import migrate
from include.staging.tables import StagedTable
from tests.cluster.conftest import HOME
from tests.integration.clickhouse.days import (
    COMMITS,
    DAY,
    OTHER_DAY,
    commits,
    load,
    publish,
    run,
    stage,
    staging_tables,
)
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


PRODUCTS = StagedTable(
    name="products",
    columns={"id": "Int64", "name": "Nullable(String)"},
    key=("id",),
    day_column=None,
    replaced_whole=True,
    form="text",
)
USERS = PRODUCTS.model_copy(update={"name": "users", "replaced_whole": False})


@pytest.fixture
def text_tables(clickhouse, database):
    """Tables that are staged as text: one replaced whole, one upserted."""
    for name, engine in (("products", "MergeTree"), ("users", "ReplacingMergeTree")):
        create = f"CREATE TABLE IF NOT EXISTS {name} (id Int64, name Nullable(String)) ENGINE = {engine}()"
        for each in cluster_forms(f"{create} ORDER BY (id)", clickhouse.cluster, database.name):
            clickhouse.execute(each)
    return clickhouse


def test_a_table_of_text_is_replaced_whole_where_it_lies(text_tables, database, tmp_path):
    """A run of another day finds the shard; readers of any server see all rows once."""
    for number, (day, count) in enumerate(((DAY, 90), (OTHER_DAY, 40), (DAY, 60))):
        rows = [(n, None if n % 3 else "a\tb") for n in range(count)]
        with database.connect(shard=OTHER) as client:
            run(client, tmp_path, f"run {number}", (PRODUCTS, rows), day=day, rows_per_part=25)
        assert text_tables.execute("SELECT id, name FROM products ORDER BY id") == rows
    assert database.counts("products") == {(HOME, 1): 60, (HOME, 2): 60, (OTHER, 1): 0, (OTHER, 2): 0}
    assert staging_tables(text_tables) == []


def test_a_whole_table_and_a_day_of_another_shard_are_not_published_together(text_tables, database, tmp_path):
    """Nothing is loaded, and nobody is told to drop rows that are where they belong."""
    run(text_tables, tmp_path, "run 1", (PRODUCTS, [(1, "a")]), day=DAY)
    run(text_tables, tmp_path, "run 2", (COMMITS, commits(3, OTHER_DAY)), day=OTHER_DAY)
    both = (PRODUCTS, [(2, "b")]), (COMMITS, commits(5, OTHER_DAY))
    directory, manifest = stage(tmp_path, "run 3", *both, day=OTHER_DAY)
    with (
        database.connect() as client,
        pytest.raises(DayMismatch, match=r"Next: let a run of its own stage products, .*drop nothing"),
    ):
        load(client, directory, manifest)


def test_text_is_upserted_and_checked_on_another_replica(text_tables, database, tmp_path):
    """The staging tables that publish has kept are found where they are."""
    rows = [(n, None if n % 3 else "a\tb") for n in range(60)]
    directory, manifest = stage(tmp_path, "run 1", (USERS, rows), rows_per_part=25)
    with database.connect() as client:
        publish(client, manifest, load(client, directory, manifest))
    for part in manifest.tables["users"].parts:
        (directory / part.file).unlink()
    with database.connect(shard=OTHER, replica=2) as client:
        assert check_day(client, directory, manifest, "1") == {"users": 60}
    assert sorted(text_tables.execute("SELECT id, name FROM users FINAL")) == rows
    assert database.staging_tables() == set()
