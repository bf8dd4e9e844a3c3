"""The tasks before any work: PostgreSQL is well, ClickHouse has its tables."""

from __future__ import annotations

from airflow.sdk import task


async def postgres_facts() -> dict[str, object]:
    """Return the facts found by the health check, as JSON has them.

    Raises: as StagehousePostgresHook.check_health().
    """
    from stagehouse.hooks.postgres_hook import StagehousePostgresHook

    return (await StagehousePostgresHook().check_health()).model_dump(mode="json")


@task
def tables() -> list[int]:
    """Make the tables and columns that are missing; return the numbers of the migrations applied."""
    from include.clickhouse.schema import migrate
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook

    with ClickHouseHook().get_client() as clickhouse:
        return migrate(clickhouse)
