"""Plans a run: what is left to be asked, what that costs, what the tokens have; told, and kept in `runs`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from include.clickhouse.client import ClickHouse
from include.github.api.client import GitHubClient
from include.github.api.quotas import TokenQuota
from include.github.apis import commits_by
from include.github.commits.checkpoint import CommitCheckpoint
from include.github.plan import Plan, Window, Work, graphql_cost, make_plan, rest_cost
from include.github.rank import Ranking
from include.github.request import Api, RunOptions
from include.github.runs import extra_pages_of_a_repository, record_plan
from include.http.pacing import GUARD
from include.staging.files import StagingPath

log = logging.getLogger(__name__)

RESOURCES = {"rest": "core", "graphql": "graphql"}


async def plan_commits(
    client: GitHubClient,
    clickhouse: ClickHouse,
    ranking: Ranking,
    options: RunOptions,
    directory: StagingPath,
    *,
    run: Mapping[str, str],
    now: datetime,
    check_lease: Callable[[], None],
) -> Plan:
    """Return the plan of what this run (dag_id, run_id) has still to ask, having written it down.

    Raises: PlanNeverFits, then too, unless only the plan is wanted; BadParam, of an API that cannot be asked;
        as GitHubClient.get; ClickHouseError; what `check_lease` raises.
    """
    api = options.chosen_api(has_token=client.has_token)
    absent: str = await asyncio.to_thread(options.graphql_memory(directory).recall)
    api = "rest" if absent else api
    records = await asyncio.to_thread(CommitCheckpoint, directory, ranking)
    left = records.asked - records.finished
    extra_pages = await asyncio.to_thread(extra_pages_of_a_repository, clickhouse)
    spent = ranking.requests + records.requests
    work = Work(len(ranking), records.finished, left, spent, extra_pages * left, ranking.points)
    batch = commits_by(api, client).batch
    cost = graphql_cost(work, batch, options.verify) if api == "graphql" else rest_cost(work)
    quotas = await client.quotas() if left else ()
    windows, core = _windows(quotas, api), _windows(quotas, "rest")
    rest_left = sum(window.now for window in core) if core else None
    plan = make_plan(api, work, cost, windows, GUARD / client.requests_per_second, now, rest_left=rest_left)
    (log.info if plan.fits else log.warning)("plan: %s", plan)
    await asyncio.to_thread(
        record_plan,
        clickhouse,
        run,
        ranking.request.day,
        ranking.request.top,
        plan,
        plan_only=options.plan_only,
        check_lease=check_lease,
    )
    if not options.plan_only:
        plan.require_time()
    return plan


def _windows(quotas: Sequence[TokenQuota], api: Api) -> list[Window]:
    """Return what each token may spend; nothing where the server counts nothing."""
    told = [token.resources.get(RESOURCES[api]) for token in quotas]
    return [
        Window(quota.available, quota.limit - quota.reserved, quota.reset_at)
        for quota in told
        if quota is not None
    ]
