"""The work of github_top_repositories: its request, its turn to ask GitHub, its own tasks."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from airflow.sdk import get_current_context

from include.github.request import read_options, read_request
from include.text import safe_repr
from stagehouse.clock import now
from stagehouse.hooks.publication import publication_lock
from stagehouse.hooks.rescheduling import reschedule_on_wait
from stagehouse.hooks.storage_roots import reports_root, staging_root
from stagehouse.pipeline.rendering import end_rendering
from stagehouse.pipeline.run_context import request_of_this_run, run_context, staging_of
from stagehouse.pipeline.staged import part_list

if TYPE_CHECKING:
    from datetime import date, datetime

    from include.clickhouse.client import ClickHouse
    from include.github.api.client import GitHubClient
    from include.github.api.graphql_memory import GraphQLMemory
    from include.github.rank import Ranking
    from include.github.request import Api, RunOptions, TopRepositoriesRequest
    from include.staging.files import StagingPath
    from include.staging.manifest import Manifest

DAG_ID = "github_top_repositories"
TASKS_AT_ONCE = "STAGEHOUSE_GITHUB_PROCESSES"


def tasks_at_once() -> int:
    """Return how many tasks of a kind may wait for GitHub or ask it: what the environment says, else one.

    Asking is guarded by the lease, which has `processes` places. More tasks would wait for one in vain.
    """
    text = os.environ.get(TASKS_AT_ONCE, "1")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 20):  # noqa: PLR2004 - as of `processes`
        raise ValueError(
            f"environment variable {TASKS_AT_ONCE} is {safe_repr(text)}: allowed is a whole number from 1 to "
            "20. Next: correct or unset it where Airflow is started, and start that anew"
        )
    return int(text)


def run_request() -> TopRepositoriesRequest:
    """Return what the run is asked for. Raises: BadParam."""
    return request_of_this_run(read_request)


def requested_day() -> date:
    """Return the day the run is for. Raises: BadParam."""
    return run_request().day


def staging() -> StagingPath:
    """Return the run's own directory."""
    return staging_of(requested_day())


def run_options() -> RunOptions:
    """Return how the run asks. Raises: BadParam."""
    return read_options(get_current_context()["params"])


def require_github_connection() -> None:
    """Say before anything is asked what is wrong with the connection, or that GraphQL would lack a token.

    Raises: BadParam; BadConnection.
    """
    from stagehouse.hooks.github_hook import GitHubHook

    run_options().chosen_api(has_token=GitHubHook().require_usable())


class GitHubSession(NamedTuple):
    """A task's turn.

    Attributes: client, open; api that is asked; memory, of GraphQL; ranking, of the run; check_lease.
    """

    client: GitHubClient
    api: Api
    memory: GraphQLMemory
    ranking: Ranking
    check_lease: Callable[[], None]


@asynccontextmanager
async def github_session() -> AsyncIterator[GitHubSession]:
    """Hold the leases of the account, with a client and the ranking: the saved one, or what it is now.

    So of all runs and tries one process at a time asks, or as many as the connection says. A task that has to
    wait gives its slot back.
    """
    from include.github.apis import search_by
    from include.github.rank import rank
    from stagehouse.hooks.github_hook import GitHubHook

    hook, request, directory = GitHubHook(staging_root=staging_root()), run_request(), staging()
    with reschedule_on_wait(), hook.lease() as lease:
        async with hook.get_conn() as client:
            options = run_options()
            api, memory = options.chosen_api(has_token=client.has_token), options.graphql_memory(directory)
            search = search_by(api, client, memory)
            ranking = await rank(client, search, request, directory, now(), lease.check)
            yield GitHubSession(client, api, memory, ranking, lease.check)


async def rank_run() -> int:
    """Save the ranking of the run; return how many repositories are in it. Raises: as include.github.rank."""
    async with github_session() as session:
        return len(session.ranking)


async def plan_run() -> None:
    """Say what the run has still to ask, and write it down; see include.github.planning. Raises: as that."""
    from include.github.planning import plan_commits
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook

    async with github_session() as session:
        with ClickHouseHook().get_client() as clickhouse:
            await plan_commits(
                session.client,
                clickhouse,
                session.ranking,
                run_options(),
                staging(),
                run=run_context(),
                now=now(),
                check_lease=session.check_lease,
            )


async def fetch_run() -> list[dict[str, str]]:
    """Stage the day's commits; return table and file of each part. Raises: as include.github.fetch."""
    from include.github.apis import commits_by
    from include.github.commits.verification import verified_by_rest
    from include.github.fetch import fetch

    run = run_context()
    async with github_session() as (client, api, memory, ranking, check_lease):
        source, verified = commits_by(api, client, memory), run_options().verified(api)
        manifest = await fetch(
            client,
            source,
            ranking,
            run_request(),
            staging(),
            dag_id=run["dag_id"],
            run_id=run["run_id"],
            now=now,
            check_lease=check_lease,
            verify=verified_by_rest(client, source, ranking, verified, check_lease),
        )
    return part_list(manifest)


def record_run_cost(
    clickhouse: ClickHouse, manifest: Manifest, time: datetime, check_lease: Callable[[], None]
) -> None:
    """Write down what the run has cost, beside its plan; see include.github.runs.record_cost()."""
    from include.github.runs import record_cost

    record_cost(clickhouse, manifest, time, check_lease)


def render_run() -> str:
    """Render the day as readers see it; return its directory below `reports_root`."""
    from include.pages.top_repositories import PAGES, render_top_repositories
    from include.pages.top_repositories_data import read_top_repositories

    day, root = requested_day(), reports_root()
    with publication_lock(DAG_ID, day) as (clickhouse, lease):
        data = read_top_repositories(clickhouse, day)
        directory = render_top_repositories(root, data, check_lease=lease.check)
    end_rendering(root / PAGES, day)
    return str(directory)
