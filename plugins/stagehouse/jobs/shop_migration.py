"""The work of shop_migration: its params and its own tasks."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, get_current_context
from pydantic import BaseModel, ConfigDict, Field

from include.params import checked, refuse_unknown_params
from stagehouse.clock import now
from stagehouse.hooks.publication import publication_lock
from stagehouse.jobs.shop_sync import PREFIX, shop
from stagehouse.pipeline.run_context import manifest_of, run_context, run_date, staging_of, this_attempt

if TYPE_CHECKING:
    from include.staging.files import StagingPath
    from include.staging.manifest import Manifest, StagedBy

MOST_ROWS = 100_000_000
_ALLOWED = {
    "rows_per_range": f"a whole number from 1 to {MOST_ROWS}",
    "rows_per_second": f"a whole number from 0 to {MOST_ROWS}",
}
PARAMS = {
    "rows_per_range": Param(
        1_000_000,
        type="integer",
        minimum=1,
        maximum=MOST_ROWS,
        title="Rows of a range",
        description="Each range is read in a transaction of its own; there are at most 900 of them.",
    ),
    "rows_per_second": Param(
        0,
        type="integer",
        minimum=0,
        maximum=MOST_ROWS,
        title="Rows a second",
        description="At most so many are read by each task; 0: as many as come.",
    ),
}


class MigrationRequest(BaseModel):
    """The params of a run. Attributes: rows_per_range; rows_per_second, of each task, 0 for no limit."""

    model_config = ConfigDict(frozen=True, strict=True)
    rows_per_range: int = Field(default=1_000_000, ge=1, le=MOST_ROWS)
    rows_per_second: int = Field(default=0, ge=0, le=MOST_ROWS)


def run_request() -> MigrationRequest:
    """Return what the run is asked for. Raises: BadParam."""
    params = get_current_context()["params"]
    refuse_unknown_params(params, tuple(_ALLOWED))
    return checked(MigrationRequest, params, _ALLOWED)


async def check_source(tables: Sequence[str]) -> dict[str, object]:
    """Return the facts found by the health check of the source. Raises: BadParam; as that of shop_sync."""
    from stagehouse.hooks.source_hook import SourceHook

    run_request()
    health = await SourceHook().check_health()
    shop(tables).describe()
    return health.model_dump(mode="json")


def plan_run(tables: Sequence[str]) -> list[dict[str, Any]]:
    """Cut the tables into ranges; return them, over which `copy` is mapped."""
    from include.change_capture.migration import plan
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook

    rows = run_request().rows_per_range
    with ClickHouseHook().get_client() as clickhouse:
        made = plan(clickhouse, shop(tables), _directory(), rows_per_range=rows, now=now)
    return [each.model_dump(mode="json") for each in made.ranges]


def copy_run(tables: Sequence[str], wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Copy a range into staging tables; return these."""
    from include.change_capture.migration import KeyRange, copy_range, read_plan
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook

    directory, planned = _directory(), read_plan(_directory())
    with ClickHouseHook().get_client() as clickhouse:
        loaded = copy_range(
            clickhouse,
            shop(tables),
            planned,
            KeyRange.model_validate_json(KeyRange(**wanted).model_dump_json()),
            _staged_by("copy"),
            directory,
            attempt=this_attempt(),
            host=socket.gethostname(),
            now=now,
            rows_per_second=run_request().rows_per_second,
        )
    return [each.model_dump() for each in loaded]


def publish_run(tables: Sequence[str], copied: Iterable[Iterable[dict[str, Any]]]) -> dict[str, Any]:
    """Bring all ranges into sight, and write the state; return rows by table."""
    from include.change_capture.migration import gather, read_plan
    from include.change_capture.synchronization import publish
    from include.clickhouse.load import StagedPart

    parts = [StagedPart.model_validate(part) for some in copied for part in some]
    directory, host = _directory(), socket.gethostname()
    with publication_lock(PREFIX) as (clickhouse, lease):
        planned = read_plan(directory)
        manifest = gather(
            clickhouse, shop(tables), planned, _staged_by("copy"), directory, host=host, now=now
        )
        return publish(clickhouse, manifest, parts, attempt=this_attempt(), now=now, check_lease=lease.check)


def catch_up_run(tables: Sequence[str]) -> dict[str, Any]:
    """Do what a run of shop_sync does: send what was written since the first range was read."""
    from include.change_capture.request import SyncRequest
    from include.change_capture.synchronization import publish, stage
    from include.clickhouse.load import load_part
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook

    directory, attempt = _catch_up_directory(), this_attempt()
    with ClickHouseHook().get_client() as clickhouse:
        manifest = stage(
            clickhouse,
            shop(tables),
            SyncRequest(full_check=True),
            _staged_by("catch_up"),
            directory,
            host=socket.gethostname(),
            now=now,
        )
        parts = [
            load_part(clickhouse, directory, manifest, table=name, file=part.file, attempt=attempt)
            for name, each in manifest.tables.items()
            for part in each.parts
        ]
    with publication_lock(PREFIX) as (clickhouse, lease):
        return publish(clickhouse, manifest, parts, attempt=attempt, now=now, check_lease=lease.check)


def validate_run() -> list[dict[str, Any]]:
    """Compare all values of source and destination at one instant; return what was found. Raises: Differs."""
    from include.change_capture.comparison import compare, require_same
    from include.clickhouse.staging_tables import drop_staging_tables
    from include.staging.cleaning import drop_old_runs, drop_unfinished_files
    from include.staging.manifest import read_manifest
    from stagehouse.hooks.storage_roots import staging_root

    directory = _catch_up_directory()
    manifest = read_manifest(directory, _staged_by("catch_up"))
    with publication_lock(PREFIX) as (clickhouse, _):
        compared = compare(clickhouse, directory, manifest)
        require_same(clickhouse, compared)
        for each in (manifest, _migrated_manifest()):
            drop_staging_tables(clickhouse, each.tables, each.run_id)
    drop_old_runs(staging_root(), manifest.dag_id, now())
    drop_unfinished_files(staging_root() / manifest.dag_id, now())
    return [each.model_dump(mode="json") for each in compared]


def _migrated_manifest() -> Manifest:
    return manifest_of("copy", run_date())


def _directory() -> StagingPath:
    return staging_of(run_date())


def _catch_up_directory() -> StagingPath:
    return _directory() / "catch_up"


def _staged_by(task: str) -> StagedBy:
    from include.staging.manifest import StagedBy

    return StagedBy(**run_context(), day=run_date(), task=task)
