"""Creates and migrates the tables: numbered SQL files, recorded in the table `schema_versions`."""

from __future__ import annotations

import logging
from pathlib import Path

from attrs import define
from clickhouse_migrations.connection import ClickhouseDriverConnection
from clickhouse_migrations.exceptions import MigrationException
from clickhouse_migrations.migration import MigrationStorage
from clickhouse_migrations.migrator import Migrator

from include.clickhouse.client import ClickHouse, NativeClient, quoted_database
from include.clickhouse.cluster import ClusterClient
from include.clickhouse.cluster_ddl import ClusterMigrations, cluster_migrator
from include.clickhouse.errors import (
    COLUMN_IS_THERE,
    ClickHouseError,
    NoDatabase,
    NotAllowed,
    Refused,
    UnusableConnection,
    WrongConnection,
)

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"


@define(slots=False)
class MigrationRefused(ClickHouseError):
    """The recorded migrations and the files disagree. Attributes: where; reason."""

    where: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.reason}. A migration that ran is never edited. Next: deploy the version of "
            f"the project that wrote this schema, or undo the edit and add a new file to {MIGRATIONS.name}/"
        )


def migrate(clickhouse: ClickHouse, migrations: Path = MIGRATIONS) -> list[int]:
    """Bring the tables up to the newest migration; return the versions that were applied now.

    The database is made where it is missing. Safe to repeat, and to run from two workers at once: each
    statement of a migration does nothing where its work is done, and a version that two workers recorded
    counts once.

    Recorded versions beyond the newest file are of a newer version of the project, which was rolled back:
    migrations only add, so this one works with the tables as they are.
    """
    if isinstance(clickhouse, NativeClient):
        make_database(clickhouse)
    try:
        migrator = _migrator(clickhouse)
        files = MigrationStorage(migrations).migrations()
        newest = max(file.version for file in files)
        newer = [each for each in migrator.query_applied_migrations() if each.version > newest]
        if newer:
            names = ", ".join(str(each.version) for each in newer)
            log.warning("%s: migrations of a newer version of the project stay: %s", clickhouse.where, names)
        applied = migrator.apply_migration([*files, *newer], multi_statement=True)
    except MigrationException as error:
        raise MigrationRefused(clickhouse.where, str(error)) from error
    return [migration.version for migration in applied]


def run_ddl(clickhouse: ClickHouse, statement: str) -> None:
    """Run a statement for a table or view that no migration knows, written as those of migrations are.

    It is safe to repeat: a column that is there counts as added. On a cluster it is done on all servers.

    Raises: NoClusterForm; ClickHouseError.
    """
    if isinstance(clickhouse, ClusterClient):
        ClusterMigrations(clickhouse).command(statement)
    else:
        _Connection(clickhouse).command(statement)


def make_database(clickhouse: NativeClient) -> None:
    """Make the connection's database where the server does not know it.

    Raises: NoDatabase, with the statement to run, where the user may not; ClickHouseError.
    """
    try:
        clickhouse.execute("SELECT 1")
    except NoDatabase as missing:
        with clickhouse.without_database() as elsewhere:
            try:
                elsewhere.execute(f"CREATE DATABASE IF NOT EXISTS {quoted_database(clickhouse.database)}")
            except (NotAllowed, UnusableConnection) as error:
                reason = f"{missing.reason}, and this user may not make it: {error.reason}"
                raise NoDatabase(missing.where, missing.field, reason, missing.next_step) from None
        log.info("%s: database %s is made", clickhouse.where, clickhouse.database)


def _migrator(clickhouse: ClickHouse) -> Migrator:
    if isinstance(clickhouse, ClusterClient):
        return cluster_migrator(clickhouse)
    distributed = (
        "SELECT 1 FROM system.tables "
        "WHERE database = %(database)s AND name = 'loads' AND engine = 'Distributed'"
    )
    if clickhouse.execute(distributed, {"database": clickhouse.database}):
        reason = f"is not set, and database {clickhouse.database} has the tables of a cluster"
        raise WrongConnection(clickhouse.where, "extra.cluster", reason, "name that cluster")
    migrator = Migrator(_Connection(clickhouse))
    migrator.init_schema()
    return migrator


class _Connection(ClickhouseDriverConnection):  # type: ignore[misc]
    """Takes a column that is there for added: 18.16 knows no ADD COLUMN IF NOT EXISTS."""

    def command(self, statement: str, log_statement: str | None = None) -> None:
        """Run one statement of a migration."""
        try:
            super().command(statement, log_statement)
        except Refused as error:
            if error.code not in COLUMN_IS_THERE or " ADD COLUMN " not in statement:
                raise
