"""The work of api_calls: its request, its turn to ask the API, its own tasks."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from include.api_calls.request import read_request
from include.staging.files import run_directory
from stagehouse.clock import now
from stagehouse.hooks.publication import publication_lock
from stagehouse.hooks.rescheduling import reschedule_on_wait
from stagehouse.hooks.storage_roots import inbox_root, recipes_root, reports_root, staging_root
from stagehouse.pipeline.run_context import run_context, run_date, staging_of
from stagehouse.pipeline.staged import part_list

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from include.api_calls.marks import Marks
    from include.api_calls.request import CallsRequest
    from include.api_calls.staging import StagedFile
    from include.clickhouse.client import ClickHouse
    from include.staging.files import StagingPath
    from include.staging.manifest import Manifest
    from stagehouse.hooks.http_api_hook import HttpApiHook

DAG_ID = TABLE = "api_calls"

log = logging.getLogger(__name__)


def run_request() -> CallsRequest:
    """Return what the run is asked for. Raises: BadParam."""
    return read_request(get_current_context()["params"])


def reports() -> StagingPath:
    """Return the run's own directory of results."""
    return run_directory(reports_root(), day=run_date(), **run_context())


def require_input() -> None:
    """Require file, recipe and connection to be usable.

    Raises: BadParam, BadVariable, OutsideInbox, BadRecipe, BadConnection, BadEnvironment.
    """
    from include.api_calls.recipe import read_recipe
    from include.inbox.files import locate

    request = run_request()
    recipe, _ = read_recipe(recipes_root(), request.recipe)
    locate(inbox_root(), request.path)
    _hook(recipe.connection).require_usable()


def stage_run() -> dict[str, int]:
    """Copy and check the file; return how many rows it has, and how many of them are rejected."""
    from include.api_calls.staging import REJECTED, stage_file
    from include.staging.files import write_atomically

    def tell_rejected(lines: bytes) -> str:
        path = reports() / REJECTED
        write_atomically(path, lines, mode=0o644)
        return str(path)

    staged = stage_file(
        inbox_root(),
        recipes_root(),
        run_request(),
        staging_of(run_date()),
        **run_context(),
        day=run_date(),
        host=socket.gethostname(),
        now=now,
        tell_rejected=tell_rejected,
    )
    get_current_context()["ti"].xcom_push("host", socket.gethostname())
    return {"rows": staged.rows, "rejected": staged.rejected}


def plan_run() -> bool:
    """Say what is to be sent; in a dry run show the first requests. Return whether the run goes on."""
    from include.api_calls.planning import first_requests, plan_calls
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook

    staged, request = _staged(), run_request()
    hook, run_id = _hook(staged.recipe.connection), run_context()["run_id"]
    with ClickHouseHook().get_client() as clickhouse:
        plan = plan_calls(
            staged,
            request,
            staging_of(run_date()),
            clickhouse,
            run_id=run_id,
            requests_per_second=hook.options.requests_per_second,
            now=now(),
        )
    told: dict[str, Any] = plan.model_dump()
    if request.dry_run:
        told["requests"] = list(
            first_requests(
                staged, request, hook.rules(), hook.base_url, run_id=run_id, secret=hook.has_secret
            )
        )
        for shown in told["requests"]:
            log.info("not sent:\n%s", shown)
    get_current_context()["ti"].xcom_push("plan", told)
    return not request.dry_run


async def call_run() -> list[dict[str, str]]:
    """Call the rows and stage their outcomes; return table and file of each part."""
    from include.api_calls.attempt import Api, RunId, call_file
    from include.api_calls.planning import MOST_HOURS
    from include.api_calls.progress import PROGRESS
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook
    from stagehouse.hooks.http_api_hook import LIMITS

    staged = _staged()
    hook, run = _hook(staged.recipe.connection), run_context()
    with reschedule_on_wait(), hook.lease() as lease, ClickHouseHook().get_client() as clickhouse:
        api = Api(
            hook.transport(staging_root() / LIMITS, staged.recipe.not_done),
            hook.base_url,
            hook.rules().connection,
            hook.options.max_concurrent_requests,
            lease.check,
        )
        async with _marks(staged) as marks:
            manifest = await call_file(
                staged,
                run_request(),
                staging_of(run_date()),
                RunId(**run, day=run_date(), host=socket.gethostname()),
                api,
                clickhouse,
                marks=None if staged.recipe.is_repeatable else marks,
                progress=reports() / PROGRESS,
                now=now,
                last_try=_is_last_try(),
                ends_at=_began() + timedelta(hours=MOST_HOURS),
            )
    return part_list(manifest)


