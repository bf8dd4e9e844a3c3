"""The tables of a cluster: what makes them, and the connections that cannot."""

from pathlib import Path

import pytest
from clickhouse_migrations.migrator import Migrator

from include.clickhouse.client import NativeClient, insert_rows
from include.clickhouse.cluster import ClusterClient
from include.clickhouse.cluster_ddl import NoClusterForm, cluster_forms
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.errors import Refused, UnusableConnection
from include.clickhouse.schema import MIGRATIONS, migrate
from include.clickhouse.staging_tables import create_staging_table
from stagehouse.hooks.clickhouse_hook import ClickHouseHook
from stagehouse.hooks.connection_fields import BadConnection
from tests.cluster.conftest import WHERE, ClusterDatabase
from tests.integration.clickhouse.days import COMMITS, commits, run, stored

TABLES = (
    "SELECT database, name FROM system.tables WHERE database IN ('{0}', '{0}_shard') ORDER BY database, name"
)
VERSIONS = [int(file.name[:3]) for file in sorted(MIGRATIONS.glob("*.sql"))]
CREATED = sum(file.read_text().count("CREATE TABLE ") for file in MIGRATIONS.glob("*.sql"))


def test_migrating_twice(database):
    """Every server has all tables after the first time; then there is nothing to do, a server down or not."""
    with database.connect() as clickhouse:
        assert migrate(clickhouse) == VERSIONS
    nodes = database.cluster.nodes
    (tables,) = {node.execute(TABLES.format(database.name)) for node in nodes.values()}
    assert len(tables.splitlines()) == 2 * CREATED + 1  # Distributed and Replicated, and the versions
    nodes[2, 2].kill()
    with database.connect(shard=2, replica=1) as clickhouse:
        assert migrate(clickhouse) == []


def test_a_database_whose_name_has_to_be_quoted(cluster, tmp_path):
    """Is made on every server where it is missing, takes rows and days, and shows them."""
    database = ClusterDatabase(cluster)
    database.name += "-stage 50% house"  # which is not there yet
    with database.connect() as clickhouse:
        assert migrate(clickhouse) == VERSIONS
        assert migrate(clickhouse) == []
        create_staging_table(clickhouse, "phrases_views", "phrases_views__stg_some")
        assert insert_rows(clickhouse, "phrases_views", ("phrase",), [[("a",), ("b",)]]) == 2
        assert clickhouse.execute("SELECT count() FROM phrases_views FINAL") == [(2,)]
        (tmp_path / "001_more.sql").write_text("ALTER TABLE repositories ADD COLUMN topics String;\n")
        # Not TRUNCATE: of a table that all servers replicate, 18.16 now and then waits for itself.
        clickhouse.execute("DROP TABLE schema_versions ON CLUSTER stage")
        assert migrate(clickhouse, tmp_path) == [1]
        rows = commits(7)
        for run_id in ("one", "two"):
            run(clickhouse, tmp_path, run_id, (COMMITS, rows))
        assert sorted(stored(clickhouse)) == sorted(rows)
    with database.connect(shard=2, replica=2) as clickhouse:
        assert clickhouse.execute("SELECT count() FROM phrases_views FINAL") == [(2,)]


def test_a_migration_waits_for_no_server_that_is_down(database):
    """What is to be made on all servers fails at once where one is not there, by its name."""
    database.cluster.nodes[1, 2].kill()
    with database.connect() as clickhouse, pytest.raises(UnusableConnection, match="replica 2 of shard 1"):
        migrate(clickhouse)


def test_a_later_migration_adds_a_column(database, tmp_path):
    """To both tables of all servers; also when some have it, or all, as after a kill."""
    first = next(MIGRATIONS.glob("001*.sql"))
    (tmp_path / first.name).write_text(first.read_text())
    with database.connect() as clickhouse:
        migrate(clickhouse, tmp_path)
        more = "-- more\nALTER TABLE repositories ADD COLUMN topics String;\n"
        (tmp_path / "002_more.sql").write_text(more)
        for table in (f"{database.name}_shard.repositories", f"{database.name}.repositories"):
            database.cluster.nodes[1, 1].execute(f"ALTER TABLE {table} ADD COLUMN topics String")
        assert migrate(clickhouse, tmp_path) == [2]
        clickhouse.execute("DROP TABLE schema_versions ON CLUSTER stage")
        assert migrate(clickhouse, tmp_path) == [1, 2]
    for node in database.cluster.nodes.values():
        node.execute(f"SELECT topics FROM {database.name}.repositories")
        node.execute(f"SELECT topics FROM {database.name}_shard.repositories")


