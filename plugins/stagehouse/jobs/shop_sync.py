"""The work of shop_sync: its request and its own tasks."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from stagehouse.clock import now
from stagehouse.hooks.publication import publication_lock
from stagehouse.pipeline.run_context import manifest_of, run_context, run_date, staging_of, this_attempt
from stagehouse.pipeline.staged import part_list

if TYPE_CHECKING:
    from include.change_capture.request import SyncRequest
    from include.change_capture.session import Source
    from include.staging.manifest import Manifest

PREFIX = "shop"  # of our tables; it names the source, and the lease to publish it


def shop(tables: Sequence[str]) -> Source:
    """Return where the tables come from. Args: tables, of the schema `public`."""
    from include.change_capture.session import Source
    from stagehouse.hooks.source_hook import SourceHook

    hook = SourceHook()
    return Source(connection=hook.get_conn_id(), connect=hook.connect, tables=tuple(tables), prefix=PREFIX)


def run_request(tables: Sequence[str]) -> SyncRequest:
    """Return what the run is asked for. Raises: BadParam."""
    from include.change_capture.request import read_request

    return read_request(get_current_context()["params"], tables)


async def check_source(tables: Sequence[str]) -> dict[str, object]:
    """Return the facts found by the health check of the source, as JSON has them.

    Raises: BadParam; SourceRefused for the first table that cannot be captured; as the check of any Postgres.
    """
    from stagehouse.hooks.source_hook import SourceHook

    run_request(tables)
    health = await SourceHook().check_health()
    shop(tables).describe()
    return health.model_dump(mode="json")


def make_shop_tables(tables: Sequence[str]) -> list[int]:
    """Make the tables, columns and views that are missing; return the numbers of the migrations applied."""
    from include.change_capture.destination import make_tables
    from include.clickhouse.schema import migrate
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook

    described = shop(tables).describe()
    with ClickHouseHook().get_client() as clickhouse:
        applied = migrate(clickhouse)
        make_tables(clickhouse, described)
    return applied


def stage_run(tables: Sequence[str]) -> list[dict[str, str]]:
    """Read the shop at one instant; return table and file of each part."""
    from include.change_capture.synchronization import facts_of_run, stage
    from include.staging.manifest import StagedBy
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook

    day = run_date()
    staged_by = StagedBy(**run_context(), day=day, task="stage")
    with ClickHouseHook().get_client() as clickhouse:
        manifest = stage(
            clickhouse,
            shop(tables),
            run_request(tables),
            staged_by,
            staging_of(day),
            host=socket.gethostname(),
            now=now,
        )
    facts = facts_of_run(manifest)
    found = {each.table.name: each.model_dump(include={"rows", "changed", "gone"}) for each in facts.tables}
    get_current_context()["ti"].xcom_push("found", found)
    return part_list(manifest)


def publish_run(staged: Sequence[dict[str, object]]) -> dict[str, Any]:
    """Bring what is loaded into sight, and write the state; return rows sent by table."""
    from include.change_capture.synchronization import publish
    from include.clickhouse.load import StagedPart

    manifest, parts = staged_manifest(), [StagedPart.model_validate(part) for part in staged]
    with publication_lock(PREFIX) as (clickhouse, lease):
        return publish(clickhouse, manifest, parts, attempt=this_attempt(), now=now, check_lease=lease.check)


def staged_manifest() -> Manifest:
    """Return what the run has staged, perhaps on another worker. Raises: StagingError."""
    return manifest_of("stage", run_date())