def tell_published(
    _clickhouse: ClickHouse, _manifest: Manifest, _now: datetime, _check_lease: Callable[[], None]
) -> None:
    """Say that other runs can see what became of the rows."""
    staged = _staged()

    async def tell() -> None:
        async with _marks(staged) as marks:
            await marks.published()

    if not staged.recipe.is_repeatable:
        asyncio.run(tell())


def outcome_counts(manifest: Manifest, _: dict[str, int]) -> dict[str, Any]:
    """Return what became of the rows of the file."""
    return {name: manifest.facts[name] for name in ("path", "recipe", "rows", "outcomes", "requests")}


def render_run() -> str:
    """Write the files of the run from what readers see; return their directory."""
    from include.api_calls.progress import PROGRESS, write_progress
    from include.api_calls.results import published_counts, write_results
    from include.pages.api_calls import OpenRows, write_calls_page
    from include.staging.cleaning import drop_unfinished_files

    staged, run_id, directory = _staged(), run_context()["run_id"], reports()
    rows = OpenRows(staged)
    with publication_lock(TABLE) as (clickhouse, lease):
        write_results(clickhouse, staged, staging_of(run_date()), directory, run_id, tell=rows.take)
        counts = published_counts(clickhouse, staged.name, run_id)
        lease.check()
    write_calls_page(directory, staged, run_date(), run_id, counts, rows)
    facts = {"run_id": run_id, "recipe": staged.name, "path": staged.path, "state": "finished"}
    told = {**facts, "rows": staged.rows, "done": staged.rows, **counts, "seconds_left": 0}
    write_progress(directory / PROGRESS, {**told, "updated_at": now().isoformat(timespec="seconds")})
    drop_unfinished_files(reports_root() / DAG_ID, now())
    return str(directory)


def judge_run() -> dict[str, int]:
    """Require that all rows are well; return them by outcome. Raises: NotAllDone."""
    from include.api_calls.attempt import TASK
    from include.api_calls.results import published_counts
    from include.api_calls.verdict import judge
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook
    from stagehouse.pipeline.run_context import manifest_of

    staged, manifest = _staged(), manifest_of(TASK, run_date())
    with ClickHouseHook().get_client() as clickhouse:
        counts = published_counts(clickhouse, staged.name, run_context()["run_id"])
    judge(
        counts,
        max_failed=run_request().max_failed,
        stopped=str(manifest.facts["stopped"]),
        results=str(reports()),
    )
    return counts


def _hook(connection: str) -> HttpApiHook:
    from stagehouse.hooks.http_api_hook import HttpApiHook

    return HttpApiHook(connection)


def _staged() -> StagedFile:
    from include.api_calls.staging import TASK, staged_file
    from include.staging.manifest import StagedBy

    staged_by = StagedBy(**run_context(), day=run_date(), task=TASK)
    staged_on = get_current_context()["ti"].xcom_pull(task_ids=TASK, key="host")
    return staged_file(
        staging_of(run_date()), staged_by, staged_on=str(staged_on or ""), host=socket.gethostname()
    )


def _marks(staged: StagedFile) -> Marks:
    from include.api_calls.marks import Marks
    from stagehouse.hooks.postgres_hook import StagehousePostgresHook

    run = json.dumps([DAG_ID, run_context()["run_id"]])
    return Marks(StagehousePostgresHook().async_connect(), run, staged.name)


def _began() -> datetime:
    """Return when the run began, or was last cleared: its time limit counts from there."""
    began: datetime | None = get_current_context()["dag_run"].start_date
    return began or now()


def _is_last_try() -> bool:
    task: Any = get_current_context()["ti"]
    return bool(task.try_number > (task.max_tries or 0))
