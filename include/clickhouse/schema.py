"""Creates and migrates the tables: numbered SQL files, recorded in the table `schema_versions`."""

from __future__ import annotations

from pathlib import Path

from clickhouse_migrations.connection import ClickhouseDriverConnection
from clickhouse_migrations.exceptions import MigrationException
from clickhouse_migrations.migration import MigrationStorage
from clickhouse_migrations.migrator import Migrator

from include.clickhouse.client import ClickHouse
from include.clickhouse.errors import ClickHouseError

MIGRATIONS = Path(__file__).parent / "migrations"


class MigrationRefused(ClickHouseError):
    """The recorded migrations and the files disagree. Attributes: where; reason."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where, self.reason = where, reason

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.reason}. A migration that ran is never edited: add a new file to "
            f"{MIGRATIONS.name}/, or deploy the version of the project that wrote this schema"
        )


def migrate(clickhouse: ClickHouse, migrations: Path = MIGRATIONS) -> list[int]:
    """Bring the tables up to the newest migration; return the versions that were applied now.

    Safe to repeat, and to run from two workers at once: each statement of a migration does nothing where
    its work is done, and a version that two workers recorded counts once.
    """
    migrator = Migrator(ClickhouseDriverConnection(clickhouse))
    try:
        migrator.init_schema()
        applied = migrator.apply_migration(MigrationStorage(migrations).migrations(), multi_statement=True)
    except MigrationException as error:
        raise MigrationRefused(clickhouse.where, str(error)) from error
    return [migration.version for migration in applied]
