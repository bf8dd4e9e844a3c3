"""The tables on a cluster: each statement of a migration becomes that of Replicated and Distributed tables.

`<schema>_shard.<table>` is Replicated and holds the shard's rows; `<schema>.<table>` is Distributed over it.
A table whose newest row of a key counts is spread by that key, so that all rows of a key meet on one shard; one
kept by day is not spread by the server at all (see cluster.py).
"""

from __future__ import annotations

import re

from clickhouse_migrations.connection import ClickhouseDriverConnection
from clickhouse_migrations.migrator import split_statement_tokens

from include.clickhouse.client import quoted
from include.clickhouse.cluster import ClusterClient, rows_database
from include.clickhouse.errors import ClickHouseError

VERSIONS = "schema_versions"  # clickhouse-migrations' name for it
_CREATE = re.compile(
    r"CREATE TABLE IF NOT EXISTS (?P<table>\w+) \((?P<columns>.+)\) "
    r"ENGINE = (?P<replacing>Replacing)?MergeTree(\((?P<version>\w*)\))?"
    r"(?P<partition> PARTITION BY \S+)? ORDER BY \((?P<key>[\w`, ]+)\)"
)
_ALTER = re.compile(r"ALTER TABLE (?P<table>\w+) (?P<change>(ADD|DROP|COMMENT) COLUMN .+)")
_ENGINE = re.compile(
    r"Replicated(?P<kind>\w*MergeTree)\('[^']*', '[^']*'(, )?(?P<arguments>[^)]*)\)(?P<rest>.*)"
)


class NoClusterForm(ClickHouseError):
    """A migration has a statement that we cannot turn into one for a cluster. Attributes: statement."""

    def __init__(self, statement: str) -> None:
        super().__init__(statement)
        self.statement = statement

    def __str__(self) -> str:
        return f"no form for a cluster is known of {self.statement[:200]!r}: add it to cluster_ddl.py"


class ClusterMigrations(ClickhouseDriverConnection):  # type: ignore[misc]
    """What clickhouse-migrations runs its statements through: their forms for the cluster."""

    def __init__(self, clickhouse: ClusterClient) -> None:
        super().__init__(clickhouse)
        self._cluster, self._database = clickhouse.cluster, clickhouse.database

    def command(self, statement: str, log_statement: str | None = None) -> None:
        """Run the statement's forms on all servers."""
        for each in cluster_forms(statement, self._cluster, self._database):
            super().command(each, log_statement)


def cluster_forms(statement: str, cluster: str, database: str) -> list[str]:
    """Return the statements that do on a cluster what `statement` does on one server.

    Raises: NoClusterForm.
    """
    plain = _one_line(statement)
    if f" ON CLUSTER `{cluster}`" in plain:
        return [plain]
    if plain == f"OPTIMIZE TABLE `{VERSIONS}` FINAL":
        return []  # tidiness only, and it needs the replica that leads
    if found := _CREATE.fullmatch(plain):
        return _create(found, cluster, database)
    if found := _ALTER.fullmatch(plain):
        # Readers ask the Distributed table: what it names must be in the tables below it.
        databases = [f"{database}_shard", database]
        if found["change"].startswith("DROP"):
            databases.reverse()
        return [
            f"ALTER TABLE {quoted(each)}.{quoted(found['table'])} ON CLUSTER `{cluster}` {found['change']}"
            for each in databases
        ]
    raise NoClusterForm(plain)


def databases(cluster: str, database: str) -> list[str]:
    """Return the statements that create both databases on all servers."""
    return [
        f"CREATE DATABASE IF NOT EXISTS {quoted(name)} ON CLUSTER `{cluster}`"
        for name in (database, f"{database}_shard")
    ]


def versions_engine(database: str) -> str:
    """Return the engine of the table of migrations: every server, of every shard, has all of it."""
    return f"ReplicatedMergeTree('/clickhouse/tables/all/{database}/{VERSIONS}', '{{shard}}-{{replica}}')"


def staging_engine(clickhouse: ClusterClient, table: str) -> str:
    """Return the engine of a table that is like the rows' of `table`, but only on the connected server."""
    found = clickhouse.execute(
        "SELECT engine_full FROM system.tables WHERE database = %(database)s AND name = %(table)s",
        {"database": rows_database(clickhouse), "table": table},
    )
    engine = _ENGINE.fullmatch(found[0][0]) if found else None
    if engine is None:
        raise NoClusterForm(f"{table}: {found[0][0] if found else 'no such table'}")
    return f"{engine['kind']}({engine['arguments']}){engine['rest']}"


def _create(found: re.Match[str], cluster: str, database: str) -> list[str]:
    table, rows = quoted(found["table"]), f"{database}_shard"
    place = f"'/clickhouse/tables/{{shard}}/{rows}/{found['table']}', '{{replica}}'"
    arguments = ", ".join(filter(None, (place, found["version"])))
    spread = f", cityHash64({found['key']})" if found["replacing"] else ""
    create, columns = "CREATE TABLE IF NOT EXISTS", f"ON CLUSTER `{cluster}` ({found['columns']})"
    engine = f"Replicated{found['replacing'] or ''}MergeTree({arguments}){found['partition'] or ''}"
    distributed = f"Distributed('{cluster}', '{rows}', '{found['table']}'{spread})"
    return [
        f"{create} {quoted(rows)}.{table} {columns} ENGINE = {engine} ORDER BY ({found['key']})",
        f"{create} {quoted(database)}.{table} {columns} ENGINE = {distributed}",
    ]


def _one_line(statement: str) -> str:
    tokens = [token for tokens in split_statement_tokens(statement) for token in tokens]
    code = "".join(token.text for token in tokens if not token.kind.endswith("_comment"))
    return " ".join(code.split()).removesuffix(";").strip()
