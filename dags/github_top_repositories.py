"""
### The top GitHub repositories, and who committed to them

Every night, for the UTC day before: ranks repositories by stars, counts the day's commits by author, and
publishes both in ClickHouse, exactly once.

| task | reads | writes | safe to rerun |
| ---- | ----- | ------ | ------------- |
| `postgres_health` | params, `postgres_default` | XCom: the facts found | yes |
| `tables` | `clickhouse_default` | missing tables and columns | yes, does nothing |
| `rank` | `github_default`: search | `ranking.ndjson` in the run's staging | yes, the saved list is used |
| `fetch` | `github_default`: commits | parts, then the manifest | yes, asks only for the rest |
| `load` | one part | a staging table of this try | yes |
| `publish` | the staging tables | the day in every table, `loads` | yes, replaces the day whole |
| `check` | ClickHouse, the manifest, the lease of `publish` | the asset `github_top_repositories_day` | yes |
| `render` | ClickHouse | the day's page under `reports_root` | yes, the same bytes |

**A day** is [00:00, 24:00) UTC by committer date. **A backfill** of an older day stores commits and outcomes
only: GitHub tells the stars of now, not of then, so `repositories` and `repositories_positions` of that day
stay as they are.

**When it is red**: the error of the first red task names what is wrong and the next step. Mended? Clear that
task with all after it: nothing is fetched twice.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from airflow.sdk import (
    Asset,
    CronPartitionTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    TriggerRule,
    chain,
    dag,
    get_current_context,
    task,
)

from hooks.connection_fields import BadConnection
from hooks.failure_notice import tell_failed_run, tell_failed_task
from hooks.publication import only_one_publishing
from hooks.rescheduling import slot_given_back_while_waiting
from hooks.storage_roots import BadVariable, reports_root, require_storage, staging_root
from include.github.errors import (
    ApisDiffer,
    DayNotPublished,
    Forbidden,
    ForeignOrigin,
    Invalid,
    MostlyGone,
    NothingRanked,
    TooManyPages,
    TooManyRedirects,
    Unauthorized,
    WrongRanking,
)
from include.github.request import (
    APIS,
    DEFAULT_QUERY,
    DEFAULT_TOP,
    MAX_QUERY,
    MAX_TOP,
    MAX_VERIFY,
    read_options,
    read_request,
)
from include.params import BadParam
from include.run_day import run_day
from include.staging.files import run_directory

if TYPE_CHECKING:
    from airflow.sdk.execution_time.context import OutletEventAccessors

    from hooks.github_hook import GitHubHook
    from include.github.request import RunOptions, TopRepositoriesRequest
    from include.postgres.lease import Lease
    from include.staging.files import StagingPath
    from include.staging.manifest import Manifest

DAY_PUBLISHED = Asset("github_top_repositories_day")
TRYING_AGAIN_IS_NO_USE = ExceptionRetryPolicy(
    [
        RetryRule(exception=[BadParam, BadConnection, BadVariable, WrongRanking], action=RetryAction.FAIL),
        RetryRule(
            exception=[Unauthorized, Forbidden, Invalid, MostlyGone, NothingRanked], action=RetryAction.FAIL
        ),
        RetryRule(
            exception=[ForeignOrigin, TooManyPages, TooManyRedirects, DayNotPublished, ApisDiffer],
            action=RetryAction.FAIL,
        ),
    ]
)


@dag(
    schedule=CronPartitionTimetable("30 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=23),
    on_failure_callback=tell_failed_run,
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
        "day": Param(
            "",
            type=["null", "string"],
            pattern="^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
            title="Day (UTC)",
            description="YYYY-MM-DD, not in the future. Empty: the run's own day; by hand, yesterday.",
        ),
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
    default_args={
        "on_failure_callback": tell_failed_task,
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=10),
        "retry_policy": TRYING_AGAIN_IS_NO_USE,
        "execution_timeout": timedelta(minutes=15),
    },
    tags=["github", "clickhouse"],
    doc_md=__doc__,
)
def github_top_repositories() -> None:
    """Wire the eight tasks."""

    @task
    async def postgres_health() -> dict[str, object]:
        from hooks.postgres_hook import StagehousePostgresHook

        _request()
        _options()
        require_storage("staging_root", "reports_root")  # what is wrong there is told before the fetch
        return (await StagehousePostgresHook().check_health()).model_dump(mode="json")

    @task
    def tables() -> list[int]:
        from hooks.clickhouse_hook import ClickHouseHook
        from include.clickhouse.schema import migrate

        with ClickHouseHook().get_client() as clickhouse:
            return migrate(clickhouse)

    @task(max_active_tis_per_dag=1)
    async def rank() -> int:
        from include.github.apis import search_by
        from include.github.ranking import rank as rank_repositories

        with _only_one_asking_github() as (hook, lease):
            async with hook.get_conn() as client:
                api, now = _options().chosen_api(has_token=client.has_token), datetime.now(UTC)
                search = search_by(api, client)
                ranking = await rank_repositories(client, search, _request(), _directory(), now, lease.check)
        return len(ranking)

    @task(max_active_tis_per_dag=1, execution_timeout=timedelta(hours=12))
    async def fetch() -> list[dict[str, str]]:
        from include.github.apis import commits_by, search_by
        from include.github.fetch import fetch as fetch_commits
        from include.github.ranking import rank as rank_repositories
        from include.github.verification import verified_by_rest

        request, options, directory, now = _request(), _options(), _directory(), partial(datetime.now, UTC)
        with _only_one_asking_github() as (hook, lease):
            async with hook.get_conn() as client:
                api, allowed = options.chosen_api(has_token=client.has_token), lease.check
                search, source = search_by(api, client), commits_by(api, client)
                ranking = await rank_repositories(client, search, request, directory, now(), allowed)
                verify = verified_by_rest(client, source, ranking, options.verify if api == "graphql" else 0)
                manifest = await fetch_commits(
                    client,
                    source,
                    ranking,
                    request,
                    directory,
                    **_run(),
                    now=now,
                    still_allowed=allowed,
                    after_asking=verify,
                )
        get_current_context()["ti"].xcom_push("host", manifest.host)
        return [
            {"table": table, "file": part.file}
            for table, parts in manifest.tables.items()
            for part in parts.parts
        ]

    @task(
        map_index_template="{{ task.op_kwargs['part']['file'].rsplit('-', 1)[0] }}",
        execution_timeout=timedelta(hours=1),
    )
    def load(part: dict[str, str]) -> dict[str, object]:
        from hooks.clickhouse_hook import ClickHouseHook
        from include.clickhouse.load import load_part

        directory = _directory()
        with ClickHouseHook().get_client() as clickhouse:
            staged = load_part(clickhouse, directory, _manifest(), **part, attempt=_attempt())
        return staged.model_dump()

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def publish(staged: Sequence[dict[str, object]]) -> dict[str, int]:
        from include.clickhouse.load import StagedPart
        from include.clickhouse.publish import publish_day

        manifest = _manifest()
        parts = [StagedPart.model_validate(part) for part in staged]
        with only_one_publishing(manifest.day) as (clickhouse, lease):
            now, allowed = partial(datetime.now, UTC), lease.check
            return publish_day(
                clickhouse, manifest, parts, attempt=_attempt(), now=now, still_allowed=allowed
            )

    @task(outlets=[DAY_PUBLISHED])
    def check(*, outlet_events: OutletEventAccessors) -> dict[str, int]:
        from include.clickhouse.publish import check_day
        from include.staging.cleaning import drop_old_runs, drop_unfinished_files

        directory = _directory()
        manifest = _manifest()
        with only_one_publishing(manifest.day) as (clickhouse, _):
            rows = check_day(clickhouse, directory, manifest, _attempt())
        outlet_events[DAY_PUBLISHED].extra = {"day": manifest.day.isoformat(), "rows": rows}
        drop_old_runs(staging_root(), manifest.dag_id, now := datetime.now(UTC))
        drop_unfinished_files(staging_root() / manifest.dag_id, now)
        return rows

    @task
    def render() -> str:
        from include.github.page_data import read_top_repositories
        from include.pages.run_note import write_run_note
        from include.pages.top_repositories import PAGES, render_top_repositories
        from include.staging.cleaning import drop_unfinished_files

        day, root = _request().day, reports_root()
        with only_one_publishing(day) as (clickhouse, lease):
            data = read_top_repositories(clickhouse, day)
            directory = render_top_repositories(root, data, still_allowed=lease.check)
        write_run_note(root / PAGES, _run()["run_id"], day)
        drop_unfinished_files(root / PAGES, datetime.now(UTC))
        return str(directory)

    parts = fetch()
    published = publish(load.expand(part=parts))
    chain(postgres_health(), tables(), rank(), parts)
    chain(published, check(), render())


def _request() -> TopRepositoriesRequest:
    context = get_current_context()
    partition, due = context["dag_run"].partition_key, context["dag_run"].run_after
    today = datetime.now(UTC).date()
    request = read_request(context["params"], run_day=run_day(partition, due), today=today)
    if partition and request.day.isoformat() != partition:
        raise BadParam("day", str(request.day), f"empty or {partition}, the partition of this run")
    return request


def _options() -> RunOptions:
    return read_options(get_current_context()["params"])


def _run() -> dict[str, str]:
    context = get_current_context()
    return {"dag_id": context["dag_run"].dag_id, "run_id": context["dag_run"].run_id}


def _directory() -> StagingPath:
    return run_directory(staging_root(), day=_request().day, **_run())


def _manifest() -> Manifest:
    """Return what the run has staged, perhaps on another worker."""
    from include.staging.manifest import StagedBy, read_manifest

    staged_by = StagedBy(**_run(), day=_request().day, task="fetch")
    staged_on = get_current_context()["ti"].xcom_pull(task_ids="fetch", key="host")
    return read_manifest(_directory(), staged_by, staged_on=str(staged_on or ""), host=socket.gethostname())


def _attempt() -> str:
    """Return a text that no other try of this task has, also when the task is cleared and counts anew."""
    return str(get_current_context()["ti"].id)


@contextmanager
def _only_one_asking_github() -> Iterator[tuple[GitHubHook, Lease]]:
    """Hold the budget of the GitHub account: one process at a time asks, of all runs and tries."""
    from hooks.github_hook import GitHubHook
    from hooks.postgres_hook import StagehousePostgresHook

    hook = GitHubHook(staging_root=staging_root())
    with slot_given_back_while_waiting(), StagehousePostgresHook().lease(*hook.lease_names()) as lease:
        yield hook, lease


github_top_repositories()
