"""
### The top GitHub repositories, and who committed to them

Every night, for the UTC day before: ranks repositories by stars, counts the day's commits by author, and
publishes both in ClickHouse, exactly once.

| task | reads | writes | safe to rerun |
| ---- | ----- | ------ | ------------- |
| `postgres_health` | params, `postgres_default` | XCom: the facts found | yes |
| `tables` | `clickhouse_default` | missing tables and columns | yes, does nothing |
| `rank` | `github_default`: search | `ranking.ndjson` in the run's staging | yes, the saved list is used |
| `plan` | the quotas of `github_default`, ClickHouse | the run's row in `runs` | yes, the first is kept |
| `fetch` | `github_default`: commits | parts, then the manifest | yes, asks only for the rest |
| `load` | one part | a staging table of this try | yes |
| `publish` | the staging tables | the day in every table, `loads`, `runs` | yes, replaces the day whole |
| `check` | ClickHouse, the manifest, the lease of `publish` | the asset `github_top_repositories_day` | yes |
| `render` | ClickHouse | the day's page under `reports_root` | yes, the same bytes |

**A day** is [00:00, 24:00) UTC by committer date. **A backfill** of an older day stores commits and outcomes
only: GitHub tells the stars of now, not of then, so `repositories` and `repositories_positions` of that day
stay as they are.

**The plan**: before the first commit is asked for, `plan` says what that will cost and whether the quota has
it. One that does not fit waits for the quota's reset, without a worker slot; one that no run has time for is
red. With the param `plan_only` the run ends there, green, and publishes nothing.

**When it is red**: the error of the first red task names what is wrong and the next step. Mended? Clear that
task with all after it: nothing is fetched twice.
"""

from __future__ import annotations

import stagehouse.preconditions  # noqa: F401 - says what is missing

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from airflow.sdk import (
    Asset,
    CronPartitionTimetable,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    TriggerRule,
    chain,
    dag,
    get_current_context,
    task,
)

from include.errors import PermanentError
from stagehouse.hooks.failure_notice import notify_run_failure, notify_task_failure
from stagehouse.hooks.publication import publication_lock
from stagehouse.hooks.run_context import run_context, this_attempt
from stagehouse.hooks.storage_roots import reports_root, require_storage, staging_root
from stagehouse.hooks.top_repositories_params import run_params
from stagehouse.hooks.top_repositories_run import (
    github_session,
    plan_run,
    require_token_where_asked_for,
    run_options,
    run_request,
    staged_manifest,
    staging,
    tasks_at_once,
)

if TYPE_CHECKING:
    from airflow.sdk.execution_time.context import OutletEventAccessors


DAY_PUBLISHED = Asset("github_top_repositories_day")
RETRY_POLICY = ExceptionRetryPolicy([RetryRule(exception=PermanentError, action=RetryAction.FAIL)])


