"""What the tasks of one run of github_top_repositories have in common: its request, its files, its turn."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from airflow.sdk import get_current_context

from include.github.request import read_options, read_request
from include.text import safe_repr
from stagehouse.hooks.rescheduling import reschedule_on_wait
from stagehouse.hooks.run_context import manifest_of, request_of_this_run, run_context, staging_of
from stagehouse.hooks.storage_roots import staging_root

if TYPE_CHECKING:
    from include.github.api.client import GitHubClient
    from include.github.rank import Ranking
    from include.github.request import Api, RunOptions, TopRepositoriesRequest
    from include.staging.files import StagingPath
    from include.staging.manifest import Manifest

TASKS_AT_ONCE = "STAGEHOUSE_GITHUB_PROCESSES"


def tasks_at_once() -> int:
    """Return how many tasks of a kind may wait for GitHub or ask it: what the environment says, else one.

    Asking is guarded by the lease, which has `processes` places. More tasks would wait for one in vain.
    """
    text = os.environ.get(TASKS_AT_ONCE, "1")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 20):  # noqa: PLR2004 - as of `processes`
        allowed = (
            "a whole number from 1 to 20. Correct or unset it where Airflow is started, and start that anew"
        )
        raise ValueError(f"environment variable {TASKS_AT_ONCE} is {safe_repr(text)}: allowed is {allowed}")
    return int(text)


def run_request() -> TopRepositoriesRequest:
    """Return what the run is asked for. Raises: BadParam."""
    return request_of_this_run(read_request)


def staging() -> StagingPath:
    """Return the run's own directory."""
    return staging_of(run_request().day)


def staged_manifest() -> Manifest:
    """Return what `fetch` has staged, perhaps on another worker."""
    return manifest_of("fetch", run_request().day)


def run_options() -> RunOptions:
    """Return how the run asks. Raises: BadParam."""
    return read_options(get_current_context()["params"])


def require_token_where_asked_for() -> None:
    """Say before anything is asked that GraphQL would be without a token. Raises: BadParam, BadConnection."""
    from stagehouse.hooks.github_hook import GitHubHook

    options = run_options()
    if options.api == "graphql":
        options.chosen_api(has_token=GitHubHook().has_token)


class GitHubSession(NamedTuple):
    """A task's turn. Attributes: client, open; api that is asked; ranking, of the run; check_lease."""

    client: GitHubClient
    api: Api
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
            api = run_options().chosen_api(has_token=client.has_token)
            search, now = search_by(api, client), datetime.now(UTC)
            ranking = await rank(client, search, request, directory, now, lease.check)
            yield GitHubSession(client, api, ranking, lease.check)


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
                now=datetime.now(UTC),
                check_lease=session.check_lease,
            )
