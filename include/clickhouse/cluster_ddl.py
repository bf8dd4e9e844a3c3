"""The tables on a cluster: each statement of a migration becomes that of Replicated and Distributed tables.

`<schema>_shard.<table>` is Replicated and holds the shard's rows; `<schema>.<table>` is Distributed over it.
A table whose newest row of a key counts is spread by that key, so that all rows of a key meet on one shard;
one kept by day is not spread by the server at all (see cluster.py).
"""

from __future__ import annotations

import re

from attrs import define
from clickhouse_migrations.connection import ClickhouseDriverConnection
from clickhouse_migrations.migrator import Migrator, split_statement_tokens

from include.clickhouse.client import quoted, quoted_database
from include.clickhouse.cluster import ClusterClient
from include.clickhouse.errors import ClickHouseError, WrongConnection
from include.clickhouse.replicas import add_column

VERSIONS = "schema_versions"  # clickhouse-migrations' name for it
_CREATE = re.compile(
    r"CREATE TABLE IF NOT EXISTS (?P<table>\w+) \((?P<columns>.+)\) "
    r"ENGINE = (?P<replacing>Replacing)?MergeTree(\((?P<version>\w*)\))?"
    r"(?P<partition> PARTITION BY \S+)? ORDER BY \((?P<key>[\w`, ]+)\)"
)
_VIEW = re.compile(r"CREATE VIEW IF NOT EXISTS (?P<view>\w+) AS (?P<select>.+)")
_DROP = re.compile(r"DROP TABLE IF EXISTS (?P<table>\w+)")
_RENAME = re.compile(r"RENAME TABLE (?P<names>\w+ TO \w+(, \w+ TO \w+)*)")
_ADD_COLUMN = re.compile(r"ALTER TABLE (?P<table>\w+) (?P<change>ADD COLUMN (?!IF )\S+ .+)")


@define(slots=False)
class NoClusterForm(ClickHouseError):
    """A migration has a statement that we cannot turn into one for a cluster. Attributes: statement."""

    statement: str

    def __str__(self) -> str:
        return (
            f"no form for a cluster is known of {self.statement[:200]!r}. Next: write the migration as those "
            "before it are, or add the form to include/clickhouse/cluster_ddl.py"
        )


class ClusterMigrations(ClickhouseDriverConnection):  # type: ignore[misc]
    """The connection of clickhouse-migrations: turns its statements into those for a cluster."""

    def __init__(self, clickhouse: ClusterClient) -> None:
        super().__init__(clickhouse)
        self._clickhouse, self._servers_answer = clickhouse, False

    def command(self, statement: str, log_statement: str | None = None) -> None:
        """Run the statement's forms on all servers."""
        for each in cluster_forms(statement, self._clickhouse.cluster, self._clickhouse.database):
            if not self._servers_answer:
                require_servers(self._clickhouse)
                self._servers_answer = True
            if " ON CLUSTER " in each:
                super().command(each, log_statement)
            else:
                self._on_each_server(each)

    def _on_each_server(self, statement: str) -> None:
        for node in self._clickhouse.nodes():
            with self._clickhouse.client_of(node) as server:
                add_column(server, statement)


def cluster_forms(statement: str, cluster: str, database: str) -> list[str]:
    """Return the statements that do on a cluster what `statement` does on one server.

    Raises: NoClusterForm.
    """
    plain = _one_line(statement)
    if re.match(r"CREATE (DATABASE|TABLE) IF NOT EXISTS .+? ON CLUSTER ", plain):
        return [plain]
    if plain == f'OPTIMIZE TABLE "{VERSIONS}" FINAL':
        return []  # tidiness only, and it needs the replica that leads
    if found := _CREATE.fullmatch(plain):
        return _create(found, cluster, database)
    if found := _ADD_COLUMN.fullmatch(plain):  # 18.16 takes no ON CLUSTER for Distributed tables
        databases = (f"{database}_shard", database)  # in the order that leaves readers no gap
        table, change = quoted(found["table"]), found["change"]
        return [f"ALTER TABLE {quoted_database(each)}.{table} {change}" for each in databases]
    if found := (_VIEW.fullmatch(plain) or _DROP.fullmatch(plain) or _RENAME.fullmatch(plain)):
        return [_of_view(found, cluster, quoted_database(database))]
    raise NoClusterForm(plain)