@dag(
    schedule=CronPartitionTimetable("30 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    disable_bundle_versioning=True,  # plugins/ are those of now
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=23),
    on_failure_callback=notify_run_failure,
    params=run_params(),
    default_args={
        "on_failure_callback": notify_task_failure,
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=10),
        "retry_policy": RETRY_POLICY,
        "execution_timeout": timedelta(minutes=15),
    },
    tags=["github", "clickhouse"],
    doc_md=__doc__,
)
def github_top_repositories() -> None:
    """Wire the nine tasks."""

    @task
    async def postgres_health() -> dict[str, object]:
        from stagehouse.hooks.postgres_hook import StagehousePostgresHook

        run_request()
        require_token_where_asked_for()
        require_storage("staging_root", "reports_root")  # what is wrong there is told before the fetch
        return (await StagehousePostgresHook().check_health()).model_dump(mode="json")

    @task
    def tables() -> list[int]:
        from include.clickhouse.schema import migrate
        from stagehouse.hooks.clickhouse_hook import ClickHouseHook

        with ClickHouseHook().get_client() as clickhouse:
            return migrate(clickhouse)

    @task(max_active_tis_per_dag=tasks_at_once(), execution_timeout=timedelta(hours=3))
    async def rank() -> int:
        async with github_session() as session:
            return len(session.ranking)

    @task.short_circuit(max_active_tis_per_dag=tasks_at_once())
    def plan() -> bool:
        asyncio.run(plan_run())
        return not run_options().plan_only

    @task(max_active_tis_per_dag=tasks_at_once(), execution_timeout=timedelta(hours=12))
    async def fetch() -> list[dict[str, str]]:
        from include.github.apis import commits_by
        from include.github.commits.verification import verified_by_rest
        from include.github.fetch import fetch as fetch_commits

        async with github_session() as (client, api, ranking, allowed):
            source, verified = commits_by(api, client), run_options().verified(api)
            manifest = await fetch_commits(
                client,
                source,
                ranking,
                run_request(),
                staging(),
                **run_context(),
                now=partial(datetime.now, UTC),
                check_lease=allowed,
                verify=verified_by_rest(client, source, ranking, verified, allowed),
            )
        get_current_context()["ti"].xcom_push("host", manifest.host)
        return [
            {"table": table, "file": part.file}
            for table, parts in manifest.tables.items()
            for part in parts.parts
        ]

    @task(
        map_index_template="{{ task.op_kwargs['part']['file'].rsplit('-', 1)[0] }}",
        multiple_outputs=False,  # else each key is an XCom too: four requests more for each part
        execution_timeout=timedelta(hours=1),
    )
    def load(part: dict[str, str]) -> dict[str, object]:
        from include.clickhouse.load import load_part
        from stagehouse.hooks.clickhouse_hook import ClickHouseHook

        directory = staging()
        with ClickHouseHook().get_client() as clickhouse:
            staged = load_part(clickhouse, directory, staged_manifest(), **part, attempt=this_attempt())
        return staged.model_dump()

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def publish(staged: Sequence[dict[str, object]]) -> dict[str, int]:
        from include.clickhouse.load import StagedPart
        from include.clickhouse.publish import publish_day
        from include.github.runs import record_cost

        manifest = staged_manifest()
        parts = [StagedPart.model_validate(part) for part in staged]
        with publication_lock(manifest.day) as (clickhouse, lease):
            now, allowed = partial(datetime.now, UTC), lease.check
            rows = publish_day(
                clickhouse, manifest, parts, attempt=this_attempt(), now=now, check_lease=allowed
            )
            record_cost(clickhouse, manifest, now(), allowed)
        return rows

    @task(outlets=[DAY_PUBLISHED])
    def check(*, outlet_events: OutletEventAccessors) -> dict[str, int]:
        from include.clickhouse.publish import check_day
        from include.staging.cleaning import drop_old_runs, drop_unfinished_files

        directory = staging()
        manifest = staged_manifest()
        with publication_lock(manifest.day) as (clickhouse, _):
            rows = check_day(clickhouse, directory, manifest, this_attempt())
        outlet_events[DAY_PUBLISHED].extra = {"day": manifest.day.isoformat(), "rows": rows}
        drop_old_runs(staging_root(), manifest.dag_id, now := datetime.now(UTC))
        drop_unfinished_files(staging_root() / manifest.dag_id, now)
        return rows

    @task
    def render() -> str:
        from include.pages.run_note import write_run_note
        from include.pages.top_repositories import PAGES, render_top_repositories
        from include.pages.top_repositories_data import read_top_repositories
        from include.staging.cleaning import drop_unfinished_files

        day, root = run_request().day, reports_root()
        with publication_lock(day) as (clickhouse, lease):
            data = read_top_repositories(clickhouse, day)
            directory = render_top_repositories(root, data, check_lease=lease.check)
        write_run_note(root / PAGES, run_context()["run_id"], day)
        drop_unfinished_files(root / PAGES, datetime.now(UTC))
        return str(directory)

    parts = fetch()
    published = publish(load.expand(part=parts))
    chain(postgres_health(), tables(), rank(), plan(), parts)
    chain(published, check(), render())


github_top_repositories()