def test_statements_are_those_of_a_current_server(tmp_path):
    """Its parser takes each."""
    statements = [
        form
        for file in sorted(MIGRATIONS.glob("*.sql"))
        for statement in Migrator.script_to_statements(file.read_text(), multi_statement=True)
        for form in cluster_forms(statement, "stage", "stagehouse")
    ]
    statements += cluster_forms("ALTER TABLE loads ADD COLUMN more String", "stage", "stagehouse")
    with EmbeddedClient("embedded", tmp_path / "chdb", "stagehouse") as current:
        for statement in statements:
            assert current.execute(f"EXPLAIN AST {statement}")
        with pytest.raises(Refused):
            current.execute("EXPLAIN AST CREATE TABLE t ON CLUSTER")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE loads",
        "CREATE TABLE IF NOT EXISTS t (a Int8) ENGINE = Log",
        "CREATE TABLE IF NOT EXISTS t (a Int8) ENGINE = SummingMergeTree ORDER BY (a)",
        "CREATE VIEW v AS SELECT 1",
        "INSERT INTO loads SELECT * FROM loads",
        "ALTER TABLE loads DELETE WHERE 1",
        "ALTER TABLE loads DROP COLUMN run_id",
    ],
)
def test_a_statement_without_a_form_for_clusters(statement):
    """Is refused, not run on one server of many."""
    with pytest.raises(NoClusterForm, match=r"Next: .* add the form to include/clickhouse/cluster_ddl\.py"):
        cluster_forms(statement, "stage", "stagehouse")


def test_a_cluster_that_the_server_does_not_know(database):
    """The error names the connection, the field and the clusters that there are."""
    with database.connect(cluster="stag") as clickhouse, pytest.raises(UnusableConnection) as unknown:
        migrate(clickhouse)
    assert str(unknown.value).startswith(f"{WHERE}, field extra.cluster: ")
    assert "knows no cluster 'stag'; it knows: stage" in str(unknown.value)


def test_a_database_made_without_a_cluster(database):
    """Its tables are on one server; and those of a cluster are no tables for a connection without one."""
    server = database.cluster.nodes[1, 1]
    login = {"user": server.user, "password": server.password}
    with NativeClient(WHERE, server.host, server.port, database.name, **login) as alone:
        migrate(alone)
    with database.connect() as clickhouse, pytest.raises(UnusableConnection, match="made without a cluster"):
        migrate(clickhouse)
    other = ClusterDatabase(database.cluster)
    with other.connect() as clickhouse:
        migrate(clickhouse)
    with (
        NativeClient(WHERE, server.host, server.port, other.name, **login) as alone,
        pytest.raises(UnusableConnection, match=r"extra\.cluster: is not set"),
    ):
        migrate(alone)


def test_the_connection_of_airflow(database, monkeypatch, tmp_path):
    """Names the cluster in its extra; with a path too, or what is no name, it is refused."""
    server = database.cluster.nodes[2, 1]

    def connection(cluster: str, path: Path | None = None, host: str | None = server.host) -> None:
        extra = {"cluster": cluster} | ({"path": str(path)} if path else {})
        text = server.airflow_connection(schema=database.name, extra=extra, host=host)
        monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", text)

    database.cluster.nodes[2, 1].execute(f"CREATE DATABASE {database.name}")
    connection("stage")
    with ClickHouseHook().get_client() as clickhouse:
        assert isinstance(clickhouse, ClusterClient)
        assert migrate(clickhouse) == VERSIONS
    assert ClickHouseHook().test_connection()[1].endswith(f"database {database.name}, 4 servers")
    connection("stag")
    assert "it knows: stage" in ClickHouseHook().test_connection()[1]
    connection("stage", tmp_path, host=None)
    with pytest.raises(BadConnection, match=r"extra\.cluster"):
        ClickHouseHook().get_client()
    connection("stage` (a")
    with pytest.raises(BadConnection, match="cluster"):
        ClickHouseHook().get_client()