def require_servers(clickhouse: ClusterClient) -> None:
    """Require each server of the cluster to answer, and to know its place by its macros.

    Servers of two shards with one {shard} would take each other's rows for their own.
    """
    shard_macros: dict[int, set[str]] = {}
    for node in clickhouse.nodes():
        with clickhouse.client_of(node, "system") as server:
            macros = dict(server.execute("SELECT macro, substitution FROM system.macros"))
            if missing := {"shard", "replica"} - macros.keys():
                reason = f"macro {min(missing)} is not in its configuration"
                next_step = "add the macros shard and replica to that server's configuration"
                raise WrongConnection(server.where, "extra.cluster", reason, next_step)
            shard_macros.setdefault(node.shard, set()).add(macros["shard"])
    each = [name for names in shard_macros.values() for name in names]
    if len(each) != len(set(each)) or len(each) != len(shard_macros):
        reason = f"one macro shard for each shard is needed, and it is {shard_macros} by shard_num"
        next_step = "correct the macros in the servers' configuration"
        raise WrongConnection(clickhouse.where, "extra.cluster", reason, next_step)


def cluster_migrator(clickhouse: ClusterClient) -> Migrator:
    """Return what migrates a cluster; its databases and its table of migrations are there.

    Raises: WrongConnection for a database with tables of one server; ClickHouseError.
    """
    clickhouse.nodes()
    found = clickhouse.execute(
        "SELECT engine FROM system.tables WHERE database = %(database)s AND name = %(table)s",
        {"database": clickhouse.database, "table": VERSIONS},
    )
    if found and not found[0][0].startswith("Replicated"):
        reason = f"database {clickhouse.database} has tables that were made without a cluster"
        raise WrongConnection(clickhouse.where, "schema", reason, "name another database")
    if found:
        clickhouse.catch_up(VERSIONS)
    # Every server, of every shard, has all of it.
    all_have_it = _literal(f"/clickhouse/tables/all/{clickhouse.database}/{VERSIONS}")
    place = f"{all_have_it}, '{{shard}}-{{replica}}'"
    connection = ClusterMigrations(clickhouse)
    migrator = Migrator(connection, migrations_table_engine=f"ReplicatedMergeTree({place})")
    if not found:  # ON CLUSTER waits for all servers, so only where there is something to do
        for name in (clickhouse.database, f"{clickhouse.database}_shard"):
            database = (
                f"CREATE DATABASE IF NOT EXISTS {quoted_database(name)} ON CLUSTER `{clickhouse.cluster}`"
            )
            connection.command(database)
        migrator.init_schema(clickhouse.cluster)
    return migrator


def _create(found: re.Match[str], cluster: str, database: str) -> list[str]:
    table, rows = quoted(found["table"]), f"{database}_shard"
    place = _literal(f"/clickhouse/tables/{{shard}}/{rows}/{found['table']}") + ", '{replica}'"
    arguments = ", ".join(filter(None, (place, found["version"])))
    spread = f", cityHash64({found['key']})" if found["replacing"] else ""
    create, columns = "CREATE TABLE IF NOT EXISTS", f"ON CLUSTER `{cluster}` ({found['columns']})"
    engine = f"Replicated{found['replacing'] or ''}MergeTree({arguments}){found['partition'] or ''}"
    distributed = f"Distributed('{cluster}', {_literal(rows)}, '{found['table']}'{spread})"
    return [
        f"{create} {quoted_database(rows)}.{table} {columns} ENGINE = {engine} ORDER BY ({found['key']})",
        f"{create} {quoted_database(database)}.{table} {columns} ENGINE = {distributed}",
    ]


def _of_view(found: re.Match[str], cluster: str, database: str) -> str:
    """Return the statement on all servers: a view is on each, and what it names is there too."""
    names, on = found.groupdict(), f"ON CLUSTER `{cluster}`"
    if "view" in names:
        return f"CREATE VIEW IF NOT EXISTS {database}.{quoted(names['view'])} {on} AS {names['select']}"
    if "table" in names:
        return f"DROP TABLE IF EXISTS {database}.{quoted(names['table'])} {on}"
    renamed = re.sub(r"\w+(?=$|,| TO )", lambda name: f"{database}.{quoted(name[0])}", names["names"])
    return f"RENAME TABLE {renamed} {on}"


def _literal(text: str) -> str:
    return "'{}'".format(text.replace("\\", "\\\\").replace("'", "\\'"))


def _one_line(statement: str) -> str:
    tokens = [token for tokens in split_statement_tokens(statement) for token in tokens]
    code = "".join(token.text for token in tokens if not token.kind.endswith("_comment"))
    return " ".join(code.split()).removesuffix(";").strip()
