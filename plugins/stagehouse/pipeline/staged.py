"""stage -> load -> publish -> check: the tasks that bring a source's rows into ClickHouse, exactly once."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, TaskGroup, TriggerRule, chain, get_current_context, task

from stagehouse.clock import now
from stagehouse.hooks.publication import publication_lock
from stagehouse.hooks.storage_roots import staging_root
from stagehouse.pipeline.defaults import TASK_TIMEOUT
from stagehouse.pipeline.run_context import manifest_of, run_context, staging_of, this_attempt

if TYPE_CHECKING:
    from airflow.sdk.execution_time.context import OutletEventAccessors

    from include.clickhouse.client import ClickHouse
    from include.staging.manifest import Manifest
    from include.staging.tables import Row, StagedTable

LOAD_TIMEOUT = timedelta(hours=1)


def day_event(manifest: Manifest, rows: dict[str, int]) -> dict[str, Any]:
    """Return the extra of a published day's event: the day, and rows by table."""
    return {"day": manifest.day.isoformat(), "rows": rows}


@dataclass(frozen=True)
class StagedSource:
    """The facts of a source that the shared tasks need.

    Attributes:
        task: the id of the task that writes the manifest: later errors tell people to clear it.
        day: returns the day that names this run's staging directory and its rows in `loads`.
        guarded: the DAG or the table that the lease of a publication names, with the day or without it.
        asset: emitted when the data in sight is checked.
        event: makes the extra of the asset's event from the manifest and rows by table.
        summary: makes what `check` returns from the same; rows by table unless given.
        before_publication: called under the lease, with a client and the manifest; may end the try.
        on_published: called under the lease after the publication, with a client, the manifest, the time, and
            what checks the lease.
        on_checked: called under the lease when the rows in sight are checked, with a client and the manifest.
    """

    task: str
    day: Callable[[], date]
    guarded: str
    asset: Asset
    event: Callable[[Manifest, dict[str, int]], dict[str, Any]] = day_event
    summary: Callable[[Manifest, dict[str, int]], dict[str, Any]] = lambda _, rows: rows
    before_publication: Callable[[ClickHouse, Manifest], None] | None = None
    on_published: Callable[[ClickHouse, Manifest, datetime, Callable[[], None]], None] | None = None
    on_checked: Callable[[ClickHouse, Manifest], None] | None = None

    def manifest(self) -> Manifest:
        """Return what the run has staged, perhaps on another worker. Raises: StagingError."""
        return manifest_of(self.task, self.day())


def stage_rows(source: StagedSource, *staged: tuple[StagedTable, Iterable[Row]]) -> list[dict[str, str]]:
    """Stage the rows of a day, for each table; return what part_list() does.

    What an earlier try of this run has staged is used: of a generator not even the first row is read then.

    Raises: whatever the rows raise; BadRow; OSError.
    """
    from include.staging.manifest import Manifest, StagedBy, own_manifest, parts_are_whole, save_manifest
    from include.staging.parts import write_table

    run, day = run_context(), source.day()
    directory = staging_of(day)
    manifest = own_manifest(directory, StagedBy(**run, day=day, task=source.task))
    if manifest is None or not parts_are_whole(directory, manifest):
        manifest = Manifest(
            dag_id=run["dag_id"],
            run_id=run["run_id"],
            day=day,
            task=source.task,
            host=socket.gethostname(),
            written_at=now(),
            tables={table.name: write_table(directory, table, rows) for table, rows in staged},
        )
        save_manifest(directory, manifest)
    return part_list(manifest)


def part_list(manifest: Manifest) -> list[dict[str, str]]:
    """Return table and file of each staged part, over which `load` is mapped.

    To be called in the task that stages: it tells the later ones on which host the files were written.
    """
    get_current_context()["ti"].xcom_push("host", manifest.host)
    tables = manifest.tables.items()
    return [{"table": name, "file": part.file} for name, table in tables for part in table.parts]


