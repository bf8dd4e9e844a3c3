"""
### The top GitHub repositories, and who committed to them

Every night, for the UTC day before: ranks repositories by stars, counts the day's commits by author, and
publishes both in ClickHouse, exactly once.

| task | reads | writes | safe to rerun |
| ---- | ----- | ------ | ------------- |
| `postgres_health` | params, `postgres_default`, what `github_default` says | XCom: the facts found | yes |
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
from datetime import timedelta

from airflow.sdk import Asset, Param, chain, dag, task

from include.github.request import APIS, DEFAULT_QUERY, DEFAULT_TOP, MAX_QUERY, MAX_TOP, MAX_VERIFY
from stagehouse.hooks.storage_roots import require_storage
from stagehouse.jobs import github_top_repositories as job
from stagehouse.pipeline.defaults import DAG_DEFAULTS, TASK_DEFAULTS, day_before
from stagehouse.pipeline.params import day_param
from stagehouse.pipeline.preflight import postgres_facts, tables
from stagehouse.pipeline.staged import StagedSource, load_publish_check

STAGED = StagedSource(
    task="fetch",
    day=job.requested_day,
    guarded=job.DAG_ID,
    asset=Asset("github_top_repositories_day"),
    on_published=job.record_run_cost,
)


@dag(
    **DAG_DEFAULTS,
    schedule=day_before("30 0 * * *"),
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=23),
    params={
        "top": Param(
            DEFAULT_TOP,
            type="integer",
            minimum=1,
            maximum=MAX_TOP,
            title="Repositories",
            description=f"How many of the top repositories, 1 to {MAX_TOP}.",
        ),
        "query": Param(
            DEFAULT_QUERY,
            type="string",
            minLength=1,
            maxLength=MAX_QUERY,
            title="Search",
            description="Which repositories are ranked, in GitHub's search syntax.",
        ),
        "day": day_param("Day (UTC)", "Not in the future. Empty: the run's own day; by hand, yesterday."),
        "api": Param(
            "auto",
            type="string",
            enum=list(APIS),
            title="API",
            description="Which of GitHub's APIs is asked. auto: graphql where the connection has a token.",
        ),
        "verify": Param(
            0,
            type="integer",
            minimum=0,
            maximum=MAX_VERIFY,
            title="Verify",
            description="How many repositories a run by GraphQL reads again by REST, to compare the two.",
        ),
        "plan_only": Param(
            default=False,
            type="boolean",
            title="Plan only",
            description="Rank, say what the day's commits would cost, and stop before asking for them.",
        ),
    },
    default_args=TASK_DEFAULTS,
    tags=["github", "clickhouse"],
    doc_md=__doc__,
)
def github_top_repositories() -> None:
    """Wire the nine tasks."""

    @task
    async def postgres_health() -> dict[str, object]:
        job.run_request()
        job.require_github_connection()
        require_storage("staging_root", "reports_root")  # a mistake there fails the run before the fetch
        return await postgres_facts()

    @task(max_active_tis_per_dag=job.tasks_at_once(), execution_timeout=timedelta(hours=3))
    async def rank() -> int:
        return await job.rank_run()

    @task.short_circuit(max_active_tis_per_dag=job.tasks_at_once())
    def plan() -> bool:
        asyncio.run(job.plan_run())
        return not job.run_options().plan_only

    @task(max_active_tis_per_dag=job.tasks_at_once(), execution_timeout=timedelta(hours=12))
    async def fetch() -> list[dict[str, str]]:
        return await job.fetch_run()

    @task
    def render() -> str:
        return job.render_run()

    parts = fetch()
    chain(postgres_health(), tables(), rank(), plan(), parts)
    chain(load_publish_check(parts, STAGED), render())


github_top_repositories()
