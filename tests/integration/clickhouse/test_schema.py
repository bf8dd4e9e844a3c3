"""Migrations: numbered, recorded, safe to repeat and to run at once."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from include.clickhouse.schema import MIGRATIONS, MigrationRefused, migrate


def test_a_second_migration_finds_nothing_to_do(connect):
    """The first applies every file in order, the second none."""
    with connect() as connection:
        versions = migrate(connection)
        assert versions == [int(file.name[:3]) for file in sorted(MIGRATIONS.glob("*.sql"))]
        assert migrate(connection) == []


def test_the_seed_columns_have_their_names_and_types(clickhouse):
    """What dashboards rely on."""
    described = {
        table: {name: kind for name, kind, *_ in clickhouse.execute(f"DESCRIBE TABLE {table}")}
        for table in ("repositories", "repositories_positions", "repositories_authors_commits", "loads")
    }
    assert (
        described["repositories"].items() >= {"name": "String", "stars": "Int32", "watchers": "Int32"}.items()
    )
    assert described["repositories_positions"].items() >= {"date": "Date", "position": "UInt32"}.items()
    assert described["repositories_authors_commits"] == {
        "date": "Date", "repo": "String", "author": "String", "commits_num": "Int32",
    }  # fmt: skip
    assert set(described["loads"]) >= {"table", "date", "rows", "checksum", "run_id", "published_at"}


def test_two_workers_may_migrate_at_once(connect):
    """Both succeed, and a third finds nothing to do."""

    def work(_):
        with connect() as connection:
            return migrate(connection)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert work(None) == []


def test_an_edited_migration_is_refused(connect, tmp_path):
    """The error says what to do instead."""
    files = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    with connect() as connection:
        migrate(connection, files)
        (files / "002_loads.sql").write_text("SELECT 1;")
        with pytest.raises(MigrationRefused, match="add a new file"):
            migrate(connection, files)