def load_publish_check(parts: Any, source: StagedSource, *, timeout: timedelta = TASK_TIMEOUT) -> TaskGroup:
    """Add the tasks `load` (one a part), `publish` and `check`; return their group.

    Args: parts: what the task returns that ends with part_list(). timeout: of `publish` and of `check`.
    """
    with TaskGroup("staged", prefix_group_id=False) as group:

        @task(
            map_index_template="{{ task.op_kwargs['part']['file'].rsplit('-', 1)[0] }}",
            multiple_outputs=False,  # else each key is an XCom too: four requests more for each part
            execution_timeout=LOAD_TIMEOUT,
        )
        def load(part: dict[str, str]) -> dict[str, object]:
            return load_staged_part(source, part)

        @task(trigger_rule=TriggerRule.NONE_FAILED, execution_timeout=timeout)
        def publish(staged: Sequence[dict[str, object]]) -> dict[str, int]:
            return publish_staged(source, staged)

        @task(outlets=[source.asset], execution_timeout=timeout)
        def check(*, outlet_events: OutletEventAccessors) -> dict[str, Any]:
            manifest, rows = check_published(source)
            outlet_events[source.asset].extra = source.event(manifest, rows)
            return source.summary(manifest, rows)

        published = publish(load.expand(part=parts))  # type: ignore[arg-type]  # Airflow brings the list
        chain(published, check())  # type: ignore[call-arg]  # and the events
    return group


def load_staged_part(source: StagedSource, part: dict[str, str]) -> dict[str, object]:
    """Load one part into a staging table of this try; return it as a StagedPart dumps itself."""
    from include.clickhouse.load import load_part
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook

    manifest = source.manifest()
    directory = staging_of(manifest.day)
    with ClickHouseHook().get_client() as clickhouse:
        staged = load_part(
            clickhouse,
            directory,
            manifest,
            table=part["table"],
            file=part["file"],
            attempt=this_attempt(),
        )
    return staged.model_dump()


def publish_staged(source: StagedSource, staged: Sequence[dict[str, object]]) -> dict[str, int]:
    """Publish what is loaded, under the source's lease; return rows by table."""
    from include.clickhouse.load import StagedPart
    from include.clickhouse.publish import publish_day

    manifest = source.manifest()
    parts = [StagedPart.model_validate(part) for part in staged]
    with publication_lock(source.guarded, _guarded_day(manifest)) as (clickhouse, lease):
        if source.before_publication:
            source.before_publication(clickhouse, manifest)
        rows = publish_day(
            clickhouse, manifest, parts, attempt=this_attempt(), now=now, check_lease=lease.check
        )
        if source.on_published:
            source.on_published(clickhouse, manifest, now(), lease.check)
    return rows


def check_published(source: StagedSource) -> tuple[Manifest, dict[str, int]]:
    """Require what readers see to be what was staged; return the manifest and rows by table.

    Then drop what older runs of the DAG have left in staging.
    """
    from include.clickhouse.publish import check_day
    from include.staging.cleaning import drop_old_runs, drop_unfinished_files

    manifest = source.manifest()
    with publication_lock(source.guarded, _guarded_day(manifest)) as (clickhouse, _):
        rows = check_day(clickhouse, staging_of(manifest.day), manifest, this_attempt())
        if source.on_checked:
            source.on_checked(clickhouse, manifest)
    drop_old_runs(staging_root(), manifest.dag_id, now())
    drop_unfinished_files(staging_root() / manifest.dag_id, now())
    return manifest, rows


def _guarded_day(manifest: Manifest) -> date | None:
    """Return the day whose publications exclude each other; None for all days, where the last one counts."""
    tables = [parts.table for parts in manifest.tables.values()]
    one_counts = any(table.last_insert_counts or table.replaced_whole or table.appended for table in tables)
    return None if one_counts else manifest.day
